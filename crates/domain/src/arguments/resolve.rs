//! Settles all parameters of a script: which are shown, and what value each has. One may hang on
//! another by `when`, also on one that is declared later.

use std::collections::HashMap;

use super::Given;
use super::conditions::{Truth, holds};
use super::defaults;
use super::fault::Fault;
use super::read;
use super::words;
use crate::param::{Choice, Condition, Param, Value};
use crate::script::Script;

/// What is known about a parameter before it is settled.
pub(super) enum Input {
    /// A client said nothing: the default applies.
    Absent,
    /// A client gave this.
    Given(Given),
    /// The store has no value, so there was none.
    Nothing,
    /// The store has this value.
    Stored(Value),
}

/// What became of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A condition does not hold.
    Hidden,
    /// Its value is wrong, or a condition hangs on one that is.
    Unsure,
    /// Shown, without a value.
    Empty,
    /// Shown, with this value.
    Value(Value),
}

enum State {
    Waiting(Input),
    /// What it hangs on is being settled: whoever asks now stands in a circle with it.
    Begun(Input),
    Done(Outcome),
}

/// The parameters of one script on their way to outcomes.
pub(super) struct Resolver<'a> {
    script: &'a Script,
    places: HashMap<&'a str, usize>,
    states: Vec<State>,
    faults: Vec<(usize, Fault)>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(script: &'a Script, input: impl FnMut(&'a Param) -> Input) -> Self {
        let params = &script.params;
        Self {
            script,
            places: params
                .iter()
                .enumerate()
                .map(|(at, p)| (p.name.as_str(), at))
                .collect(),
            states: params.iter().map(input).map(State::Waiting).collect(),
            faults: Vec::new(),
        }
    }

    /// Settles each, then checks them together.
    pub(super) fn settle_all(&mut self) {
        for at in 0..self.script.params.len() {
            self.settle(at);
        }
        let together = {
            let outcomes: Vec<(&Param, &Outcome)> = self
                .script
                .params
                .iter()
                .zip(self.states.iter().filter_map(State::outcome))
                .collect();
            words::check_together(&outcomes)
        };
        for (param, fault) in together {
            if let Some(at) = self.places.get(param.name.as_str()) {
                self.faults.push((*at, fault));
            }
        }
        self.faults.sort_by_key(|(at, _)| *at);
    }

    /// In the order of declaration.
    pub(super) fn faults(&self) -> impl Iterator<Item = (&'a Param, &Fault)> {
        let params = &self.script.params;
        self.faults
            .iter()
            .filter_map(|(at, fault)| Some((params.get(*at)?, fault)))
    }

    /// In the order of declaration.
    pub(super) fn into_outcomes(self) -> impl Iterator<Item = (&'a Param, Outcome)> {
        let outcomes = self.states.into_iter().map(|state| match state {
            State::Done(outcome) => outcome,
            State::Waiting(_) | State::Begun(_) => Outcome::Unsure,
        });
        self.script.params.iter().zip(outcomes)
    }

    /// Settles what this one hangs on, then itself. A stack and no recursion: a definition may
    /// hang thousands on each other.
    fn settle(&mut self, at: usize) {
        let mut stack = vec![at];
        while let Some(&top) = stack.last() {
            self.begin(top);
            if let Some(other) = self.waiting_below(top) {
                stack.push(other);
            } else {
                stack.pop();
                self.conclude(top);
            }
        }
    }

    fn begin(&mut self, at: usize) {
        if let Some(state) = self.states.get_mut(at)
            && let State::Waiting(input) = state
        {
            let input = std::mem::replace(input, Input::Nothing);
            *state = State::Begun(input);
        }
    }

    /// The first parameter that this one hangs on and that nobody has begun with.
    fn waiting_below(&self, at: usize) -> Option<usize> {
        let param = self.script.params.get(at)?;
        let of_choices = param.choices.iter().flat_map(|choice| &choice.when);
        param
            .when
            .iter()
            .chain(of_choices)
            .filter_map(|condition| self.places.get(condition.param.as_str()).copied())
            .find(|other| matches!(self.states.get(*other), Some(State::Waiting(_))))
    }

    fn conclude(&mut self, at: usize) {
        let Some((state, param)) = self.states.get_mut(at).zip(self.script.params.get(at)) else {
            return;
        };
        let State::Begun(input) = state else {
            return;
        };
        let input = std::mem::replace(input, Input::Nothing);
        let visible = self.truth(&param.when);
        let result = match visible {
            Truth::No => self.hidden(param, input),
            Truth::Yes | Truth::Unsure => self.shown(param, input, visible),
        };
        let outcome = match result {
            Ok(_) if visible == Truth::Unsure => Outcome::Unsure,
            Ok(outcome) => outcome,
            Err(fault) => {
                self.faults.push((at, fault));
                Outcome::Unsure
            }
        };
        if let Some(state) = self.states.get_mut(at) {
            *state = State::Done(outcome);
        }
    }

    /// Do all conditions hold? One on a hidden parameter does not, nor does one in a circle.
    fn truth(&self, conditions: &[Condition]) -> Truth {
        conditions.iter().fold(Truth::Yes, |so_far, condition| {
            so_far.and(self.truth_of(condition))
        })
    }

    fn truth_of(&self, condition: &Condition) -> Truth {
        let at = self.places.get(condition.param.as_str());
        let value = match at
            .and_then(|at| self.states.get(*at))
            .and_then(State::outcome)
        {
            Some(Outcome::Value(value)) => Some(value),
            Some(Outcome::Empty) => None,
            Some(Outcome::Unsure) => return Truth::Unsure,
            Some(Outcome::Hidden) | None => return Truth::No,
        };
        if holds(condition, value) {
            Truth::Yes
        } else {
            Truth::No
        }
    }

    fn offers(&self, choice: &Choice) -> bool {
        self.truth(&choice.when) != Truth::No
    }

    /// A hidden field of a page without scripts still sends what it showed: nothing, "off", or the
    /// default. Anything else was meant, so it is refused and not dropped.
    fn hidden(&self, param: &Param, input: Input) -> Result<Outcome, Fault> {
        let given = match input {
            Input::Absent | Input::Nothing => return Ok(Outcome::Hidden),
            Input::Stored(_) => return Err(Fault::Stored),
            Input::Given(_) if param.fixed.is_some() => return Err(Fault::Fixed),
            Input::Given(given) => given,
        };
        match read::value(param, given, &|_| true) {
            Ok(None | Some(Value::Flag(false) | Value::Count(0))) => Ok(Outcome::Hidden),
            Ok(value) if value == param.default => Ok(Outcome::Hidden),
            _ => Err(Fault::NotAsked {
                unless: self.unless(&param.when),
            }),
        }
    }

    /// The first condition that does not hold, for people.
    fn unless(&self, conditions: &[Condition]) -> String {
        let failing = conditions
            .iter()
            .find(|condition| self.truth_of(condition) == Truth::No);
        let Some(condition) = failing else {
            return String::new();
        };
        let place = self.places.get(condition.param.as_str());
        let title = place
            .and_then(|at| self.script.params.get(*at))
            .map_or(condition.param.as_str(), |other| other.title.as_str());
        let values: Vec<String> = condition
            .any_of
            .iter()
            .map(|value| match value.as_str() {
                "" => "empty".to_owned(),
                value => format!("`{value}`"),
            })
            .collect();
        format!("`{title}` is {}", values.join(" or "))
    }

    fn shown(&self, param: &Param, input: Input, visible: Truth) -> Result<Outcome, Fault> {
        if let Some(fixed) = &param.fixed {
            return match input {
                Input::Absent => Ok(Outcome::Value(fixed.clone())),
                Input::Stored(value) if value == *fixed => Ok(Outcome::Value(value)),
                Input::Given(_) => Err(Fault::Fixed),
                Input::Stored(_) | Input::Nothing => Err(Fault::Stored),
            };
        }
        let offered = |choice: &Choice| self.offers(choice);
        let value = match input {
            Input::Absent => defaults::default(param, &offered),
            Input::Given(given) => read::value(param, given, &offered)?,
            Input::Nothing => return defaults::without_value(param),
            Input::Stored(value) => Some(defaults::stored(param, value, &offered)?),
        };
        match value.or_else(|| defaults::empty_value(param)) {
            Some(value) => {
                words::check(param, &value)?;
                Ok(Outcome::Value(value))
            }
            None if param.required && visible == Truth::Yes => Err(Fault::Needed),
            None => Ok(Outcome::Empty),
        }
    }
}

impl State {
    fn outcome(&self) -> Option<&Outcome> {
        match self {
            State::Done(outcome) => Some(outcome),
            State::Waiting(_) | State::Begun(_) => None,
        }
    }
}
