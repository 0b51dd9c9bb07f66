-- Mailboxes and the messages in them. Owners: pbx/store/mailboxes.py and pbx/store/voicemail.py.
-- An extension has a mailbox also without a row here. pin: argon2id or PBKDF2; tries: wrong PINs in a row.
-- What is null is decided by the configuration.

CREATE TABLE mailbox (
    number text PRIMARY KEY,
    name text NOT NULL DEFAULT '',
    owners text[] NOT NULL DEFAULT '{}',
    email text,
    pin text,
    skip_pin boolean NOT NULL DEFAULT false,
    tries integer NOT NULL DEFAULT 0,
    locked_until timestamptz,
    greetings text[] NOT NULL DEFAULT '{}',
    longest integer,
    quota integer,
    operator text,
    retention_days integer,
    attach boolean NOT NULL DEFAULT true,
    after_mail text NOT NULL DEFAULT 'keep' CHECK (after_mail IN ('keep', 'delete')),
    enabled boolean NOT NULL DEFAULT true
);

-- The audio lies in <data>/voicemail/<mailbox>/<id>.wav. state: recording while the caller speaks, then ready.
-- folder: new until it was heard. caller: empty for an anonymous one. deleted: when its owner deleted it.

CREATE TABLE voicemail (
    id text PRIMARY KEY,
    mailbox text NOT NULL,
    state text NOT NULL CHECK (state IN ('recording', 'ready')),
    caller text NOT NULL,
    caller_name text NOT NULL,
    received timestamptz NOT NULL,
    seconds double precision NOT NULL DEFAULT 0,
    folder text NOT NULL DEFAULT 'new' CHECK (folder IN ('new', 'saved', 'work', 'family', 'friends')),
    urgent boolean NOT NULL DEFAULT false,
    deleted timestamptz,
    forwarded_by text,
    call_id text NOT NULL DEFAULT ''
);

CREATE INDEX voicemail_mailbox ON voicemail (mailbox, received) WHERE state = 'ready';
CREATE INDEX voicemail_received ON voicemail (received);

-- Whoever changes a row, by whatever means, every node hears of it: the channel is the table, the payload the mailbox.
-- An empty payload says "read everything again".

CREATE FUNCTION mailbox_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mailbox', coalesce(NEW.number, OLD.number));
    IF TG_OP = 'UPDATE' AND NEW.number <> OLD.number THEN
        PERFORM pg_notify('mailbox', OLD.number);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER mailbox_changed AFTER INSERT OR UPDATE OR DELETE ON mailbox
    FOR EACH ROW EXECUTE FUNCTION mailbox_changed();

CREATE FUNCTION voicemail_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('voicemail', coalesce(NEW.mailbox, OLD.mailbox));
    IF TG_OP = 'UPDATE' AND NEW.mailbox <> OLD.mailbox THEN
        PERFORM pg_notify('voicemail', OLD.mailbox);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER voicemail_changed AFTER INSERT OR UPDATE OR DELETE ON voicemail
    FOR EACH ROW EXECUTE FUNCTION voicemail_changed();

CREATE FUNCTION voicemail_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_TABLE_NAME, '');
    RETURN NULL;
END
$$;

CREATE TRIGGER mailbox_truncated AFTER TRUNCATE ON mailbox
    FOR EACH STATEMENT EXECUTE FUNCTION voicemail_truncated();

CREATE TRIGGER voicemail_truncated AFTER TRUNCATE ON voicemail
    FOR EACH STATEMENT EXECUTE FUNCTION voicemail_truncated();
