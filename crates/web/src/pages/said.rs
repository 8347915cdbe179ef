//! States, outcomes, times and arguments in words.

use std::time::Duration;

use serde_json::Value;
use stagedoor_app::view::RunView;
use stagedoor_domain::quantity::say_duration;
use stagedoor_domain::run::{Outcome, State};
use stagedoor_domain::sandbox::Measure;
use stagedoor_domain::time::Timestamp;

/// A state or outcome: colour, icon and words, so that none of them is alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chip {
    /// Class of the style sheet.
    pub class: &'static str,
    /// Icon of `icons.html`.
    pub icon: &'static str,
    /// In words.
    pub word: String,
}

impl Chip {
    fn new(class: &'static str, icon: &'static str, word: impl Into<String>) -> Self {
        Self {
            class,
            icon,
            word: word.into(),
        }
    }

    /// Of a run.
    pub fn of(run: &RunView) -> Self {
        match (run.state, run.outcome) {
            (_, Some(outcome)) => Self::of_outcome(outcome, run.exit_code, run.signal),
            (State::Queued, _) => match run.queue_position {
                Some(place) => Self::new("wait", "dots", format!("waiting, place {place}")),
                None => Self::new("wait", "dots", "waiting"),
            },
            (State::Starting, _) => Self::new("live", "spin", "starting"),
            (State::Stopping, _) => Self::new("wait", "spin", "stopping"),
            (State::Running | State::Ended, _) => Self::new("live", "spin", "running"),
        }
    }

    /// Of a record of the audit log.
    pub fn of_audit(outcome: &str) -> Self {
        match outcome {
            "done" => Self::new("ok", "check", "done"),
            "refused" => Self::new("stopped", "bar", "refused"),
            "failed" => Self::new("fail", "cross", "failed"),
            other => Self::new("lost", "question", other),
        }
    }

    fn of_outcome(outcome: Outcome, code: Option<i32>, signal: Option<i32>) -> Self {
        match (outcome, code, signal) {
            (Outcome::Succeeded, ..) => Self::new("ok", "check", "succeeded"),
            (Outcome::Failed, Some(code), _) => {
                Self::new("fail", "cross", format!("failed, exit code {code}"))
            }
            (Outcome::Failed, ..) => Self::new("fail", "cross", "failed"),
            (Outcome::Signalled, _, Some(signal)) => {
                Self::new("fail", "bolt", format!("ended by signal {signal}"))
            }
            (Outcome::Signalled, ..) => Self::new("fail", "bolt", "ended by a signal"),
            (Outcome::TimedOut, ..) => Self::new("fail", "clock", "timed out"),
            (Outcome::Cancelled, ..) => Self::new("stopped", "stop", "cancelled"),
            (Outcome::OverLimit, ..) => Self::new("fail", "over", "over a limit"),
            (Outcome::Refused, ..) => Self::new("fail", "bar", "refused"),
            (Outcome::Lost, ..) => Self::new("lost", "question", "outcome unknown"),
        }
    }
}

/// A text of ours in pieces: whether each is to be shown as code, as what stands between backticks is.
pub(crate) fn coded(text: &(impl AsRef<str> + ?Sized)) -> Vec<(bool, &str)> {
    let text = text.as_ref();
    let is_odd = text.matches('`').count() % 2 == 1;
    if is_odd {
        return vec![(false, text)];
    }
    let pieces = text.split('`').enumerate();
    pieces.map(|(n, piece)| (n % 2 == 1, piece)).collect()
}

/// The outcome in a sentence, for the run's page.
pub(crate) fn sentence(run: &RunView) -> String {
    let Some(outcome) = run.outcome else {
        return match (run.state, run.queue_position) {
            (State::Queued, Some(1)) => "It waits for a free slot and is next.".to_owned(),
            (State::Queued, Some(place)) => format!("It waits for a free slot, at place {place}."),
            (State::Queued, None) => "It waits for a free slot.".to_owned(),
            (State::Stopping, _) => "It was told to end and has some time to do so.".to_owned(),
            _ => String::new(),
        };
    };
    match outcome {
        Outcome::Succeeded => "It did its work.".to_owned(),
        Outcome::Failed => {
            "It says that it failed. The last lines of its output often say why.".to_owned()
                + &silent_limits(run)
        }
        Outcome::Signalled => {
            "A signal ended it; it did not finish its work.".to_owned()
                + &limits_behind_a_signal(run)
        }
        Outcome::TimedOut => "It ran longer than it may and was ended.".to_owned(),
        Outcome::Cancelled => "Somebody stopped it before it was done.".to_owned(),
        Outcome::OverLimit => "It went beyond a limit and was ended.".to_owned(),
        Outcome::Refused => "It was not started.".to_owned(),
        Outcome::Lost => {
            "Nobody can tell how it ended, or whether it did its work. Look before you repeat it."
                .to_owned()
        }
    }
}

/// The limits of its definition of which the system tells nobody but the script: it is refused memory, a
/// process, a file or a byte more, and goes on or fails as it likes.
fn silent_limits(run: &RunView) -> String {
    let keys = held_limits(
        run,
        &[
            (Measure::Memory, "`limits.memory`"),
            (Measure::ProcessCount, "`limits.processes`"),
            (Measure::OpenFiles, "`limits.open_files`"),
            (Measure::FileSize, "`limits.file_size`"),
        ],
    );
    keys.map_or_else(String::new, |keys| {
        format!(" It may have met a limit of which only it is told: {keys} in its definition.")
    })
}

/// Those behind a signal that others send, too: a program that gets no memory often ends itself, and one that
/// does not heed the first signal of `limits.cpu` is killed a second later.
fn limits_behind_a_signal(run: &RunView) -> String {
    const MEMORY: (Measure, &str) = (Measure::Memory, "`limits.memory`");
    const CPU: (Measure, &str) = (Measure::Cpu, "`limits.cpu`");
    let limits: &[_] = match run.signal {
        Some(SIGKILL) => &[CPU, MEMORY],
        Some(SIGABRT | SIGBUS | SIGSEGV) => &[MEMORY],
        _ => &[],
    };
    held_limits(run, limits).map_or_else(String::new, |keys| {
        format!(" A limit of its definition may have been behind it: {keys}.")
    })
}

/// Their numbers are the same on every Linux that is served.
const SIGABRT: i32 = 6;
const SIGBUS: i32 = 7;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;

/// Which of these held its script.
fn held_limits(run: &RunView, limits: &[(Measure, &str)]) -> Option<String> {
    let enforced = run.enforced.as_deref()?;
    let held = limits
        .iter()
        .filter(|(measure, _)| enforced.holds(*measure));
    let keys: Vec<&str> = held.map(|(_, key)| *key).collect();
    (!keys.is_empty()).then(|| keys.join(" and "))
}

/// A point in time. A script on the page shows it in the viewer's zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct When {
    /// For machines.
    pub iso: String,
    /// For people, in UTC.
    pub text: String,
    /// How long ago, if that says more.
    pub ago: String,
}

impl When {
    /// Seen from `now`.
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        let text = jiff::Timestamp::from_millisecond(at.millis())
            .map(|at| at.strftime("%-d %b %Y, %H:%M:%S UTC").to_string())
            .unwrap_or_default();
        Self {
            iso: at.rfc3339(),
            text,
            ago: ago(now.since(at).as_secs()),
        }
    }
}

fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        86_400..172_800 => "yesterday".to_owned(),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// How long it ran, or has run until `now`; empty before its start.
pub(crate) fn took(run: &RunView, now: Timestamp) -> String {
    let Some(start) = run.started_at else {
        return String::new();
    };
    match say_duration(run.ended_at.unwrap_or(now).since(start)) {
        text if text == "0.0 s" => "under 0.1 s".to_owned(),
        text => text,
    }
}

/// A time limit: round ones are said without what is zero.
pub(crate) fn limit(duration: Duration) -> String {
    let text = say_duration(duration);
    let short = [" 0 s", " 0 min", " 0 h"]
        .iter()
        .find_map(|zero| text.strip_suffix(zero));
    short.map(str::to_owned).unwrap_or(text)
}

/// Name and value of each argument; secrets are masked already.
pub(crate) fn arguments(run: &RunView) -> Vec<(String, String)> {
    run.args
        .iter()
        .map(|(name, value)| (name.clone(), argument(value)))
        .collect()
}

fn argument(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => items.iter().map(argument).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// All arguments in one short line.
pub(crate) fn arguments_line(run: &RunView) -> String {
    const LONGEST: usize = 120;
    let line = arguments(run)
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("  ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code_and_what_is_left_open_is_not() {
        let pieces = coded("give `run` to `ops`");
        let codes: Vec<&str> = pieces.iter().filter(|p| p.0).map(|p| p.1).collect();
        let whole: String = pieces.iter().map(|p| p.1).collect();
        assert_eq!((codes, &*whole), (vec!["run", "ops"], "give run to ops"));
        assert_eq!(coded("it`s"), [(false, "it`s")]);
        assert_eq!(coded(""), [(false, "")]);
    }

    #[test]
    fn every_outcome_has_colour_icon_and_word() {
        for (word, outcome) in Outcome::ALL {
            let chip = Chip::of_outcome(*outcome, None, None);
            assert!(
                !chip.class.is_empty() && !chip.icon.is_empty() && !chip.word.is_empty(),
                "{word}"
            );
        }
        assert_eq!(
            Chip::of_outcome(Outcome::Failed, Some(2), None).word,
            "failed, exit code 2"
        );
        assert_eq!(Chip::of_outcome(Outcome::Lost, None, None).class, "lost");
        assert_eq!(
            Chip::of_outcome(Outcome::Cancelled, None, None).word,
            "cancelled",
            "the word of the filter and of the API"
        );
    }

    #[test]
    fn a_round_limit_is_said_without_zeros() {
        assert_eq!(limit(Duration::from_mins(5)), "5 min");
        assert_eq!(limit(Duration::from_hours(1)), "1 h");
        assert_eq!(limit(Duration::from_secs(90)), "1 min 30 s");
    }

    #[test]
    fn a_time_is_said_from_the_reader_s_point_of_view() {
        let at = Timestamp::from_millis(0);
        let when = When::new(at, Timestamp::from_millis(3 * 3_600_000));
        assert_eq!(
            (when.text.as_str(), when.ago.as_str()),
            ("1 Jan 1970, 00:00:00 UTC", "3 h ago")
        );
        assert_eq!(When::new(at, at).ago, "just now");
    }
}
