-- Most runs succeed, and at their end they now touch no index of outcomes: those are of the other
-- runs only. What succeeded is looked for in the indexes of all runs.
DROP INDEX runs_by_outcome;
DROP INDEX runs_by_script_outcome;
DROP INDEX runs_by_user_outcome;

CREATE INDEX runs_by_outcome ON runs (outcome, id) WHERE outcome <> 'succeeded';
CREATE INDEX runs_by_script_outcome ON runs (script, outcome, id) WHERE outcome <> 'succeeded';
CREATE INDEX runs_by_user_outcome ON runs (user_id, outcome, id) WHERE outcome <> 'succeeded';
CREATE INDEX runs_by_user_script_outcome ON runs (user_id, script, outcome, id)
    WHERE outcome <> 'succeeded';
