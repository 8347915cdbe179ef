//! Choices and suggestions.

use super::samples::{choice, param, positional, refusals, script, text};
use crate::arguments::{check, check_text};
use crate::param::{Choice, Kind, Param, Value};

fn choosing(choices: Vec<Choice>) -> Param {
    Param {
        choices,
        ..positional("x", Kind::Choice)
    }
}

#[test]
fn a_choice_is_one_of_the_authors_values() {
    let disabled = Choice {
        disabled: true,
        ..choice("c")
    };
    let script = script(vec![choosing(vec![choice("a"), choice("--b"), disabled])]);
    assert!(refusals(&script, [("x", text("a"))]).is_empty());
    assert!(
        refusals(&script, [("x", text("--b"))]).is_empty(),
        "the author's own dash"
    );
    for wrong in ["A", "a ", "--b=1", "-", "d"] {
        assert_eq!(
            refusals(&script, [("x", text(wrong))]),
            ["x: choose one of: a, --b"],
            "{wrong:?}"
        );
    }
    assert_eq!(
        refusals(&script, [("x", text("c"))]),
        ["x: `C` cannot be chosen at present"]
    );
    assert_eq!(
        check_text(&script.params[0], "c").as_deref(),
        Ok("c"),
        "the author may name it"
    );
}

#[test]
fn many_or_no_choices_are_not_named_one_by_one() {
    let many = choosing((0..9).map(|n| choice(&format!("v{n}"))).collect());
    assert_eq!(
        refusals(&script(vec![many]), [("x", text("w"))]),
        ["x: choose one of the values that are offered"]
    );
    assert_eq!(
        refusals(&script(vec![choosing(vec![])]), [("x", text("w"))]),
        ["x: the script offers no choices; tell its author"]
    );
}

#[test]
fn a_number_chooses_the_authors_spelling_of_it() {
    let script = script(vec![Param {
        choices: vec![choice("07"), choice("8")],
        ..param("x", Kind::Integer)
    }]);
    for spelling in ["7", "07", "+7"] {
        let checked = check(&script, [("x".to_owned(), text(spelling))].into()).expect(spelling);
        assert_eq!(checked.get("x"), Some(&Value::Text("07".to_owned())));
    }
    assert_eq!(
        refusals(&script, [("x", text("9"))]),
        ["x: choose one of: 07, 8"]
    );
}

#[test]
fn suggestions_are_open() {
    let script = script(vec![Param {
        suggestions: vec![choice("db1")],
        ..param("x", Kind::Hostname)
    }]);
    assert!(refusals(&script, [("x", text("db9"))]).is_empty());
}
