-- Keeps the place of the audit log's migration.
SELECT 1;
