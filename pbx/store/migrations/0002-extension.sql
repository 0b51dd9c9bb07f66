-- Subscriber lines. Owner: pbx/store/extensions.py.
-- digests: algorithm (RFC 8760) to H(A1); password: argon2id or PBKDF2, for logins of people.

CREATE TABLE extension (
    number text PRIMARY KEY,
    name text NOT NULL,
    email text,
    allow_external boolean NOT NULL DEFAULT false,
    is_admin boolean NOT NULL DEFAULT false,
    enabled boolean NOT NULL DEFAULT true,
    digests jsonb NOT NULL,
    password text NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    changed timestamptz NOT NULL DEFAULT now()
);

-- Whoever changes a row, by whatever means, every node hears of it.

CREATE FUNCTION extension_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('extension', coalesce(NEW.number, OLD.number));
    IF TG_OP = 'UPDATE' AND NEW.number <> OLD.number THEN
        PERFORM pg_notify('extension', OLD.number);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER extension_changed AFTER INSERT OR UPDATE OR DELETE ON extension
    FOR EACH ROW EXECUTE FUNCTION extension_changed();

-- TRUNCATE has no rows: an empty payload says "read everything again".

CREATE FUNCTION extension_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('extension', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER extension_truncated AFTER TRUNCATE ON extension
    FOR EACH STATEMENT EXECUTE FUNCTION extension_truncated();
