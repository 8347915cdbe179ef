#!/bin/bash
# /// stagedoor
# title = "A slow job"
# description = "Works through a list of steps. Each step shows its progress **in one line** and leaves a line behind, so you can watch it as it happens, stop it, or close the page and come back."
# tags = ["progress", "demo"]
# order = 40
# access = { run = ["everyone"] }
# timeout = "15m"
#
# [[param]]
# name = "steps"
# type = "integer"
# option = "--steps="
# default = 5
# min = 1
# max = 100
#
# [[param]]
# name = "pause"
# title = "Seconds per step"
# type = "number"
# option = "--pause="
# default = 1.0
# min = 0.1
# max = 10
# ///
# Needs: bash, coreutils, awk.
set -euo pipefail

steps=5
pause=1
for word in "$@"; do
  case $word in
    --steps=*) steps=${word#*=} ;;
    --pause=*) pause=${word#*=} ;;
    *) echo "I do not know the option $word." >&2; exit 2 ;;
  esac
done

trap 'printf "\nStopped. I tidy up and end.\n"; exit 143' TERM

# A tenth of a step at a time, so that a stop is heard at once.
tick=$(LC_ALL=C awk -v pause="$pause" 'BEGIN { printf "%.3f", pause / 10 }')
for (( step = 1; step <= steps; step++ )); do
  for (( tenth = 1; tenth <= 10; tenth++ )); do
    sleep "$tick"
    printf '\rStep %d of %d: %3d %%' "$step" "$steps" "$(( tenth * 10 ))"
  done
  printf '\rStep %d of %d: done \n' "$step" "$steps"
done
echo "All $steps steps are done."
