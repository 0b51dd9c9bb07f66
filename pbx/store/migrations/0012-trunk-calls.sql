-- Which calls went beyond the house or came from there, and over which trunk. Owner: pbx/store/cdr.py.

ALTER TABLE cdr ADD COLUMN direction text NOT NULL DEFAULT 'internal';
ALTER TABLE cdr ADD COLUMN trunk text;

CREATE INDEX cdr_trunk ON cdr (trunk, started DESC) WHERE trunk IS NOT NULL;
