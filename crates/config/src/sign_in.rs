//! How signing in goes: how often it may fail, and who else knows passwords.

use std::time::Duration;

use crate::document::{Node, Problems, Value};
use crate::layers::Layers;
use crate::session::some_time;

/// How signing in goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Failures of one account from one address, 1 to 100; 5.
    pub failures: u32,
    /// How long it is blocked then, at most 30 days; 15 minutes.
    pub blocked_for: Duration,
    /// Who knows the passwords of accounts that are not local.
    pub command: Option<SignInCommand>,
}

/// A command that knows passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInCommand {
    /// An absolute path, then arguments; no shell reads it.
    pub argv: Vec<String>,
    /// At most a minute; 10 seconds.
    pub timeout: Duration,
    /// Who it says is in `admins`, is.
    pub names_admins: bool,
}

/// More failures than this would be no limit.
const MOST_FAILURES: i64 = 100;
/// Who was blocked for longer would have to be let in by hand.
const LONGEST_BLOCK: Duration = Duration::from_hours(24 * 30);
/// Nobody waits longer for an answer to a form.
const LONGEST_COMMAND: Duration = Duration::from_mins(1);

/// `[sign_in]`.
pub(crate) fn read(layers: &Layers, problems: &mut Problems) -> SignIn {
    let failures = layers
        .get("sign_in.failures")
        .and_then(|node| node.integer(1, MOST_FAILURES, problems))
        .and_then(|failures| u32::try_from(failures).ok());
    let quarter = Duration::from_mins(15);
    SignIn {
        failures: failures.unwrap_or(5),
        blocked_for: time(
            layers,
            "sign_in.blocked_for",
            quarter,
            LONGEST_BLOCK,
            problems,
        ),
        command: command(layers, problems),
    }
}

fn time(
    layers: &Layers,
    key: &str,
    default: Duration,
    longest: Duration,
    problems: &mut Problems,
) -> Duration {
    let Some(node) = layers.get(key) else {
        return default;
    };
    let time = some_time(node, problems).unwrap_or(default);
    if time > longest {
        let problem = node.mark.problem("this time is too long");
        let days = longest.as_secs() / 86_400;
        let most = if days > 0 {
            format!("{days}d")
        } else {
            "1m".to_owned()
        };
        problems.push(problem.mend(format!("write at most \"{most}\"")));
    }
    time
}

fn command(layers: &Layers, problems: &mut Problems) -> Option<SignInCommand> {
    let ten = Duration::from_secs(10);
    let timeout = time(
        layers,
        "sign_in.command_timeout",
        ten,
        LONGEST_COMMAND,
        problems,
    );
    let admins = layers.get("sign_in.command_names_admins");
    let names_admins = admins.and_then(|node| node.flag(problems)).unwrap_or(false);
    let Some(node) = layers.get("sign_in.command") else {
        if let Some(alone) = layers.get("sign_in.command_timeout").or(admins) {
            let problem = alone.mark.problem("this counts only with a command");
            problems.push(problem.mend("set `sign_in.command`, or take this out"));
        }
        return None;
    };
    Some(SignInCommand {
        argv: argv(node, problems)?,
        timeout,
        names_admins,
    })
}

fn argv(node: &Node, problems: &mut Problems) -> Option<Vec<String>> {
    let words = match &node.value {
        Value::List(_) => node.texts(problems)?,
        _ => vec![node.full_text(problems)?],
    };
    let is_path = words
        .first()
        .is_some_and(|program| program.starts_with('/') && program.len() > 1);
    if is_path && words.iter().all(|word| !word.contains('\0')) {
        return Some(words);
    }
    let problem = node
        .mark
        .problem("this does not begin with the whole path of a program");
    problems.push(problem.mend(
        "write it from the root on, each argument for itself: \
         `command = [\"/usr/local/bin/check-password\", \"--quick\"]`; no shell reads it",
    ));
    None
}
