-- Who has subscribed to what (RFC 6665), one row for each dialog with all that its requests need after a restart.
-- Owner: pbx/store/subscriptions.py. A row is rewritten with each NOTIFY: room is left so that it stays on its page.

CREATE TABLE subscription (
    key text PRIMARY KEY,
    value jsonb NOT NULL,
    written timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 60);
