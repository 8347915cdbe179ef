#!/usr/bin/python3
# /// stagedoor
# title = "Sign a message"
# description = "Computes the HMAC-SHA256 of a message, as webhooks use it. The key reaches the script in a private file; it is not in the command line, the environment, the history or the log."
# tags = ["secret", "webhook"]
# order = 60
# access = { run = ["everyone"] }
# timeout = "1m"
#
# [[param]]
# name = "message"
# type = "multiline"
# pass = "stdin"
# required = true
# max_length = 100000
#
# [[param]]
# name = "key"
# title = "Secret key"
# secret = true
# required = true
# min_length = 8
# ///
"""Needs: python3 (the standard library is enough)."""

import hashlib
import hmac
import os
import sys
from pathlib import Path


def main() -> int:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        print("No key: CREDENTIALS_DIRECTORY is not set.", file=sys.stderr)
        return 2
    try:
        key = Path(folder, "key").read_bytes()
    except OSError as error:
        print(f"I cannot read the key: {error.strerror}.", file=sys.stderr)
        return 2
    # One line of standard input ends with a line end that is not part of the message.
    message = sys.stdin.buffer.read().removesuffix(b"\n")
    digest = hmac.new(key, message, hashlib.sha256).hexdigest()
    print(f"{len(message)} bytes signed with a key of {len(key)} bytes:")
    print(f"sha256={digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
