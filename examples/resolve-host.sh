#!/bin/bash
# /// stagedoor
# title = "Look up a host"
# description = "Asks this machine which addresses a host name has."
# tags = ["network"]
# order = 70
# access = { run = ["everyone"] }
# timeout = "30s"
#
# [[param]]
# name = "host"
# type = "hostname"
# required = true
# suggestions = ["localhost"]
# example = "localhost"
#
# [[param]]
# name = "family"
# title = "Addresses"
# choices = [{ value = "ahosts", label = "All" }, { value = "ahostsv4", label = "IPv4 only" }, { value = "ahostsv6", label = "IPv6 only" }]
# default = "ahosts"
# ///
# Needs: bash, getent (libc-bin).
set -euo pipefail

host=$1
family=${2:-ahosts}
if ! found=$(getent "$family" -- "$host"); then
  echo "Nobody knows the host $host." >&2
  exit 1
fi
awk '!seen[$1]++ { print $1 }' <<<"$found"
