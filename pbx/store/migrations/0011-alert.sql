-- What somebody must see to, or had to. Owner: pbx/store/alerts.py.
-- kind, subject: what it is about; of each pair one at most is open. settled: since when it is well again, null while it
-- is not. outcome: how it ended, in words. acknowledged, acknowledged_by: when somebody took note of it, and who.
-- detail: what programs want to know of it, such as the numbers by which an emergency centre calls back.

CREATE TABLE alert (
    id text PRIMARY KEY,
    kind text NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    began timestamptz NOT NULL,
    changed timestamptz NOT NULL,
    settled timestamptz,
    outcome text NOT NULL DEFAULT '',
    acknowledged timestamptz,
    acknowledged_by text NOT NULL DEFAULT '',
    detail jsonb NOT NULL DEFAULT '{}'
);

CREATE INDEX alert_open ON alert (began) WHERE settled IS NULL;
CREATE INDEX alert_settled ON alert (settled DESC) WHERE settled IS NOT NULL;
