-- Single values: the digest realm and the like. Owner: pbx/store/system.py.

CREATE TABLE system (
    name text PRIMARY KEY,
    value jsonb NOT NULL,
    written timestamptz NOT NULL DEFAULT now()
);
