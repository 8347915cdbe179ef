#!/bin/bash
# /// stagedoor
# title = "A script that fails"
# description = "Ends with the exit code of your choice, or by a signal, after it has said why on both streams."
# order = 20
#
# [[param]]
# name = "how"
# choices = [{ value = "exit", label = "With an exit code" }, { value = "signal", label = "By a signal" }]
# default = "exit"
#
# [[param]]
# name = "code"
# title = "Exit code"
# type = "integer"
# min = 0
# max = 255
# default = 3
# when = { how = ["exit"] }
#
# [[param]]
# name = "signal"
# choices = ["KILL", "SEGV", "ABRT", "HUP"]
# default = "SEGV"
# when = { how = ["signal"] }
# ///
# Needs: bash.
set -u

echo "Connecting to the database …"
echo "error: the database does not answer" >&2
if [ "${1:-exit}" = signal ]; then
  ulimit -c 0
  kill -s "${2:-SEGV}" "$$"
  sleep 1
fi
exit "${2:-3}"
