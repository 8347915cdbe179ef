//! The member `args` of a request, as the client wrote it.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use stagedoor_domain::arguments::{Given, GivenArgs};
use stagedoor_domain::param::{Kind, Param};
use stagedoor_domain::script::Script;

use crate::problem::FieldError;

/// Arguments by name, each as the text that stood in the body: a number reaches the script as it
/// was written, not as the nearest one that a computer can hold. A name given twice is an error.
#[derive(Default)]
pub(crate) struct RawArgs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for RawArgs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Args;
        impl<'de> Visitor<'de> for Args {
            type Value = RawArgs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the arguments by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawArgs, A::Error> {
                let mut seen = std::collections::HashSet::new();
                let mut args = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format!(
                            "the argument {name:?} is given twice"
                        )));
                    }
                    args.push((name, map.next_value()?));
                }
                Ok(RawArgs(args))
            }
        }
        deserializer.deserialize_map(Args)
    }
}

impl RawArgs {
    /// What was given, by the types of the script's parameters: the type `json` takes any JSON.
    pub fn given(self, script: &Script) -> Result<GivenArgs, Vec<FieldError>> {
        let mut given = GivenArgs::new();
        let mut errors = Vec::new();
        for (name, raw) in self.0 {
            let param = script
                .params
                .iter()
                .find(|param| param.name.as_str() == name);
            match read(raw.get(), param) {
                Ok(value) => {
                    given.insert(name, value);
                }
                Err(message) => errors.push(FieldError {
                    param: Some(name),
                    message,
                }),
            }
        }
        if errors.is_empty() {
            Ok(given)
        } else {
            Err(errors)
        }
    }
}

fn read(raw: &str, param: Option<&Param>) -> Result<Given, String> {
    let is_json = param.is_some_and(|param| param.kind == Kind::Json && param.multiple.is_none());
    match raw.as_bytes().first() {
        Some(b'{' | b'[') if is_json => Ok(Given::Text(raw.to_owned())),
        Some(b'[') => list(raw).map(Given::List),
        Some(b'{') => Err("is an object; give a text, a number, true, false or a list".to_owned()),
        Some(b'"') => text(raw).map(Given::Text),
        Some(b't') => Ok(Given::Flag(true)),
        Some(b'f') => Ok(Given::Flag(false)),
        Some(b'n') | None => Ok(Given::Text(String::new())),
        Some(_) => Ok(Given::Number(raw.to_owned())),
    }
}

fn text(raw: &str) -> Result<String, String> {
    serde_json::from_str(raw).map_err(|_| "is not a text: it has half of a `\\u` pair".to_owned())
}

fn list(raw: &str) -> Result<Vec<String>, String> {
    let items: Vec<&RawValue> = serde_json::from_str(raw).map_err(|error| error.to_string())?;
    items.into_iter().map(|item| scalar(item.get())).collect()
}

fn scalar(raw: &str) -> Result<String, String> {
    match raw.as_bytes().first() {
        Some(b'"') => text(raw),
        Some(b'{' | b'[') => Err("is a list of lists or objects; give texts or numbers".to_owned()),
        Some(b'n') => Err("is a list with a null; leave it out".to_owned()),
        _ => Ok(raw.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(raw: &str) -> Result<Given, String> {
        read(raw, None)
    }

    #[test]
    fn a_number_arrives_as_it_was_written() {
        for raw in ["0.10", "-0", "1e400", "123456789012345678901234567890"] {
            assert_eq!(given(raw), Ok(Given::Number(raw.to_owned())));
        }
    }

    #[test]
    fn every_scalar_has_its_meaning() {
        assert_eq!(given(r#""a\nb""#), Ok(Given::Text("a\nb".to_owned())));
        assert_eq!(given("true"), Ok(Given::Flag(true)));
        assert_eq!(given("false"), Ok(Given::Flag(false)));
        assert_eq!(given("null"), Ok(Given::Text(String::new())));
        let list = Given::List(vec!["a".to_owned(), "1.0".to_owned(), "true".to_owned()]);
        assert_eq!(given(r#"["a", 1.0, true]"#), Ok(list));
    }

    #[test]
    fn what_no_parameter_takes_is_refused() {
        for raw in ["{}", "[{}]", "[[1]]", "[null]", r#""\ud800""#] {
            assert!(given(raw).is_err(), "{raw}");
        }
        assert!(given(r#""\ud83d\ude00""#).is_ok());
    }

    #[test]
    fn a_name_given_twice_is_an_error_that_says_where() {
        let parse = |text| serde_json::from_str::<RawArgs>(text).map(|args| args.0.len());
        let error = parse(r#"{"a": 1, "a": 2}"#).expect_err("twice").to_string();
        assert!(
            error.contains("\"a\" is given twice") && error.contains("line 1 column"),
            "{error}"
        );
        assert_eq!(parse(r#"{"a": 1, "b": 2}"#).expect("once each"), 2);
    }
}
