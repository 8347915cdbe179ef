-- When the token was first seen to cross a network in the clear: whoever owns it is to revoke it.
ALTER TABLE tokens ADD COLUMN exposed_at INTEGER;
