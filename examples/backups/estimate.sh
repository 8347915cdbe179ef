#!/bin/bash
# /// stagedoor
# title = "Estimate a backup"
# description = "Says how large the backup would be and which files are the largest."
#
# [[param]]
# use = "source"
# ///
# Needs: bash, coreutils, findutils.
set -euo pipefail

source_name=data
for word in "$@"; do
  case $word in
    --source=*) source_name=${word#*=} ;;
    *) echo "I do not know the option $word." >&2; exit 2 ;;
  esac
done

cd ..
[ -d "$source_name" ] || { echo "There is no folder $source_name." >&2; exit 1; }
find "$source_name" -type f -printf '%s\t%P\n' | sort -rn | awk -F'\t' '
  { sum += $1; if (NR <= 5) printf "%10d  %s\n", $1, $2 }
  END { printf "%10d  in all, %d files\n", sum, NR }'
