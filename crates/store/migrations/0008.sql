-- What a group may, beside the grants of stagedoor.toml. `scripts` and `may` hold words between
-- blanks; a grant of `admin` is about no script. Numbers are never used twice.
CREATE TABLE grants (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    group_name TEXT    NOT NULL,
    scripts    TEXT    NOT NULL,
    may        TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    CHECK ((may = 'admin') = (scripts = ''))
) STRICT;

-- One row. A server that has read the grants learns from this number, which every request reads
-- with its account, that another process has changed them.
CREATE TABLE grants_version (
    version INTEGER NOT NULL
) STRICT;
INSERT INTO grants_version (version) VALUES (0);

CREATE TRIGGER grants_inserted AFTER INSERT ON grants
BEGIN UPDATE grants_version SET version = version + 1; END;
CREATE TRIGGER grants_updated AFTER UPDATE ON grants
BEGIN UPDATE grants_version SET version = version + 1; END;
CREATE TRIGGER grants_deleted AFTER DELETE ON grants
BEGIN UPDATE grants_version SET version = version + 1; END;

-- What a token may at most: words, patterns and networks between blanks. A token without `may` is
-- of before: everything with scripts, from everywhere, and no administration.
ALTER TABLE tokens ADD COLUMN may TEXT;
ALTER TABLE tokens ADD COLUMN scripts TEXT;
ALTER TABLE tokens ADD COLUMN addresses TEXT;
ALTER TABLE tokens ADD COLUMN last_address TEXT;

-- One-time links with which somebody chooses a password; at most one for each account.
CREATE TABLE password_links (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    user_id    INTEGER NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
