-- Where phones are registered (RFC 3261 10), one row for each address of record with all its bindings.
-- Owner: pbx/store/bindings.py. One row is what a REGISTER rewrites: room is left so that it stays on its page.

CREATE TABLE location (
    aor text PRIMARY KEY,
    bindings jsonb NOT NULL,
    written timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 60);
