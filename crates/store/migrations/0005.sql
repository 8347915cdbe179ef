-- Who did what. Each record holds the hash of the one before, and its own under a key that is not in
-- this database, so none can be changed, moved or left out unseen. No foreign key to users: the log
-- outlives accounts, which is also why their names stand here.
CREATE TABLE audit_log (
    seq       INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    user_id   INTEGER,
    user_name TEXT,
    number    INTEGER,
    address   TEXT,
    act       TEXT    NOT NULL,
    target    TEXT    NOT NULL,
    outcome   TEXT    NOT NULL,
    detail    TEXT    NOT NULL,
    prev      BLOB    NOT NULL CHECK (length(prev) = 32),
    hash      BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- The order of the pages. The others leave out what is frequent and has a history of its own, so
-- that they cost a start of a run nothing.
CREATE INDEX audit_by_time ON audit_log (at);
CREATE INDEX audit_but_starts ON audit_log (at) WHERE act <> 'run_started';
CREATE INDEX audit_by_act ON audit_log (act, at) WHERE act <> 'run_started';
CREATE INDEX audit_by_user ON audit_log (user_name, at) WHERE act <> 'run_started';
CREATE INDEX audit_by_address ON audit_log (address, at) WHERE act <> 'run_started';

-- Where the chain ends; its mark is made with the key, so that the end cannot be cut off unseen.
CREATE TABLE audit_head (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    seq  INTEGER NOT NULL,
    hash BLOB    NOT NULL CHECK (length(hash) = 32),
    mark BLOB    NOT NULL
) STRICT;

INSERT INTO audit_head VALUES (1, 0, zeroblob(32), zeroblob(0));
