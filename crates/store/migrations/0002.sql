-- A digest of everything that a request with a key asked for, secrets included, under a key of the
-- installation: the secrets themselves are deleted when the run has ended.
ALTER TABLE runs ADD COLUMN request_digest BLOB CHECK (length(request_digest) = 32);
