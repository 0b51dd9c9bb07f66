-- Call records, one for each call with its legs. Owner: pbx/store/cdr.py.
-- mos: that of the leg that sounded worst, or null when no leg was measured.

CREATE TABLE cdr (
    id text PRIMARY KEY,
    call_id text NOT NULL,
    caller text NOT NULL,
    caller_name text,
    callee text NOT NULL,
    started timestamptz NOT NULL,
    answered timestamptz,
    ended timestamptz NOT NULL,
    duration double precision NOT NULL,
    billable double precision NOT NULL,
    disposition text NOT NULL,
    reason text,
    status integer,
    q850 integer,
    hangup_by text,
    media_path text,
    codec text,
    mos double precision,
    legs jsonb NOT NULL DEFAULT '[]'
);

CREATE INDEX cdr_started ON cdr (started DESC, id DESC);
CREATE INDEX cdr_caller ON cdr (caller, started DESC);
CREATE INDEX cdr_callee ON cdr (callee, started DESC);
