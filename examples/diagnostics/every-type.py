#!/usr/bin/python3
# /// stagedoor
# title = "Every kind of field"
# description = "One field of each type that a definition can ask for. Prints what arrived."
# order = 50
# docs = "every-type.md"
# env = { GREETING = "hello from the definition" }
# extra = { team = "examples" }
# lang.de = { title = "Jede Art von Feld", description = "Ein Feld von jedem Typ." }
#
# [[param]]
# name = "text"
# description = "One line."
# example = "some words"
# option = "--text="
# max_length = 100
# section = "Text"
#
# [[param]]
# name = "multiline"
# type = "multiline"
# title = "Several lines"
# pass = "file"
# option = "--multiline-file"
# section = "Text"
#
# [[param]]
# name = "choice"
# choices = ["red", "green", { value = "blue", label = "Blue as the sky" }]
# option = "--choice="
# default = "green"
# section = "Text"
#
# [[param]]
# name = "suggested"
# title = "With suggestions"
# suggestions = ["one", "two", "three"]
# option = "--suggested="
# section = "Text"
#
# [[param]]
# name = "email"
# type = "email"
# option = "--email="
# section = "Text"
#
# [[param]]
# name = "secret"
# secret = true
# required = false
# section = "Text"
#
# [[param]]
# name = "integer"
# title = "Whole number"
# type = "integer"
# option = "--integer="
# min = -10
# max = 10
# step = 2
# default = 4
# section = "Numbers"
#
# [[param]]
# name = "number"
# title = "Decimal number"
# type = "number"
# option = "--number="
# min = 0
# max = 1
# step = 0.25
# section = "Numbers"
#
# [[param]]
# name = "flag"
# title = "On or off"
# type = "flag"
# option = "--flag"
# off = "--no-flag"
# default = true
# section = "Numbers"
#
# [[param]]
# name = "count"
# title = "How talkative"
# type = "count"
# option = "-v"
# max = 3
# section = "Numbers"
#
# [[param]]
# name = "date"
# type = "date"
# option = "--date="
# format = "%d.%m.%Y"
# min = "2020-01-01"
# section = "Time"
#
# [[param]]
# name = "time"
# type = "time"
# option = "--time="
# section = "Time"
#
# [[param]]
# name = "datetime"
# title = "Date and time"
# type = "datetime"
# option = "--datetime="
# section = "Time"
#
# [[param]]
# name = "duration"
# type = "duration"
# option = "--duration="
# example = "1h30m"
# min = "1s"
# max = "2d"
# section = "Time"
#
# [[param]]
# name = "url"
# type = "url"
# option = "--url="
# section = "Network"
#
# [[param]]
# name = "hostname"
# type = "hostname"
# option = "--hostname="
# section = "Network"
#
# [[param]]
# name = "ip"
# type = "ip"
# title = "Address"
# option = "--ip="
# section = "Network"
#
# [[param]]
# name = "ipv4"
# type = "ipv4"
# title = "IPv4 address"
# option = "--ipv4="
# section = "Network"
#
# [[param]]
# name = "ipv6"
# type = "ipv6"
# title = "IPv6 address"
# option = "--ipv6="
# section = "Network"
#
# [[param]]
# name = "path"
# type = "path"
# title = "A settings file of this machine"
# root = "/etc"
# kind = "file"
# match = "*.conf"
# option = "--path="
# section = "Files and data"
#
# [[param]]
# name = "json"
# type = "json"
# title = "JSON"
# option = "--json="
# example = '{"a": [1, 2]}'
# section = "Files and data"
#
# [[param]]
# name = "repeat"
# title = "Repeated"
# option = "--repeat"
# multiple = "repeat"
# max_items = 5
# section = "Several values"
#
# [[param]]
# name = "spread"
# title = "Width and height"
# type = "integer"
# option = "--spread"
# multiple = "spread"
# min_items = 2
# max_items = 2
# min = 1
# section = "Several values"
#
# [[param]]
# name = "join"
# title = "Columns"
# choices = ["cpu", "memory", "network"]
# option = "--join="
# multiple = "join"
# separator = ":"
# default = ["cpu", "memory"]
# section = "Several values"
#
# [[param]]
# name = "variable"
# title = "By environment variable"
# pass = "env"
# section = "Other ways to the script"
# advanced = true
#
# [[param]]
# name = "line"
# title = "By standard input"
# pass = "stdin"
# section = "Other ways to the script"
# advanced = true
#
# [[param]]
# name = "steering"
# title = "Steers another field"
# type = "flag"
# pass = "none"
# section = "Other ways to the script"
#
# [[param]]
# name = "steered"
# title = "Shown when the flag above is set"
# option = "--steered="
# when = { steering = ["true"] }
# section = "Other ways to the script"
#
# [[param]]
# name = "fixed"
# option = "--fixed="
# value = "from the author"
#
# [[param]]
# name = "positional"
# title = "A word without an option"
# required = false
# ///
"""Prints what arrived, one `name = value` a line. Needs: python3."""

import argparse
import json
import os
import sys
from pathlib import Path


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in (
        "text choice suggested email integer number date time datetime duration "
        "url hostname ip ipv4 ipv6 path json join steered fixed multiline-file"
    ).split():
        parser.add_argument(f"--{name}")
    parser.add_argument("--flag", action=argparse.BooleanOptionalAction)
    parser.add_argument("-v", action="count", dest="count")
    parser.add_argument("--repeat", action="append")
    parser.add_argument("--spread", nargs=2)
    parser.add_argument("positional", nargs="?")
    return parser.parse_args()


def main() -> int:
    given = {name: value for name, value in vars(arguments()).items() if value is not None}
    if file := given.pop("multiline_file", None):
        given["multiline"] = Path(file).read_text(encoding="utf-8")
    if "PARAM_VARIABLE" in os.environ:
        given["variable"] = os.environ["PARAM_VARIABLE"]
    credentials = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if credentials and Path(credentials, "secret").exists():
        # Never print a secret: that it came is all that the output needs to say.
        given["secret"] = f"{len(Path(credentials, 'secret').read_bytes())} bytes"
    if line := sys.stdin.readline():
        given["line"] = line.removesuffix("\n")
    given["greeting"] = os.environ.get("GREETING", "")
    for name, value in sorted(given.items()):
        print(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
