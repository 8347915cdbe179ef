//! Arguments: what a client gave, checked against what the script declares.
//!
//! Every door (page, API, command line, schedule) passes here, and only [`CheckedArgs`] can be
//! made into an [invocation](crate::invocation). Nothing here knows of forms' markup, HTTP or
//! files; a `path` is checked as text, whether it exists is asked by the catalog.

mod bounds;
mod choices;
mod conditions;
mod dates;
mod decimal;
mod defaults;
mod fault;
mod kinds;
mod path;
mod read;
mod resolve;
mod undeclared;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value as Json};
use zeroize::Zeroize;

use crate::name::ParamName;
use crate::param::{Param, Value};
use crate::script::Script;
use resolve::{Input, Outcome, Resolver};

pub use bounds::whole_value_pattern;
pub use conditions::holds;
pub use dates::{check_format, formatted};
pub use path::fits as path_fits;

/// What stands in history, logs and pages in place of a secret.
pub const MASK: &str = "***";

/// What a client gave for one parameter, before any check.
#[derive(Clone, PartialEq, Eq)]
pub enum Given {
    /// One field of a form, or a JSON string. JSON's `null` is the empty text: no value.
    Text(String),
    /// A repeated field of a form, or a JSON array.
    List(Vec<String>),
    /// `true` or `false` of JSON.
    Flag(bool),
    /// A JSON number, as it was written.
    Number(String),
}

/// Shapes and sizes only: nobody knows yet which of them is a secret.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::List(items) => write!(f, "List({} items)", items.len()),
            Self::Flag(_) => write!(f, "Flag"),
            Self::Number(text) => write!(f, "Number({} bytes)", text.len()),
        }
    }
}

impl Given {
    /// From a member of the API's `args`. An object, or an array of anything but texts, numbers
    /// and booleans, is `None`: no parameter takes one.
    pub fn from_json(json: &Json) -> Option<Self> {
        Some(match json {
            Json::Null => Self::Text(String::new()),
            Json::Bool(on) => Self::Flag(*on),
            Json::Number(number) => Self::Number(number.to_string()),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(scalar).collect::<Option<_>>()?),
            Json::Object(_) => return None,
        })
    }
}

fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(on) => Some(on.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// All that a client gave, by the name that it used.
pub type GivenArgs = BTreeMap<String, Given>;

/// One thing that is wrong with what a client gave. Never contains the value itself, which may
/// be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given_name}: {message}")]
pub struct ArgError {
    /// The parameter, if there is one of that name.
    pub param: Option<ParamName>,
    /// The name that the client used, shortened and without control characters.
    pub given_name: String,
    /// For people: what is wrong and how to mend it.
    pub message: String,
}

/// Arguments that fit their script: the shown parameters that have a value, in the order of
/// declaration. Made by [`check`] and [`CheckedArgs::restore`] only.
#[derive(Clone, PartialEq, Eq)]
pub struct CheckedArgs {
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    name: ParamName,
    value: Value,
    secret: bool,
}

/// Secrets do not stay behind in freed memory.
impl Drop for Entry {
    fn drop(&mut self) {
        match &mut self.value {
            Value::Text(text) if self.secret => text.zeroize(),
            Value::List(items) if self.secret => items.zeroize(),
            _ => {}
        }
    }
}

impl fmt::Debug for CheckedArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CheckedArgs").field(&self.history()).finish()
    }
}

/// Checks everything that a client gave against everything that the script declares.
///
/// # Errors
/// One [`ArgError`] for each parameter that is wrong, in the order of declaration, then the names
/// that the script does not declare.
pub fn check(script: &Script, mut given: GivenArgs) -> Result<CheckedArgs, Vec<ArgError>> {
    let mut resolver = Resolver::new(script, |param| {
        given
            .remove(param.name.as_str())
            .map_or(Input::Absent, Input::Given)
    });
    resolver.settle_all();
    let mut errors: Vec<ArgError> = resolver
        .faults()
        .map(|(param, fault)| ArgError {
            param: Some(param.name.clone()),
            given_name: param.name.to_string(),
            message: fault.to_string(),
        })
        .collect();
    errors.extend(undeclared::errors(script, given.keys().map(String::as_str)));
    if errors.is_empty() {
        Ok(CheckedArgs::from_outcomes(resolver.into_outcomes()))
    } else {
        Err(errors)
    }
}

/// The parameters that are shown, given these values: the others are hidden by their `when`. One
/// whose condition hangs on a value that is itself wrong counts as shown.
pub fn shown(script: &Script, given: &GivenArgs) -> BTreeSet<ParamName> {
    let mut resolver = Resolver::new(script, |param| {
        given
            .get(param.name.as_str())
            .map_or(Input::Absent, |given| Input::Given(given.clone()))
    });
    resolver.settle_all();
    resolver
        .into_outcomes()
        .filter(|(_, outcome)| !matches!(outcome, Outcome::Hidden))
        .map(|(param, _)| param.name.clone())
        .collect()
}

/// The author's side: is this text a legal value of the parameter, by type, bounds, pattern and
/// choices? What binds clients only (a leading dash, a disabled choice, `when`) is not asked. Of a
/// `multiple`, this is one of the values.
///
/// # Errors
/// A message for people that says what would be legal.
pub fn check_text(param: &Param, text: &str) -> Result<String, String> {
    read::author_text(param, text).map_err(|fault| fault.to_string())
}

impl CheckedArgs {
    fn from_outcomes<'a>(outcomes: impl Iterator<Item = (&'a Param, Outcome)>) -> Self {
        let entries = outcomes
            .filter_map(|(param, outcome)| match outcome {
                Outcome::Value(value) => Some(Entry {
                    name: param.name.clone(),
                    value,
                    secret: param.secret,
                }),
                Outcome::Hidden | Outcome::Unsure | Outcome::Empty => None,
            })
            .collect();
        Self { entries }
    }

    /// The value of a parameter; none when it is hidden or was left out.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter()
            .find(|(candidate, _)| candidate.as_str() == name)
            .map(|(_, value)| value)
    }

    /// Every value, secrets as they are: for the invocation only.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ParamName, &Value)> {
        self.entries.iter().map(|entry| (&entry.name, &entry.value))
    }

    /// What may be kept and shown: secrets stand as [`MASK`].
    pub fn history(&self) -> Map<String, Json> {
        self.entries
            .iter()
            .map(|entry| {
                let shown = match &entry.value {
                    _ if entry.secret => Json::from(MASK),
                    Value::Flag(on) => Json::from(*on),
                    Value::Count(times) => Json::from(*times),
                    Value::Text(text) => Json::from(text.as_str()),
                    Value::List(items) => Json::from(items.clone()),
                };
                (entry.name.to_string(), shown)
            })
            .collect()
    }

    /// The secrets by parameter, for encryption.
    pub fn secrets(&self) -> BTreeMap<String, Value> {
        self.entries
            .iter()
            .filter(|entry| entry.secret)
            .map(|entry| (entry.name.to_string(), entry.value.clone()))
            .collect()
    }

    /// Whether [`Self::secrets`] has any.
    pub fn has_secrets(&self) -> bool {
        self.entries.iter().any(|entry| entry.secret)
    }

    /// Back from what was kept. `None` when it does not fit the script as it is now: the
    /// definition changed meanwhile, or the secrets are already deleted.
    pub fn restore(
        script: &Script,
        history: &Map<String, Json>,
        mut secrets: BTreeMap<String, Value>,
    ) -> Option<Self> {
        let mut inputs = BTreeMap::new();
        for (name, json) in history {
            let param = script.params.iter().find(|p| p.name.as_str() == name)?;
            let value = if param.secret {
                (json.as_str() == Some(MASK)).then(|| secrets.remove(name))??
            } else {
                serde_json::from_value(json.clone()).ok()?
            };
            inputs.insert(&param.name, value);
        }
        // A secret that the definition no longer calls one would come back as its mask.
        if !secrets.is_empty() {
            return None;
        }
        let mut resolver = Resolver::new(script, |param| {
            inputs
                .remove(&param.name)
                .map_or(Input::Nothing, Input::Stored)
        });
        resolver.settle_all();
        let fits = resolver.faults().next().is_none();
        fits.then(|| Self::from_outcomes(resolver.into_outcomes()))
    }
}

#[cfg(test)]
pub(crate) mod tests;
