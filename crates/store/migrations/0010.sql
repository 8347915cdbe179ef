-- Secrets that scripts get by `credentials`. `sealed` opens with the key that `key_id` names, and for
-- this name and version alone.
CREATE TABLE secrets (
    name    TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL UNIQUE,
    key_id  TEXT    NOT NULL,
    sealed  BLOB    NOT NULL,
    set_at  INTEGER NOT NULL,
    set_by  TEXT    NOT NULL
) STRICT;

-- One row. `key_id` seals whatever is set: whoever does not know of it has missed a rotation. It is
-- NULL until the first key is there. No version is used twice, so what was once sealed for a name
-- does not open in a later row of it; an old row that is put back as a whole does.
CREATE TABLE secrets_state (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    key_id   TEXT,
    version  INTEGER NOT NULL
) STRICT;
INSERT INTO secrets_state (only_row, key_id, version) VALUES (1, NULL, 0);
