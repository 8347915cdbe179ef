//! The texts in which a script may meet a secret.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{plain, said};
use crate::param::Value;
use crate::script::Script;

/// Each secret as it was given and as it is passed, several values one by one and together. Flags and
/// counts have no text that would tell anything. Where the script is not known any more, or no longer
/// has the parameter, a secret is taken as it was given.
pub fn secret_texts(
    script: Option<&Script>,
    secrets: &BTreeMap<String, Value>,
) -> Vec<Zeroizing<Vec<u8>>> {
    let mut texts = Vec::new();
    for (name, value) in secrets {
        let given = match value {
            Value::Text(text) => std::slice::from_ref(text),
            Value::List(items) => items,
            Value::Flag(_) | Value::Count(_) => continue,
        };
        texts.extend(given.iter().cloned());
        let mut params = script.iter().flat_map(|script| &script.params);
        if let Some(param) = params.find(|param| param.name.as_str() == name) {
            texts.extend(given.iter().map(|text| said(param, text)));
            texts.push(plain(param, value));
        }
    }
    let bytes = texts
        .into_iter()
        .map(|text| Zeroizing::new(text.into_bytes()));
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::tests::samples::{param, script};
    use crate::param::{Kind, Multiple, Param};

    fn texts(param: Param, value: Value) -> Vec<String> {
        let secrets = BTreeMap::from([(param.name.to_string(), value)]);
        let texts = secret_texts(Some(&script(vec![param])), &secrets);
        let text = |bytes: &Zeroizing<Vec<u8>>| String::from_utf8_lossy(bytes).into_owned();
        texts.iter().map(text).collect()
    }

    #[test]
    fn a_secret_is_known_as_it_was_given_and_as_it_is_passed() {
        let day = Param {
            secret: true,
            format: Some("%d.%m.%Y".to_owned()),
            ..param("x", Kind::Date)
        };
        let found = texts(day, Value::Text("2026-11-21".to_owned()));
        assert!(found.contains(&"2026-11-21".to_owned()), "{found:?}");
        assert!(found.contains(&"21.11.2026".to_owned()), "{found:?}");
        let pins = Param {
            multiple: Some(Multiple::Join {
                separator: ",".to_owned(),
            }),
            ..param("x", Kind::Text)
        };
        let found = texts(
            pins,
            Value::List(vec!["12".to_owned(), "345678".to_owned()]),
        );
        for text in ["12", "345678", "12,345678"] {
            assert!(found.contains(&text.to_owned()), "{found:?}");
        }
        assert!(texts(param("x", Kind::Flag), Value::Flag(true)).is_empty());
    }

    #[test]
    fn a_secret_of_a_script_that_is_gone_is_taken_as_it_was_given() {
        let secrets = BTreeMap::from([("x".to_owned(), Value::Text("hunter2".to_owned()))]);
        let of = |script: Option<&Script>| secret_texts(script, &secrets);
        assert_eq!(*of(None)[0], b"hunter2");
        assert_eq!(of(Some(&script(Vec::new()))), of(None));
    }
}
