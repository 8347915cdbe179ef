//! Rules between parameters: conditions, and places in argv.

use super::samples::{
    choice, given, invoke, param, positional, refusals, script, text, when, words,
};
use crate::arguments::{Given, holds, shown};
use crate::param::{Choice, Kind, Multiple, Param, Pass, Value};
use crate::script::Script;

fn report() -> Script {
    let mode = Param {
        choices: vec![choice("day"), choice("range")],
        ..positional("mode", Kind::Choice)
    };
    let day = Param {
        when: when("mode", &["day"]),
        default: Some(Value::Text("2026-01-01".to_owned())),
        ..param("day", Kind::Date)
    };
    let since = Param {
        when: when("mode", &["range"]),
        required: true,
        ..param("since", Kind::Date)
    };
    // Declared before what it hangs on.
    let detail = Param {
        when: when("since", &["2026-01-01"]),
        ..param("detail", Kind::Flag)
    };
    script(vec![detail, mode, day, since])
}

#[test]
fn a_hidden_parameter_is_neither_asked_nor_passed() {
    let script = report();
    assert_eq!(
        words(&invoke(&script, [("mode", text("day"))]).args),
        ["day", "--day=2026-01-01"]
    );
    let range = [
        ("mode", text("range")),
        ("since", text("2026-01-01")),
        ("detail", Given::Flag(true)),
    ];
    assert_eq!(
        words(&invoke(&script, range).args),
        ["--detail", "range", "--since=2026-01-01"]
    );
    assert_eq!(
        refusals(&script, [("mode", text("range"))]),
        ["since: needs a value"]
    );
}

#[test]
fn a_value_for_a_hidden_parameter_is_refused() {
    let script = report();
    assert_eq!(
        refusals(
            &script,
            [("mode", text("day")), ("since", text("2026-01-01"))]
        ),
        ["since: leave this empty unless `mode` is `range`"]
    );
    // Hidden because what it hangs on is hidden.
    assert_eq!(
        refusals(&script, [("mode", text("day")), ("detail", text("on"))]),
        ["detail: leave this empty unless `since` is `2026-01-01`"]
    );
    // Also when the value itself is wrong.
    assert_eq!(
        refusals(&script, [("mode", text("day")), ("since", text("x"))]),
        ["since: leave this empty unless `mode` is `range`"]
    );
}

#[test]
fn a_hidden_field_may_send_what_it_showed_unchanged() {
    let script = report();
    let untouched = [
        ("mode", text("range")),
        ("since", text("2026-02-02")),
        ("day", text("2026-01-01")),
        ("detail", text("")),
    ];
    assert_eq!(
        words(&invoke(&script, untouched).args),
        ["range", "--since=2026-02-02"]
    );
    assert_eq!(
        refusals(
            &script,
            [
                ("mode", text("range")),
                ("since", text("2026-02-02")),
                ("day", text("2026-03-03"))
            ]
        ),
        ["day: leave this empty unless `mode` is `day`"]
    );
}

#[test]
fn one_wrong_value_makes_no_second_error() {
    assert_eq!(
        refusals(
            &report(),
            [("mode", text("week")), ("since", text("2026-01-01"))]
        ),
        ["mode: choose one of: day, range"]
    );
}

#[test]
fn conditions_in_a_circle_hide_and_do_not_hang() {
    let a = Param {
        when: when("b", &["", "x"]),
        ..param("a", Kind::Text)
    };
    let b = Param {
        when: when("a", &["", "x"]),
        ..param("b", Kind::Text)
    };
    let own = Param {
        when: when("own", &["", "x"]),
        ..param("own", Kind::Text)
    };
    assert!(invoke(&script(vec![a, b, own]), []).args.is_empty());
}

#[test]
fn thousands_may_hang_on_each_other() {
    let last = 20_000;
    let link = |at: usize| Param {
        when: when(&format!("p{}", at + 1), &[""]),
        ..param(&format!("p{at}"), Kind::Text)
    };
    let mut params: Vec<Param> = (0..last).map(link).collect();
    params.push(param(&format!("p{last}"), Kind::Text));
    let script = script(params);
    assert!(refusals(&script, [("p0", text("a"))]).is_empty());
    assert_eq!(
        refusals(&script, [("p0", text("a")), ("p20000", text("x"))]),
        ["p0: leave this empty unless `p1` is empty"]
    );
}

#[test]
fn a_condition_holds_by_kind() {
    let condition = |any_of: &[&str]| when("x", any_of).remove(0);
    for (value, any_of, expected) in [
        (Some(Value::Flag(true)), "true", true),
        (Some(Value::Flag(false)), "true", false),
        (Some(Value::Flag(false)), "false", true),
        (Some(Value::Count(2)), "2", true),
        (Some(Value::Text("a".to_owned())), "a", true),
        (Some(Value::Text("a".to_owned())), "A", false),
        (
            Some(Value::List(vec!["b".to_owned(), "a".to_owned()])),
            "a",
            true,
        ),
        (None, "", true),
        (None, "a", false),
    ] {
        assert_eq!(
            holds(&condition(&["never", any_of]), value.as_ref()),
            expected,
            "{value:?} {any_of}"
        );
    }
}

#[test]
fn all_conditions_must_hold() {
    let both = [when("a", &["true"]), when("b", &["true"])].concat();
    let script = script(vec![
        param("a", Kind::Flag),
        param("b", Kind::Flag),
        Param {
            when: both,
            ..param("x", Kind::Text)
        },
    ]);
    let args = |a, b| {
        [
            ("a", Given::Flag(a)),
            ("b", Given::Flag(b)),
            ("x", text("v")),
        ]
    };
    assert!(refusals(&script, args(true, true)).is_empty());
    for (a, b) in [(true, false), (false, true), (false, false)] {
        assert_eq!(refusals(&script, args(a, b)).len(), 1, "{a} {b}");
    }
}

#[test]
fn a_choice_may_be_offered_only_with_others() {
    let fast = Choice {
        when: when("local", &["true"]),
        ..choice("fast")
    };
    let speed = Param {
        choices: vec![choice("slow"), fast],
        default: Some(Value::Text("fast".to_owned())),
        ..param("speed", Kind::Choice)
    };
    let script = script(vec![speed, param("local", Kind::Flag)]);
    assert!(refusals(&script, [("speed", text("fast")), ("local", text("on"))]).is_empty());
    assert_eq!(
        refusals(&script, [("speed", text("fast"))]),
        ["speed: `FAST` cannot be chosen together with the other values"]
    );
    // A default that is not offered now is none.
    assert_eq!(words(&invoke(&script, []).args), [""; 0]);
    assert_eq!(
        words(&invoke(&script, [("local", text("on"))]).args),
        ["--speed=fast", "--local"]
    );
}

#[test]
fn shown_tells_a_form_what_to_ask() {
    let script = report();
    let names = |mode: &str| -> Vec<String> {
        shown(&script, &given([("mode", text(mode))]))
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(names("day"), ["day", "mode"]);
    // `since` is asked for and missing, so nothing is known about what hangs on it.
    assert_eq!(names("range"), ["detail", "mode", "since"]);
    assert_eq!(names("wrong"), ["day", "detail", "mode", "since"]);
}

#[test]
fn a_positional_left_out_before_one_that_is_given_is_an_error() {
    let script = script(vec![
        positional("source", Kind::Text),
        param("fast", Kind::Flag),
        positional("target", Kind::Text),
    ]);
    assert!(refusals(&script, []).is_empty());
    assert!(refusals(&script, [("source", text("a")), ("fast", text("on"))]).is_empty());
    assert_eq!(
        refusals(&script, [("target", text("b"))]),
        ["source: needs a value, because `target` after it has one"]
    );
}

#[test]
fn a_gap_is_made_by_places_only() {
    let exclusive = Param {
        choices: vec![choice("--csv"), choice("--json")],
        ..positional("format", Kind::Choice)
    };
    let hidden = Param {
        when: when("target", &["never"]),
        ..positional("hidden", Kind::Text)
    };
    let by_env = Param {
        pass: Pass::Env,
        ..positional("by-env", Kind::Text)
    };
    let secret = Param {
        secret: true,
        pass: Pass::File,
        ..positional("secret", Kind::Text)
    };
    let empty = Param {
        pass_empty: true,
        ..positional("empty", Kind::Text)
    };
    let script = script(vec![
        exclusive,
        hidden,
        by_env,
        secret,
        empty,
        positional("target", Kind::Text),
    ]);
    assert_eq!(
        words(&invoke(&script, [("target", text("b"))]).args),
        ["", "b"]
    );

    let file = Param {
        pass: Pass::File,
        ..positional("file", Kind::Text)
    };
    let several = Param {
        multiple: Some(Multiple::Repeat),
        ..positional("several", Kind::Text)
    };
    for first in [file, several] {
        let name = first.name.to_string();
        let script = super::samples::script(vec![first, positional("target", Kind::Text)]);
        assert_eq!(
            refusals(&script, [("target", text("b"))]),
            [format!(
                "{name}: needs a value, because `target` after it has one"
            )]
        );
    }
}
