-- What a run's script was held by, as JSON; NULL before it was started, and for runs of before.
ALTER TABLE runs ADD COLUMN enforced TEXT;
