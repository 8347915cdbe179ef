#!/bin/bash
# /// stagedoor
# title = "Rehearse a backup"
# description = "Packs the folder, reads the archive back, compares it with the original and throws it away."
# confirm = "Pack and verify now?"
#
# [[param]]
# use = "source"
#
# [[param]]
# name = "compression"
# choices = [{ value = "--gzip", label = "gzip" }, { value = "none", label = "None" }]
# default = "--gzip"
#
# [[param]]
# name = "list"
# title = "Print every file"
# type = "flag"
# option = "--list"
# default = true
# ///
# Needs: bash, tar, gzip, coreutils.
set -euo pipefail

source_name=data
compression=()
list=no
for word in "$@"; do
  case $word in
    --source=*) source_name=${word#*=} ;;
    --gzip) compression=(--gzip) ;;
    none) compression=() ;;
    --list) list=yes ;;
    *) echo "I do not know the option $word." >&2; exit 2 ;;
  esac
done

cd ..
[ -d "$source_name" ] || { echo "There is no folder $source_name." >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

echo "Packing $source_name …"
tar --create "${compression[@]}" --file "$work/archive" "$source_name"
if [ "$list" = yes ]; then
  tar --list --file "$work/archive"
fi
echo "Verifying …"
mkdir "$work/copy"
tar --extract --file "$work/archive" --directory "$work/copy" --no-same-owner --no-same-permissions
diff --recursive "$source_name" "$work/copy/$source_name"
echo "The archive has $(stat --format %s "$work/archive") bytes and equals the original."
