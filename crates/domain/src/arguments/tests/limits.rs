//! Bounds, patterns, and the rule of a path.

use std::sync::Arc;

use super::samples::{param, path_rule, refusals, script, text};
use crate::arguments::whole_value_pattern;
use crate::param::{Bounds, Kind, Param, PathRule};

/// Kind, least, greatest and step, values within, values outside with the message.
type Row = (
    Kind,
    [&'static str; 3],
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

fn bounded(kind: Kind, bounds: Bounds) -> Param {
    Param {
        bounds,
        ..param("x", kind)
    }
}

fn range(kind: Kind, min: &str, max: &str, step: &str) -> Param {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    bounded(
        kind,
        Bounds {
            min: some(min),
            max: some(max),
            step: some(step),
            ..Bounds::default()
        },
    )
}

#[test]
fn least_greatest_and_step_mean_what_the_kind_means() {
    let rows: &[Row] = &[
        (
            Kind::Integer,
            ["1", "90", ""],
            &["1", "90"],
            &[("0", "must be at least 1"), ("91", "must be at most 90")],
        ),
        (
            Kind::Integer,
            ["-5", "5", "5"],
            &["-5", "0", "5"],
            &[("1", "must be -5 plus a multiple of 5")],
        ),
        (
            Kind::Number,
            ["", "1", "0.1"],
            &["0.3", "0.7", "-0.1", "1.0"],
            &[
                ("0.25", "must be a multiple of 0.1"),
                ("1.1", "must be at most 1"),
            ],
        ),
        (
            Kind::Count,
            ["1", "3", ""],
            &["1", "3"],
            &[("0", "must be at least 1"), ("4", "must be at most 3")],
        ),
        (
            Kind::Date,
            ["2026-01-05", "2026-12-31", "7"],
            &["2026-01-05", "2026-01-12"],
            &[
                ("2026-01-04", "must be 2026-01-05 or later"),
                ("2027-01-01", "must be 2026-12-31 or earlier"),
                ("2026-01-06", "must be 2026-01-05 plus a multiple of 7"),
            ],
        ),
        (
            Kind::Date,
            ["", "", "1d"],
            &["1969-12-31", "0001-01-01"],
            &[],
        ),
        (
            Kind::Time,
            ["08:00", "18:00", "15m"],
            &["08:00", "08:15", "18:00:00"],
            &[
                ("07:59:59", "must be 08:00 or later"),
                ("18:00:01", "must be 18:00 or earlier"),
                ("08:10", "must be 08:00 plus a multiple of 15m"),
            ],
        ),
        (
            Kind::DateTime,
            ["2026-01-01T00:00", "", "3600"],
            &["2026-01-01T05:00"],
            &[
                ("2025-12-31T23:59", "must be 2026-01-01T00:00 or later"),
                (
                    "2026-01-01T05:30",
                    "must be 2026-01-01T00:00 plus a multiple of 3600",
                ),
            ],
        ),
        (
            Kind::Duration,
            ["30s", "1h", "30s"],
            &["30s", "60m", "1m30s"],
            &[
                ("29s", "must be at least 30s"),
                ("61m", "must be at most 1h"),
                ("45s", "must be 30s plus a multiple of 30s"),
            ],
        ),
    ];
    for (kind, [min, max, step], good, bad) in rows {
        let script = script(vec![range(*kind, min, max, step)]);
        for value in *good {
            assert_eq!(
                refusals(&script, [("x", text(value))]),
                [""; 0],
                "{kind:?} {value}"
            );
        }
        for (value, message) in *bad {
            assert_eq!(
                refusals(&script, [("x", text(value))]),
                [format!("x: {message}")],
                "{kind:?} {value}"
            );
        }
    }
}

#[test]
fn a_bound_that_cannot_be_read_lets_nothing_through() {
    for (bounds, key) in [
        (["x", "", ""], "min"),
        (["", "x", ""], "max"),
        (["", "", "0"], "step"),
    ] {
        let script = script(vec![range(Kind::Integer, bounds[0], bounds[1], bounds[2])]);
        let message = format!("x: the script's `{key}` cannot be read; tell its author");
        assert_eq!(refusals(&script, [("x", text("7"))]), [message]);
    }
}

#[test]
fn length_is_counted_in_characters() {
    let bounds = Bounds {
        min_length: Some(2),
        max_length: Some(3),
        ..Bounds::default()
    };
    let script = script(vec![bounded(Kind::Text, bounds)]);
    assert!(refusals(&script, [("x", text("äöü"))]).is_empty());
    assert!(refusals(&script, [("x", text(""))]).is_empty(), "left out");
    assert_eq!(
        refusals(&script, [("x", text("ä"))]),
        ["x: is too short; the least is 2 characters"]
    );
    assert_eq!(
        refusals(&script, [("x", text("abcd"))]),
        ["x: is too long; the most is 3 characters"]
    );
}

#[test]
fn a_pattern_is_explained_by_help_or_example() {
    let mut param = bounded(
        Kind::Text,
        Bounds {
            pattern: whole_value_pattern(r"[A-Z]+-\d+").ok().map(Arc::new),
            ..Bounds::default()
        },
    );
    let message = |param: &Param| refusals(&script(vec![param.clone()]), [("x", text("xOPS-1x"))]);
    assert_eq!(
        message(&param),
        ["x: does not have the form that the script asks for"]
    );
    param.example = Some("OPS-7".to_owned());
    assert_eq!(
        message(&param),
        ["x: does not have the form that the script asks for, such as OPS-7"]
    );
    param.bounds.pattern_help = Some("Such as OPS-123.".to_owned());
    assert_eq!(message(&param), ["x: Such as OPS-123."]);
    assert!(refusals(&script(vec![param]), [("x", text("OPS-1"))]).is_empty());
}

#[test]
fn a_pattern_that_came_without_anchors_still_means_the_whole_value() {
    let pattern = regex::Regex::new("[a-z]+").ok().map(Arc::new);
    let script = script(vec![bounded(
        Kind::Text,
        Bounds {
            pattern,
            ..Bounds::default()
        },
    )]);
    assert!(refusals(&script, [("x", text("abc"))]).is_empty());
    assert_eq!(refusals(&script, [("x", text("abc;id"))]).len(), 1);
}

#[test]
fn a_path_obeys_its_rule() {
    let rule = PathRule {
        recursive: false,
        matching: Some("*.log".to_owned()),
        exclude: vec!["secret*".to_owned()],
        ..path_rule("/var/log")
    };
    let deep = PathRule {
        recursive: true,
        ..rule.clone()
    };
    let flat = script(vec![Param {
        path: Some(rule),
        ..param("x", Kind::Path)
    }]);
    let deep = script(vec![Param {
        path: Some(deep),
        ..param("x", Kind::Path)
    }]);
    assert!(refusals(&flat, [("x", text("a.log"))]).is_empty());
    assert!(refusals(&deep, [("x", text("a/b.log"))]).is_empty());
    for (script, value, message) in [
        (
            &flat,
            "a/b.log",
            "write a name without `/`: folders below are not offered",
        ),
        (&flat, "a.txt", "choose a name that matches `*.log`"),
        (
            &flat,
            "secret.log",
            "this name is left out by the script; choose another one",
        ),
        (
            &deep,
            "secrets/a.log",
            "this name is left out by the script; choose another one",
        ),
    ] {
        assert_eq!(
            refusals(script, [("x", text(value))]),
            [format!("x: {message}")],
            "{value}"
        );
    }
    let long = "a/".repeat(2100) + "a.log";
    assert_eq!(refusals(&deep, [("x", text(&long))]).len(), 1);
    let without_rule = script(vec![Param {
        path: None,
        ..param("x", Kind::Path)
    }]);
    assert_eq!(
        refusals(&without_rule, [("x", text("a"))]),
        ["x: the script's `root` cannot be read; tell its author"]
    );
}
