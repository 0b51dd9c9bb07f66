-- Why each call went where it went: the reasons that routing gave, in order. Owner: pbx/store/cdr.py.

ALTER TABLE cdr ADD COLUMN route jsonb NOT NULL DEFAULT '[]';
