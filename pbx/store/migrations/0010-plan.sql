-- Trunks, routes and time conditions made over the API, beside those of the configuration. Owner: pbx/store/plan.py.
-- value: everything but kind and name, as pbx/directory names it; what is as usual is left out.
-- position: the order in which routes are asked. secret: a trunk's password, encrypted (pbx/store/secrets.py).

CREATE TABLE plan (
    kind text NOT NULL CHECK (kind IN ('trunk', 'outbound_route', 'inbound_route', 'time_condition')),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    position integer NOT NULL,
    value jsonb NOT NULL,
    secret text,
    created timestamptz NOT NULL DEFAULT now(),
    changed timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, name)
);

CREATE INDEX plan_position ON plan (kind, position);

-- Whoever changes a row, by whatever means, every node hears of it. An empty payload says "read everything again".

CREATE FUNCTION plan_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('plan', OLD.kind || ':' || OLD.name);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_notify('plan', NEW.kind || ':' || NEW.name);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER plan_changed AFTER INSERT OR UPDATE OR DELETE ON plan
    FOR EACH ROW EXECUTE FUNCTION plan_changed();

CREATE FUNCTION plan_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_TABLE_NAME, '');
    RETURN NULL;
END
$$;

CREATE TRIGGER plan_truncated AFTER TRUNCATE ON plan
    FOR EACH STATEMENT EXECUTE FUNCTION plan_truncated();

-- What a minute costs over a trunk, of the configuration too. Owner: pbx/store/rates.py. prefix: E.164 without +.
-- A list is replaced as a whole: its row in rate_list is what nodes hear of. Who changes rates by hand sets a new
-- version there: UPDATE rate_list SET version = gen_random_uuid(). No foreign key: it would be looked up a hundred
-- thousand times.

CREATE TABLE rate_list (
    trunk text PRIMARY KEY,
    version uuid NOT NULL DEFAULT gen_random_uuid(),
    rates integer NOT NULL,
    imported timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE rate (
    trunk text NOT NULL,
    prefix text NOT NULL,
    rate numeric NOT NULL,
    connection_fee numeric NOT NULL,
    first integer NOT NULL,
    increment integer NOT NULL,
    PRIMARY KEY (trunk, prefix)
);

CREATE FUNCTION rate_list_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('rate_list', coalesce(NEW.trunk, OLD.trunk));
    RETURN NULL;
END
$$;

CREATE TRIGGER rate_list_changed AFTER INSERT OR UPDATE OR DELETE ON rate_list
    FOR EACH ROW EXECUTE FUNCTION rate_list_changed();

CREATE TRIGGER rate_list_truncated AFTER TRUNCATE ON rate_list
    FOR EACH STATEMENT EXECUTE FUNCTION plan_truncated();

-- Night switches that were moved by hand; one that has no row goes by its clock. Owner: pbx/store/switches.py.

CREATE TABLE night_switch (
    condition text PRIMARY KEY,
    position text NOT NULL CHECK (position IN ('day', 'night')),
    moved_by text NOT NULL DEFAULT '',
    moved timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION night_switch_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('night_switch', coalesce(NEW.condition, OLD.condition));
    RETURN NULL;
END
$$;

CREATE TRIGGER night_switch_changed AFTER INSERT OR UPDATE OR DELETE ON night_switch
    FOR EACH ROW EXECUTE FUNCTION night_switch_changed();

CREATE TRIGGER night_switch_truncated AFTER TRUNCATE ON night_switch
    FOR EACH STATEMENT EXECUTE FUNCTION plan_truncated();

-- What an extension may call beyond the house, as pbx/directory/permissions.py names it.
-- Owner: pbx/store/extensions.py.

ALTER TABLE extension ADD COLUMN permissions jsonb NOT NULL DEFAULT '{}';
