//! What holds for every script and everything that a client could give.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::samples::{choice, param, positional, script, text, when, word};
use crate::arguments::{CheckedArgs, Given, GivenArgs, check, check_text};
use crate::invocation::{Invocation, invocation};
use crate::param::{Kind, Multiple, Param, Pass, Value};
use crate::script::Script;

/// Part of every secret and every hidden value, and of nothing else.
const MARK: &str = "zQ9mark";

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,12}",
        "-{0,2}[a-z0-9=,]{0,6}",
        "[0-9]{1,4}(\\.[0-9]{0,2})?",
        select(vec![
            "",
            "true",
            "on",
            "a",
            "b",
            "--b",
            "2026-11-21",
            "14:30",
            "2026-11-21T14:30",
            "1h",
            "a@b.example",
            "https://example.org",
            "db1",
            "192.0.2.7",
            "::1",
            "a/b.log",
            "{}",
            "a\nb",
            "a\r\nb",
            "\0",
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_given() -> impl Strategy<Value = Given> {
    prop_oneof![
        4 => any_text().prop_map(Given::Text),
        2 => prop::collection::vec(any_text(), 0..4).prop_map(Given::List),
        1 => any::<bool>().prop_map(Given::Flag),
        1 => "-?[0-9]{1,3}(\\.[0-9])?".prop_map(Given::Number),
    ]
}

fn any_kind() -> impl Strategy<Value = Kind> {
    select(Kind::ALL.map(|(_, kind)| kind).to_vec())
}

fn any_multiple() -> impl Strategy<Value = Option<Multiple>> {
    select(vec![
        None,
        None,
        Some(Multiple::Repeat),
        Some(Multiple::Spread),
        Some(Multiple::Join {
            separator: ",".to_owned(),
        }),
    ])
}

prop_compose! {
    fn any_param()(
        kind in any_kind(),
        pass in select(vec![Pass::Arg, Pass::Arg, Pass::Env, Pass::Stdin, Pass::File, Pass::None]),
        option in select(vec![None, Some("--o"), Some("--o=")]),
        multiple in any_multiple(),
        default in select(vec![None, Some("a"), Some("--b"), Some("7"), Some("")]),
        [secret, required, pass_empty, has_choices, has_env, dash] in any::<[bool; 6]>(),
    ) -> Param {
        let listed = has_choices || kind == Kind::Choice;
        let of_kind = match (kind, default) {
            (Kind::Flag, Some(_)) => Some(Value::Flag(true)),
            (Kind::Count, Some(_)) => Some(Value::Count(2)),
            (_, Some(text)) if multiple.is_some() => Some(Value::List(vec![text.to_owned()])),
            (_, Some(text)) => Some(Value::Text(text.to_owned())),
            (_, None) => None,
        };
        Param {
            pass, multiple, secret, required, pass_empty,
            option: option.map(str::to_owned),
            default: of_kind,
            choices: if listed { vec![choice("a"), choice("--b"), choice("7")] } else { Vec::new() },
            env: has_env.then(|| "NAME".to_owned()),
            allow_leading_dash: dash,
            ..param("p", kind)
        }
    }
}

/// Up to five parameters; each may hang on any of them, also on itself.
fn any_script() -> impl Strategy<Value = Script> {
    let conditions = prop::option::of((0..5usize, select(vec!["", "a", "true", "7"])));
    prop::collection::vec((any_param(), conditions), 1..5).prop_map(|params| {
        let named = params
            .into_iter()
            .enumerate()
            .map(|(at, (param, condition))| Param {
                name: positional(&format!("p{at}"), Kind::Text).name,
                when: condition
                    .map_or_else(Vec::new, |(on, text)| when(&format!("p{on}"), &[text, "b"])),
                ..param
            });
        script(named.collect())
    })
}

/// A script and arguments that it declares; two of five cases are accepted.
fn any_case() -> impl Strategy<Value = (Script, GivenArgs)> {
    let args = prop::collection::btree_map("p[0-4]", any_given(), 0..5);
    (any_script(), args).prop_map(|(script, mut args): (Script, GivenArgs)| {
        args.retain(|name, _| script.params.iter().any(|p| p.name.as_str() == name));
        (script, args)
    })
}

fn said(made: &Invocation) -> Vec<String> {
    made.args
        .iter()
        .chain(made.env.iter().map(|(_, word)| word))
        .map(word)
        .collect()
}

proptest! {
    #[test]
    fn an_accepted_text_arrives_byte_for_byte_as_one_word(
        value in any_text(),
        option in select(vec![None, Some("--x"), Some("--x=")]),
    ) {
        let script = script(vec![Param { option: option.map(str::to_owned), ..param("x", Kind::Text) }]);
        if let Ok(checked) = check(&script, [("x".to_owned(), text(&value))].into()) {
            let args = said(&invocation(&script, &checked));
            let expected = match option {
                _ if value.is_empty() => vec![],
                None => vec![value],
                Some("--x") => vec!["--x".to_owned(), value],
                Some(option) => vec![format!("{option}{value}")],
            };
            prop_assert_eq!(args, expected);
        }
    }

    #[test]
    fn a_printable_text_without_leading_dash_is_accepted(value in "[^-\\p{Cc}]\\PC{0,40}") {
        let script = script(vec![positional("x", Kind::Text)]);
        prop_assert!(check(&script, [("x".to_owned(), text(&value))].into()).is_ok());
    }

    #[test]
    fn whatever_is_accepted_comes_back_from_the_store((script, args) in any_case()) {
        if let Ok(checked) = check(&script, args) {
            let kept = serde_json::to_string(&checked.history()).expect("JSON");
            let secrets = serde_json::to_string(&checked.secrets()).expect("JSON");
            let history = serde_json::from_str(&kept).expect("JSON");
            let secrets: BTreeMap<String, Value> = serde_json::from_str(&secrets).expect("JSON");
            let restored = CheckedArgs::restore(&script, &history, secrets);
            prop_assert_eq!(restored, Some(checked));
        }
    }

    #[test]
    fn no_word_could_stop_the_start((script, args) in any_case()) {
        if let Ok(checked) = check(&script, args) {
            for word in said(&invocation(&script, &checked)) {
                prop_assert!(!word.contains('\0') && word.len() < 131_072);
            }
        }
    }

    #[test]
    fn secrets_stay_out_of_history_argv_and_messages(
        (mut script, mut args) in any_case(), at in 0..5usize, tail in any_text(),
    ) {
        let Some(secret) = script.params.get_mut(at) else { return Ok(()) };
        secret.secret = true;
        // As a text of every kind, also where it is refused.
        let name = secret.name.to_string();
        args.insert(name, Given::Text(format!("{MARK}{tail}")));
        match check(&script, args) {
            Ok(checked) => {
                let made = invocation(&script, &checked);
                prop_assert!(!serde_json::to_string(&checked.history()).expect("JSON").contains(MARK));
                prop_assert!(!made.args.iter().any(|w| word(w).contains(MARK)));
                let printed = format!("{checked:?}");
                prop_assert!(!printed.contains(MARK));
                prop_assert_eq!(checked.has_secrets(), !checked.secrets().is_empty());
            }
            Err(errors) => prop_assert!(!errors.iter().any(|error| error.to_string().contains(MARK))),
        }
    }

    #[test]
    fn what_is_hidden_reaches_nothing((mut script, mut args) in any_case(), given in any::<bool>()) {
        script.params.push(Param {
            when: when("gate", &["open"]),
            default: Some(Value::Text(MARK.to_owned())),
            ..positional("hidden", Kind::Text)
        });
        script.params.push(Param { pass: Pass::None, ..positional("gate", Kind::Text) });
        if given {
            args.insert("hidden".to_owned(), text(MARK));
        }
        args.insert("gate".to_owned(), text("shut"));
        if let Ok(checked) = check(&script, args.clone()) {
            let made = invocation(&script, &checked);
            prop_assert_eq!(checked.get("hidden"), None);
            prop_assert!(!said(&made).iter().any(|word| word.contains(MARK)));
        }
        // Its positive twin: with the gate open it is passed.
        args.insert("gate".to_owned(), text("open"));
        if let Ok(checked) = check(&script, args) {
            prop_assert!(said(&invocation(&script, &checked)).iter().any(|word| word == MARK));
        }
    }

    #[test]
    fn what_is_canonical_stays_as_it_is(param in any_param(), value in any_text()) {
        if let Ok(canonical) = check_text(&param, &value) {
            prop_assert_eq!(check_text(&param, &canonical), Ok(canonical));
        }
    }

    #[test]
    fn nothing_undeclared_is_accepted((script, mut args) in any_case(), name in "[a-oq-z].{0,9}") {
        args.insert(name, Given::Text(String::new()));
        prop_assert!(check(&script, args).is_err());
    }
}
