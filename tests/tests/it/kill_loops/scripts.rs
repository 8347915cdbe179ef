//! What the load runs. Each script notes that it started, and writes what it prints to files of its
//! own too, so that both can be compared.

use serde_json::{Value, json};

use super::chance::Dice;

/// A script of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `/bin/true` itself.
    True,
    /// The same behind a line that notes the start.
    Quick,
    /// A known amount on both streams, as fast as it goes.
    Bulk,
    /// A line each 20 ms, across several crashes.
    Slow,
    /// Ends with the code that it is told.
    Fails,
    /// Asked for with an `Idempotency-Key`.
    Keyed,
    /// One at a time; the others wait.
    LinedUp,
    /// Does not end until it is stopped, and leaves a process in a session of its own.
    Stays,
    /// Says that it may be started again.
    Again,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::True,
        Self::Quick,
        Self::Bulk,
        Self::Slow,
        Self::Fails,
        Self::Keyed,
        Self::LinedUp,
        Self::Stays,
        Self::Again,
    ];

    /// The script's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::Quick => "quick",
            Self::Bulk => "bulk",
            Self::Slow => "slow",
            Self::Fails => "fails",
            Self::Keyed => "keyed",
            Self::LinedUp => "lined-up",
            Self::Stays => "stays",
            Self::Again => "again",
        }
    }

    pub fn of(script: &Value) -> Self {
        let found = Self::ALL.into_iter().find(|kind| *script == kind.name());
        found.unwrap_or_else(|| panic!("there is no script {script}"))
    }

    /// Does it note its starts?
    pub fn counts(self) -> bool {
        self != Self::True
    }

    /// Arguments to start it with.
    pub fn args(self, dice: &mut Dice) -> Value {
        match self {
            Self::Bulk if dice.percent(10) => json!({"number": dice.between(30_000, 60_000)}),
            Self::Bulk => json!({"number": dice.between(1, 3_000)}),
            Self::Slow => json!({"number": dice.between(60, 180)}),
            Self::Fails => json!({"number": dice.between(1, 126)}),
            _ => json!({}),
        }
    }
}

const TRUE: &str = r#"title = "True"
access = { run = ["everyone"] }
env = { KILL_LOOP = "@STAGE@" }
command = ["/bin/true"]
"#;

const HEAD: &str = r#"#!/bin/sh
# /// stagedoor
# access = { run = ["everyone"] }
# env = { KILL_LOOP = "@STAGE@" }
# stop_grace = "3s"
@MORE@# ///
mine="@STAGE@/$STAGEDOOR_RUN_ID"
echo start >> "$mine.starts"
"#;

const NUMBER: &str = "#\n# [[param]]\n# name = \"number\"\n# type = \"integer\"\n";

/// To the own file first: what was printed is never more than what stands there.
const SAY: &str = r#"say() { echo "$1" >> "$mine.stdout"; echo "$1"; }
complain() { echo "$1" >> "$mine.stderr"; echo "$1" >&2; }
"#;

/// `tee` writes to its standard output first: that is the file of its own, so that who is killed
/// between the two has printed what it says, or less.
const BULK: &str = r#"exec 3>&1
seq "$1" | sed "s/^/$STAGEDOOR_RUN_ID out /" | tee /dev/fd/3 >"$mine.stdout" &
seq "$1" | sed "s/^/$STAGEDOOR_RUN_ID err /" | tee /dev/stderr >"$mine.stderr"
wait
"#;

const SLOW: &str = r#"i=0
while [ "$i" -lt "$1" ]; do
  i=$((i+1))
  say "line $i"
  [ $((i % 5)) -ne 0 ] || complain "complaint $i"
  sleep 0.02
done
"#;

const FAILS: &str = r#"say "about to fail"
complain "failing with $1"
exit "$1"
"#;

/// What it prints last is what counts: it may be started several times.
const AGAIN: &str = r#": > "$mine.stdout"
for i in 1 2 3 4 5 6 7 8 9 10; do say "line $i"; sleep 0.05; done
"#;

const STAYS: &str = r#"setsid sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); sleep 0.2; done' </dev/null >/dev/null 2>&1 &
say "here"
i=0
while [ $i -lt 3000 ]; do i=$((i+1)); sleep 0.2; done
"#;

/// The files of the folder that is served; what they note goes to `stage`.
pub fn files(stage: &str) -> Vec<(&'static str, String)> {
    let script = |more: &str, body: &str| HEAD.replace("@MORE@", more) + SAY + body;
    let settings = "[limits]\nrunning = 24\nqueued = 1000\nqueued_per_user = 200\n";
    let files = [
        ("stagedoor.toml", settings.to_owned()),
        ("true.stagedoor.toml", TRUE.to_owned()),
        ("quick.sh", script("", "exec /bin/true\n")),
        ("bulk.sh", script(NUMBER, BULK)),
        ("slow.sh", script(NUMBER, SLOW)),
        ("fails.sh", script(NUMBER, FAILS)),
        ("keyed.sh", script("", "say \"started once\"\n")),
        (
            "lined-up.sh",
            script(
                "# limits = { running = 1 }\n",
                "say \"my turn\"\nsleep 0.05\n",
            ),
        ),
        ("stays.sh", script("", STAYS)),
        ("again.sh", script("# idempotent = true\n", AGAIN)),
    ];
    files
        .into_iter()
        .map(|(name, text)| (name, text.replace("@STAGE@", stage)))
        .collect()
}
