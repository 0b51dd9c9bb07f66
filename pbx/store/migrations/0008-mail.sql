-- Mail on its way. Owner: pbx/store/mail.py.
-- id: stands in the Message-ID, so that a mail that is sent twice is the same mail. message: the voicemail it tells of.
-- attachment: a file below the voicemail folder. state: queued, sending (claimed by node), sent, failed.
-- due: when it is tried next; since: from when the time is counted after which it is given up.

CREATE TABLE mail (
    id text PRIMARY KEY,
    message text,
    recipient text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    html text,
    attachment text,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'failed')),
    reason text NOT NULL DEFAULT '',
    attempts integer NOT NULL DEFAULT 0,
    queued timestamptz NOT NULL DEFAULT now(),
    since timestamptz NOT NULL DEFAULT now(),
    due timestamptz NOT NULL DEFAULT now(),
    node text,
    claimed timestamptz,
    finished timestamptz
);

CREATE UNIQUE INDEX mail_message ON mail (message, recipient);
CREATE INDEX mail_due ON mail (due) WHERE state = 'queued';
CREATE INDEX mail_queued ON mail (queued DESC, id DESC);

CREATE FUNCTION mail_queued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mail', NEW.id);
    RETURN NULL;
END
$$;

CREATE TRIGGER mail_queued AFTER INSERT OR UPDATE OF due ON mail
    FOR EACH ROW WHEN (NEW.state = 'queued') EXECUTE FUNCTION mail_queued();
