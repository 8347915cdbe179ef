-- Who may sign in. Ids are never used twice: history refers to them.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    disabled      INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE memberships (
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_name TEXT    NOT NULL,
    PRIMARY KEY (user_id, group_name)
) STRICT, WITHOUT ROWID;

-- The one-time link to the first account; at most one row.
CREATE TABLE setup_links (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id_hash    BLOB    NOT NULL PRIMARY KEY CHECK (length(id_hash) = 32),
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    address    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used  INTEGER
) STRICT;

CREATE INDEX tokens_by_user ON tokens (user_id);

-- The history. Ids sort by time, so the table itself is the order of the pages. No foreign key to
-- users: history outlives accounts, which is also why the name stands here.
CREATE TABLE runs (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    script       TEXT    NOT NULL,
    user_id      INTEGER NOT NULL,
    user_name    TEXT    NOT NULL,
    args         TEXT    NOT NULL,
    secrets      BLOB,
    state        TEXT    NOT NULL,
    epoch        INTEGER NOT NULL,
    stop         TEXT,
    outcome      TEXT,
    reason       TEXT,
    exit_code    INTEGER,
    signal       INTEGER,
    leftovers    INTEGER NOT NULL DEFAULT 0,
    stdout_bytes INTEGER NOT NULL DEFAULT 0,
    stderr_bytes INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    ended_at     INTEGER,
    request_key  BLOB    CHECK (length(request_key) = 32),
    fingerprint  TEXT,
    CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
    CHECK ((outcome IS NOT NULL) = (ended_at IS NOT NULL)),
    CHECK (ended_at IS NULL OR secrets IS NULL)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX runs_by_request ON runs (request_key) WHERE request_key IS NOT NULL;
CREATE INDEX runs_unfinished ON runs (id) WHERE ended_at IS NULL;

-- One index for each question that a page asks, each in the order of the answer.
CREATE INDEX runs_by_script ON runs (script, id);
CREATE INDEX runs_by_user ON runs (user_id, id);
CREATE INDEX runs_by_user_script ON runs (user_id, script, id);
CREATE INDEX runs_by_outcome ON runs (outcome, id) WHERE outcome IS NOT NULL;
CREATE INDEX runs_by_script_outcome ON runs (script, outcome, id) WHERE outcome IS NOT NULL;
CREATE INDEX runs_by_user_outcome ON runs (user_id, outcome, id) WHERE outcome IS NOT NULL;
