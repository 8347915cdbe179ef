-- Failed sign-ins, by what they count against. `account` is a keyed digest of the name that was
-- typed, whether or not somebody has it, and zeros where all accounts are meant; `network` is empty
-- where all addresses are. Only a command beside the server sets `lifted`; the server then forgets.
CREATE TABLE failures (
    kind          TEXT    NOT NULL CHECK (kind IN ('password', 'address', 'token', 'all')),
    account       BLOB    NOT NULL CHECK (length(account) = 16),
    network       TEXT    NOT NULL,
    user_id       INTEGER,
    level         INTEGER NOT NULL,
    rounds        INTEGER NOT NULL,
    noted_at      INTEGER NOT NULL,
    blocked_until INTEGER,
    lifted        INTEGER NOT NULL DEFAULT 0 CHECK (lifted IN (0, 1)),
    PRIMARY KEY (kind, account, network)
) STRICT, WITHOUT ROWID;

-- Where an account or a token has worked lately. Its subject is a keyed digest too, so that looking
-- for one takes as long for a name that nobody has.
CREATE TABLE known_addresses (
    subject   BLOB    NOT NULL CHECK (length(subject) = 16),
    network   TEXT    NOT NULL,
    user_id   INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    last_used INTEGER NOT NULL,
    PRIMARY KEY (subject, network)
) STRICT, WITHOUT ROWID;

CREATE INDEX known_addresses_by_user ON known_addresses (user_id);

-- Who says whether a password is right: the hash here, or the operator's command. An external
-- account has no hash.
ALTER TABLE users ADD COLUMN origin TEXT NOT NULL DEFAULT 'local'
    CHECK (origin IN ('local', 'external'));
