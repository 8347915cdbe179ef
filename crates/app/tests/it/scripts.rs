//! Scripts that several tests start.

/// Notes its argument in `started`, waits for the gate of that name, notes it in `finished`.
pub const GATE: (&str, &str) = (
    "gate.sh",
    r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# stop_grace = "1s"
# [[param]]
# name = "gate"
# ///
echo "$1" >> @STAGE@/started
echo "before $1"
i=0
while [ ! -e "@STAGE@/$1" ] && [ $i -lt 1500 ]; do sleep 0.02; i=$((i+1)); done
echo "after $1"
echo "$1" >> @STAGE@/finished
"#,
);

/// Notes in `ran` that it ran, and ends at once.
pub const QUICK: (&str, &str) = (
    "quick.sh",
    r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# [[param]]
# name = "word"
# default = "quick"
# ///
echo "$1" >> @STAGE@/ran
"#,
);

/// Ends with the code that it is given.
pub const EXIT: (&str, &str) = (
    "exit.sh",
    r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# success_exit = [0, 3]
# [[param]]
# name = "code"
# ///
exit "$1"
"#,
);
