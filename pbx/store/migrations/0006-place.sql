-- Numbers that are no extension: ring groups, menus, rooms. Owner: pbx/store/places.py.
-- value: everything but kind and number, as pbx/directory/places.py names it; what is as usual is left out.

CREATE TABLE place (
    number text PRIMARY KEY,
    kind text NOT NULL,
    value jsonb NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    changed timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX place_kind ON place (kind, number);

CREATE FUNCTION place_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('place', coalesce(NEW.number, OLD.number));
    IF TG_OP = 'UPDATE' AND NEW.number <> OLD.number THEN
        PERFORM pg_notify('place', OLD.number);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER place_changed AFTER INSERT OR UPDATE OR DELETE ON place
    FOR EACH ROW EXECUTE FUNCTION place_changed();

CREATE FUNCTION place_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('place', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER place_truncated AFTER TRUNCATE ON place
    FOR EACH STATEMENT EXECUTE FUNCTION place_truncated();

-- What an extension wants done with its calls, as pbx/directory/handling.py names it. Owner: pbx/store/extensions.py.

ALTER TABLE extension ADD COLUMN handling jsonb NOT NULL DEFAULT '{}';

-- A number belongs to an extension or to a place, never to both. The lock makes two that come together wait in line.

CREATE FUNCTION number_is_free() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('number ' || NEW.number));
    IF TG_TABLE_NAME = 'place' AND EXISTS (SELECT FROM extension WHERE number = NEW.number) THEN
        RAISE unique_violation USING MESSAGE = NEW.number || ' is an extension', CONSTRAINT = 'number_of_extension';
    END IF;
    IF TG_TABLE_NAME = 'extension' AND EXISTS (SELECT FROM place WHERE number = NEW.number) THEN
        RAISE unique_violation USING MESSAGE = NEW.number || ' is a place', CONSTRAINT = 'number_of_place';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER number_is_free BEFORE INSERT OR UPDATE OF number ON extension
    FOR EACH ROW EXECUTE FUNCTION number_is_free();

CREATE TRIGGER number_is_free BEFORE INSERT OR UPDATE OF number ON place
    FOR EACH ROW EXECUTE FUNCTION number_is_free();
