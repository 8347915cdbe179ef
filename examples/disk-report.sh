#!/bin/bash
# /// stagedoor
# title = "Disk report"
# description = "Shows how full each file system is, and says which ones are **above the limit**."
# tags = ["disk", "report"]
# order = 10
# access = { run = ["everyone"] }
# timeout = "1m"
#
# [[param]]
# name = "limit"
# title = "Warn above (percent)"
# type = "integer"
# option = "--limit="
# default = 90
# min = 1
# max = 100
#
# [[param]]
# name = "inodes"
# title = "Count files instead of bytes"
# description = "A disk can be full of small files while it still has space."
# type = "flag"
# option = "--inodes"
# ///
# Needs: bash, coreutils.
set -euo pipefail

limit=90
how=(--human-readable)
for word in "$@"; do
  case $word in
    --limit=*) limit=${word#*=} ;;
    --inodes) how=(--inodes) ;;
    *) echo "I do not know the option $word." >&2; exit 2 ;;
  esac
done

# A file system that this account may not look at makes df exit with 1; the others still count.
table=$(df --portability "${how[@]}" --exclude-type=tmpfs --exclude-type=devtmpfs 2>/dev/null) || true
if [ -z "$table" ]; then
  table=$(df --portability "${how[@]}" .)
fi
printf '%s\n\n' "$table"

full=0
while read -r _ _ _ _ used place; do
  percent=${used%\%}
  [[ $percent =~ ^[0-9]+$ ]] || continue
  if (( percent > limit )); then
    echo "$place is at $percent %, above the limit of $limit %."
    full=$(( full + 1 ))
  fi
done < <(tail -n +2 <<<"$table")

if (( full == 0 )); then
  echo "Nothing is above $limit %."
fi
