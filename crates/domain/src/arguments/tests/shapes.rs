//! Fields of forms and members of JSON: absent, empty, one, several.

use super::samples::{choice, given, list, param, positional, refusals, script, text};
use crate::arguments::{Given, check};
use crate::param::{Bounds, Kind, Multiple, Param, Value};
use crate::script::Script;

fn value(script: &Script, args: Option<Given>) -> Option<Value> {
    let args = args
        .map(|given| ("x".to_owned(), given))
        .into_iter()
        .collect();
    check(script, args).expect("accepted").get("x").cloned()
}

fn one(text: &str) -> Option<Value> {
    Value::Text(text.to_owned()).into()
}

#[test]
fn absent_means_the_default_and_empty_means_no_value() {
    let script = script(vec![Param {
        default: one("orders"),
        ..param("x", Kind::Text)
    }]);
    assert_eq!(value(&script, None), one("orders"));
    assert_eq!(value(&script, Some(text(""))), None);
    assert_eq!(
        value(&script, Given::from_json(&serde_json::Value::Null)),
        None
    );
    assert_eq!(value(&script, Some(text("users"))), one("users"));
}

#[test]
fn a_flag_is_off_or_on_however_a_form_says_it() {
    for default in [None, Some(Value::Flag(true)), Some(Value::Flag(false))] {
        let script = script(vec![Param {
            default: default.clone(),
            ..param("x", Kind::Flag)
        }]);
        let absent = Some(default.unwrap_or(Value::Flag(false)));
        assert_eq!(value(&script, None), absent);
        for (given, on) in [
            (text(""), false),
            (text("false"), false),
            (text("on"), true),
            (text("true"), true),
            (list(&["", "true"]), true),
            (list(&["", ""]), false),
            (list(&["true", "false"]), false),
            (list(&[]), false),
            (Given::Flag(true), true),
            (Given::Flag(false), false),
        ] {
            assert_eq!(
                value(&script, Some(given.clone())),
                Some(Value::Flag(on)),
                "{given:?}"
            );
        }
    }
    let script = script(vec![param("x", Kind::Flag)]);
    assert_eq!(
        refusals(&script, [("x", list(&["", "maybe"]))]),
        ["x: must be `true` or `false`"]
    );
}

#[test]
fn what_is_required_needs_a_value() {
    let required = |kind| {
        script(vec![Param {
            required: true,
            ..param("x", kind)
        }])
    };
    for kind in [Kind::Text, Kind::Integer, Kind::Date, Kind::Count] {
        assert_eq!(
            refusals(&required(kind), []),
            ["x: needs a value"],
            "{kind:?}"
        );
        assert_eq!(
            refusals(&required(kind), [("x", text(""))]),
            ["x: needs a value"],
            "{kind:?}"
        );
    }
    assert_eq!(
        refusals(&required(Kind::Integer), [("x", text("  "))]),
        ["x: needs a value"]
    );
    assert!(
        refusals(&required(Kind::Text), [("x", text(" "))]).is_empty(),
        "a space is a text"
    );
    assert!(
        refusals(&required(Kind::Flag), []).is_empty(),
        "off is a value"
    );
}

#[test]
fn a_single_parameter_takes_no_list() {
    for kind in [Kind::Text, Kind::Integer, Kind::Count, Kind::Json] {
        let script = script(vec![param("x", kind)]);
        assert_eq!(
            refusals(&script, [("x", list(&["1"]))]),
            ["x: takes one value, not a list"],
            "{kind:?}"
        );
    }
}

#[test]
fn a_list_counts_the_fields_that_were_filled_in() {
    let bounds = Bounds {
        min_items: Some(2),
        max_items: Some(3),
        ..Bounds::default()
    };
    let script = script(vec![Param {
        multiple: Some(Multiple::Repeat),
        bounds,
        ..param("x", Kind::Integer)
    }]);
    let items = |texts: &[&str]| Some(Value::List(texts.iter().map(|t| (*t).to_owned()).collect()));
    assert_eq!(
        value(&script, Some(list(&["", "1", " ", "02"]))),
        items(&["1", "2"])
    );
    assert_eq!(
        value(&script, Some(list(&["", ""]))),
        None,
        "left out altogether"
    );
    assert_eq!(value(&script, None), None);
    assert_eq!(
        refusals(&script, [("x", text("1"))]),
        ["x: needs at least 2 values"]
    );
    assert_eq!(
        refusals(&script, [("x", Given::Number("1".to_owned()))]),
        ["x: needs at least 2 values"]
    );
    assert_eq!(
        refusals(&script, [("x", list(&["1", "2", "3", "4"]))]),
        ["x: takes at most 3 values"]
    );
    assert_eq!(
        refusals(&script, [("x", list(&["1", "", "x"]))]),
        ["x: value 3: write a whole number, such as 7"]
    );
}

#[test]
fn a_default_list_is_left_when_every_box_is_unticked() {
    let script = script(vec![Param {
        choices: vec![choice("cpu"), choice("mem")],
        default: Some(Value::List(vec!["cpu".to_owned()])),
        multiple: Some(Multiple::Repeat),
        ..param("x", Kind::Choice)
    }]);
    assert_eq!(
        value(&script, None),
        Some(Value::List(vec!["cpu".to_owned()]))
    );
    assert_eq!(value(&script, Some(text(""))), None);
    assert_eq!(
        value(&script, Some(list(&["", "mem"]))),
        Some(Value::List(vec!["mem".to_owned()]))
    );
}

#[test]
fn a_fixed_value_is_never_taken_from_a_client() {
    let script = script(vec![Param {
        fixed: one("origin"),
        ..positional("x", Kind::Text)
    }]);
    assert_eq!(value(&script, None), one("origin"));
    for given in [text("evil"), text("origin"), text(""), list(&[])] {
        assert_eq!(
            refusals(&script, [("x", given)]),
            ["x: is fixed by the script; leave it out"]
        );
    }
}

#[test]
fn an_empty_argument_is_passed_where_the_author_wants_it() {
    let with = Param {
        pass_empty: true,
        ..positional("x", Kind::Text)
    };
    assert_eq!(value(&script(vec![with.clone()]), None), one(""));
    assert_eq!(value(&script(vec![with.clone()]), Some(text(""))), one(""));
    assert_eq!(
        value(&script(vec![positional("x", Kind::Text)]), Some(text(""))),
        None
    );
    let required = script(vec![Param {
        required: true,
        ..with
    }]);
    assert_eq!(refusals(&required, [("x", text(""))]), ["x: needs a value"]);
}

#[test]
fn all_errors_come_at_once_in_the_order_of_declaration() {
    let script = script(vec![
        param("b", Kind::Integer),
        Param {
            required: true,
            ..param("a", Kind::Text)
        },
        param("c", Kind::Date),
    ]);
    let errors = check(
        &script,
        given([("c", text("x")), ("b", text("x")), ("d", text("x"))]),
    )
    .expect_err("all wrong");
    let names: Vec<&str> = errors
        .iter()
        .map(|error| error.given_name.as_str())
        .collect();
    assert_eq!(names, ["b", "a", "c", "d"]);
    assert_eq!(errors[3].param, None);
}

#[test]
fn json_objects_and_nested_arrays_are_nothing_that_a_parameter_takes() {
    let json = |text: &str| {
        serde_json::from_str(text)
            .ok()
            .and_then(|json| Given::from_json(&json))
    };
    assert_eq!(json("\"a\""), Some(text("a")));
    assert_eq!(json("[\"a\", 1, true]"), Some(list(&["a", "1", "true"])));
    assert_eq!(json("7"), Some(Given::Number("7".to_owned())));
    for none in ["{}", "[[\"a\"]]", "[null]", "[{}]"] {
        assert_eq!(json(none), None, "{none}");
    }
}
