#!/usr/bin/python3
# /// stagedoor
# title = "Release the web shop (rehearsal)"
# description = "Goes through the steps of a release and changes nothing. Shows fields that depend on each other and a question before the run."
# tags = ["release", "demo"]
# order = 110
# access = { run = ["everyone"] }
# timeout = "5m"
# confirm = "Go through the release now?"
# limits = { running = 1, queued = 10 }
#
# [[param]]
# name = "target"
# choices = [{ value = "staging", label = "Staging" }, { value = "production", label = "Production" }, { value = "moon", label = "Moon base (not built yet)", disabled = true }]
# default = "staging"
#
# [[param]]
# name = "version"
# example = "1.4.2"
# pattern = '\d+\.\d+\.\d+'
# pattern_help = "Three numbers with dots between, such as 1.4.2."
# required = true
#
# [[param]]
# name = "ticket"
# title = "Change ticket"
# option = "--ticket="
# pattern = '[A-Z]+-\d+'
# pattern_help = "Such as OPS-123."
# required = true
# when = { target = ["production"] }
#
# [[param]]
# name = "tell"
# title = "Tell these people"
# type = "email"
# option = "--tell"
# multiple = "repeat"
# max_items = 5
# section = "Afterwards"
#
# [[param]]
# name = "tool"
# option = "--tool="
# value = "rehearsal"
# ///
"""Needs: python3."""

import argparse
import sys
import time


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("version")
    parser.add_argument("--ticket")
    parser.add_argument("--tell", action="append", default=[])
    parser.add_argument("--tool", default="none")
    given = parser.parse_args()

    steps = ["check the version", "build", "run the tests", f"copy to {given.target}", "switch over"]
    print(f"Release {given.version} to {given.target} ({given.tool})", flush=True)
    if given.ticket:
        print(f"Ticket {given.ticket}", flush=True)
    for number, step in enumerate(steps, start=1):
        time.sleep(0.2)
        print(f"{number}. {step}: ok", flush=True)
    for person in given.tell:
        print(f"Would tell {person}")
    print("Rehearsed; nothing was changed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
