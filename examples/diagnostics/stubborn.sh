#!/bin/bash
# /// stagedoor
# title = "A script that will not stop"
# description = "Ignores the polite signal (TERM) and leaves a process in a session of its own behind. Stop it to see that it ends all the same."
# order = 30
# stop_grace = "2s"
#
# [[param]]
# name = "seconds"
# title = "Give up after (seconds)"
# type = "integer"
# min = 1
# max = 50
# default = 30
# ///
# Needs: bash, setsid (util-linux).
set -u
trap '' TERM

seconds=${1:-30}
# The one left behind ends by itself within a minute, whatever happens to the rest.
setsid bash -c 'trap "" TERM; for (( s = 0; s < $1; s++ )); do sleep 1; done' stubborn-grandchild "$(( seconds + 5 ))" \
  </dev/null >/dev/null 2>&1 &
echo "I am process $$ and ignore TERM. My grandchild is process $!."
for (( second = 1; second <= seconds; second++ )); do
  sleep 1
  echo "still here after $second s"
done
echo "Nobody stopped me, so I end by myself."
