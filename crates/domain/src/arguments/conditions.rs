//! Conditions between parameters: `when`.

use crate::param::{Condition, Value};

/// Whether something holds, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    /// It hangs on a value that is itself wrong: no second error is made of it.
    Unsure,
}

impl Truth {
    /// Both hold.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unsure, _) | (_, Self::Unsure) => Self::Unsure,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }
}

/// Does the condition hold when its (shown) parameter has this value? Without a value it holds
/// where the empty text is among those named. Of a list, one fitting value is enough.
pub fn holds(condition: &Condition, value: Option<&Value>) -> bool {
    let named = |text: &str| condition.any_of.iter().any(|candidate| candidate == text);
    match value {
        None => named(""),
        Some(Value::Flag(on)) => named(if *on { "true" } else { "false" }),
        Some(Value::Count(times)) => named(&times.to_string()),
        Some(Value::Text(text)) => named(text),
        Some(Value::List(items)) => items.iter().any(|item| named(item)),
    }
}
