-- When the user gave the password last in this session, and what the browser is in a few words.
ALTER TABLE sessions ADD COLUMN confirmed_at INTEGER;
ALTER TABLE sessions ADD COLUMN browser TEXT NOT NULL DEFAULT '';

-- Raised by whatever may end what somebody is looking at, from this program or another one: whoever
-- shows something for long looks at this number instead of at everything that it is made from.
CREATE TABLE rights (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    changes INTEGER NOT NULL
) STRICT;
INSERT INTO rights (only, changes) VALUES (1, 0);

CREATE TRIGGER a_session_ended AFTER DELETE ON sessions
BEGIN UPDATE rights SET changes = changes + 1; END;
CREATE TRIGGER a_session_was_renewed AFTER UPDATE OF id_hash ON sessions
BEGIN UPDATE rights SET changes = changes + 1; END;
CREATE TRIGGER a_user_was_disabled AFTER UPDATE OF disabled ON users
BEGIN UPDATE rights SET changes = changes + 1; END;
CREATE TRIGGER a_member_left AFTER DELETE ON memberships
BEGIN UPDATE rights SET changes = changes + 1; END;
CREATE TRIGGER a_token_was_revoked AFTER DELETE ON tokens
BEGIN UPDATE rights SET changes = changes + 1; END;
