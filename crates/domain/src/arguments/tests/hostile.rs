//! Values that an attacker would try: each arrives as it is, in one word, or is refused.

use super::samples::{given, invoke, param, positional, refusals, script, text, words};
use crate::arguments::{check, whole_value_pattern};
use crate::param::{Bounds, Kind, Multiple, Param, Pass, Value};

const HOSTILE: &[&str] = &[
    ";id",
    "$(id)",
    "`id`",
    "| id",
    "& id &",
    "&& id",
    "> /etc/passwd",
    "< /etc/passwd",
    "${IFS}id",
    "*",
    "?",
    "[a-z]*",
    "~root",
    "{a,b}",
    "!!",
    "\\",
    "\"",
    "'",
    "' ; id ; '",
    "\" ; id ; \"",
    "#",
    "%s%n",
    "%00",
    "@file",
    "@/etc/passwd",
    "=x",
    "a=b",
    "../../etc/passwd",
    "/etc/passwd",
    " ",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "${jndi:x}",
    "\u{202e}",
    "\u{feff}",
    "ｉｄ",
    "𝄞",
];

#[test]
fn what_a_shell_would_read_arrives_as_it_is() {
    for value in HOSTILE {
        let alone = script(vec![positional("x", Kind::Text)]);
        assert_eq!(words(&invoke(&alone, [("x", text(value))]).args), [*value]);
        let behind = script(vec![Param {
            option: Some("--x".to_owned()),
            ..param("x", Kind::Text)
        }]);
        assert_eq!(
            words(&invoke(&behind, [("x", text(value))]).args),
            ["--x", value]
        );
        let attached = script(vec![param("x", Kind::Text)]);
        assert_eq!(
            words(&invoke(&attached, [("x", text(value))]).args),
            [format!("--x={value}")]
        );
        let stdin = script(vec![Param {
            pass: Pass::Stdin,
            ..param("x", Kind::Text)
        }]);
        assert_eq!(
            invoke(&stdin, [("x", text(value))]).stdin,
            format!("{value}\n").into_bytes()
        );
        let file = script(vec![Param {
            pass: Pass::File,
            ..param("x", Kind::Text)
        }]);
        assert_eq!(
            invoke(&file, [("x", text(value))]).files[0].content,
            value.as_bytes()
        );
    }
}

#[test]
fn a_leading_dash_is_refused_where_it_could_be_read_as_an_option() {
    let message = "x: may not begin with `-`; the script's author can allow it with `allow_leading_dash = true`";
    let behind = || Param {
        option: Some("--x".to_owned()),
        ..param("x", Kind::Text)
    };
    let spread = || Param {
        multiple: Some(Multiple::Spread),
        ..behind()
    };
    let join = || Param {
        multiple: Some(Multiple::Join {
            separator: ",".to_owned(),
        }),
        ..behind()
    };
    for refused in [positional("x", Kind::Text), behind(), spread(), join()] {
        for value in ["-", "--", "-rf", "--help", "-1"] {
            assert_eq!(
                refusals(&script(vec![refused.clone()]), [("x", text(value))]),
                [message],
                "{value}"
            );
            let allowed = script(vec![Param {
                allow_leading_dash: true,
                ..refused.clone()
            }]);
            assert_eq!(
                words(&invoke(&allowed, [("x", text(value))]).args)
                    .last()
                    .map(String::as_str),
                Some(value)
            );
        }
    }
    for kind in [Kind::Integer, Kind::Number, Kind::Json] {
        assert_eq!(
            refusals(&script(vec![positional("x", kind)]), [("x", text("-5"))]),
            [message]
        );
    }
}

#[test]
fn a_leading_dash_is_harmless_where_no_option_is_read() {
    let joined = Param {
        option: Some("-j".to_owned()),
        joined: true,
        ..param("x", Kind::Integer)
    };
    assert_eq!(
        words(&invoke(&script(vec![joined]), [("x", text("-4"))]).args),
        ["-j-4"]
    );
    assert_eq!(
        words(&invoke(&script(vec![param("x", Kind::Text)]), [("x", text("-4"))]).args),
        ["--x=-4"]
    );
    let path = positional("x", Kind::Path);
    assert_eq!(
        words(&invoke(&script(vec![path]), [("x", text("-rf"))]).args),
        ["/srv/-rf"]
    );
    for pass in [Pass::Env, Pass::Stdin, Pass::File, Pass::None] {
        let param = Param {
            pass,
            option: None,
            ..param("x", Kind::Text)
        };
        assert!(
            refusals(&script(vec![param]), [("x", text("-rf"))]).is_empty(),
            "{pass:?}"
        );
    }
}

#[test]
fn the_authors_own_texts_may_begin_with_a_dash() {
    let script = script(vec![Param {
        default: Some(Value::Text("-1".to_owned())),
        suggestions: vec![super::samples::choice("-2")],
        ..positional("x", Kind::Integer)
    }]);
    assert_eq!(words(&invoke(&script, []).args), ["-1"]);
    for own in ["-1", "-2"] {
        assert!(refusals(&script, [("x", text(own))]).is_empty(), "{own}");
    }
    assert_eq!(refusals(&script, [("x", text("-3"))]).len(), 1);
}

#[test]
fn a_word_that_the_kernel_would_refuse_is_refused_with_the_mend() {
    let message = "x: is too long for an argument (131,072 bytes or more); the script's author can pass it with `pass = \"file\"`";
    let most = 131_071;
    let rows = [
        (positional("x", Kind::Text), 0),
        (param("x", Kind::Text), "--x=".len()),
        (
            Param {
                pass: Pass::Env,
                env: Some("NAME".to_owned()),
                ..param("x", Kind::Text)
            },
            "NAME=".len(),
        ),
    ];
    for (param, before) in rows {
        let script = script(vec![param]);
        let fits = "x".repeat(most - before);
        assert!(refusals(&script, [("x", text(&fits))]).is_empty());
        assert_eq!(
            refusals(&script, [("x", text(&format!("{fits}x")))]),
            [message]
        );
    }
    for pass in [Pass::File, Pass::Stdin] {
        let script = script(vec![Param {
            pass,
            option: None,
            ..param("x", Kind::Text)
        }]);
        assert!(
            refusals(&script, [("x", text(&"x".repeat(200_000)))]).is_empty(),
            "{pass:?}"
        );
    }
}

#[test]
fn arguments_that_are_too_long_together_are_refused_at_the_heaviest() {
    let script = script(
        (0..16)
            .map(|n| positional(&format!("p{n}"), Kind::Text))
            .collect(),
    );
    let args = |length: usize| {
        (0..16)
            .map(|n| (format!("p{n}"), text(&"x".repeat(length + n))))
            .collect()
    };
    assert!(check(&script, args(90_000)).is_ok());
    let errors = check(&script, args(100_000)).expect_err("too long together");
    assert_eq!(errors.len(), 1);
    assert_eq!(
        errors[0].to_string(),
        "p15: all arguments together are too long; the script's author can pass this one with `pass = \"file\"`"
    );
}

#[test]
fn a_nul_is_refused_wherever_it_would_go() {
    for pass in [Pass::Arg, Pass::Env, Pass::Stdin, Pass::File, Pass::None] {
        let script = script(vec![Param {
            pass,
            ..param("x", Kind::Multiline)
        }]);
        assert_eq!(
            refusals(&script, [("x", text("a\0"))]),
            ["x: may not contain a NUL character"],
            "{pass:?}"
        );
    }
}

#[test]
fn one_line_of_standard_input_cannot_become_two() {
    let stdin = |name, kind| Param {
        pass: Pass::Stdin,
        option: None,
        ..param(name, kind)
    };
    let script = script(vec![
        stdin("note", Kind::Multiline),
        stdin("answer", Kind::Text),
    ]);
    let message = "note: must be one line here, because other values stand on the lines after it";
    assert_eq!(
        refusals(&script, [("note", text("a\nyes")), ("answer", text("no"))]),
        [message]
    );
    assert!(refusals(&script, [("note", text("a")), ("answer", text("no"))]).is_empty());
    // The last one may have as many lines as it likes.
    assert!(refusals(&script, [("note", text("a\nyes"))]).is_empty());
}

#[test]
fn a_separator_inside_a_value_cannot_make_two_of_one() {
    let script = script(vec![Param {
        multiple: Some(Multiple::Join {
            separator: ",".to_owned(),
        }),
        ..param("x", Kind::Text)
    }]);
    assert_eq!(
        refusals(&script, [("x", super::samples::list(&["a", "b,c"]))]),
        ["x: value 2: may not contain `,`, which stands between the values"]
    );
    assert_eq!(
        words(&invoke(&script, [("x", super::samples::list(&["a", "b"]))]).args),
        ["--x=a,b"]
    );
}

#[test]
fn an_undeclared_argument_is_an_error_with_the_nearest_name() {
    let script = script(vec![
        param("database", Kind::Text),
        param("keep", Kind::Integer),
    ]);
    assert_eq!(
        refusals(&script, [("databse", text("x"))]),
        ["databse: there is no parameter `databse`; did you mean `database`?"]
    );
    assert_eq!(
        refusals(&script, [("Keep", text("x"))]),
        ["Keep: there is no parameter `Keep`; did you mean `keep`?"]
    );
    assert_eq!(
        refusals(&script, [("zzz", text(""))]),
        ["zzz: there is no parameter `zzz`; leave it out"]
    );
}

#[test]
fn names_of_undeclared_arguments_are_shortened_and_few() {
    let script = script(vec![param("x", Kind::Text)]);
    let errors =
        check(&script, given([(&"\u{1b}".repeat(100_000), text("x"))])).expect_err("undeclared");
    assert_eq!(errors[0].given_name, "\u{fffd}".repeat(64));
    let many = (0..100_000).map(|n| (format!("y{n}"), text(""))).collect();
    assert_eq!(check(&script, many).expect_err("undeclared").len(), 20);
}

#[test]
fn a_pattern_that_would_hang_other_engines_is_answered_at_once() {
    let pattern = whole_value_pattern("(a+)+$").ok().map(std::sync::Arc::new);
    let script = script(vec![Param {
        bounds: Bounds {
            pattern,
            ..Bounds::default()
        },
        ..param("x", Kind::Text)
    }]);
    assert_eq!(
        refusals(&script, [("x", text(&("a".repeat(100_000) + "!")))]).len(),
        1
    );
}

#[test]
fn json_that_is_nested_too_deep_is_refused() {
    let script = script(vec![param("x", Kind::Json)]);
    assert_eq!(
        refusals(&script, [("x", text(&"[".repeat(100_000)))]).len(),
        1
    );
}
