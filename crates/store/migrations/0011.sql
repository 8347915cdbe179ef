-- What was sealed in the rows of runs that have ended and whose output is not masked yet: none as a rule.
CREATE TABLE unmasked (
    run    BLOB NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
