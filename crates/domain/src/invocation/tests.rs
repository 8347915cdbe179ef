//! What each way of passing makes of a value.

use super::{Invocation, PrivateFile, Word, invocation, is_private_file};
use crate::arguments::Given;
use crate::arguments::check;
use crate::arguments::tests::samples::{
    choice, given, invoke, list, param, path_rule, positional, script, text, word, words,
};
use crate::param::{Kind, Multiple, Param, Pass, Value};

fn with_option(option: &str, kind: Kind) -> Param {
    Param {
        option: Some(option.to_owned()),
        ..param("x", kind)
    }
}

#[test]
fn an_option_stands_before_its_value_or_in_one_word_with_it() {
    let joined = Param {
        joined: true,
        ..with_option("-j", Kind::Integer)
    };
    for (param, expected) in [
        (positional("x", Kind::Integer), vec!["4"]),
        (with_option("--x", Kind::Integer), vec!["--x", "4"]),
        (with_option("--x=", Kind::Integer), vec!["--x=4"]),
        (joined, vec!["-j4"]),
    ] {
        assert_eq!(
            words(&invoke(&script(vec![param]), [("x", text("4"))]).args),
            expected
        );
    }
}

#[test]
fn several_values_are_repeated_spread_or_joined() {
    let join = Multiple::Join {
        separator: ",".to_owned(),
    };
    for (option, multiple, expected) in [
        (Some("-t"), Multiple::Repeat, vec!["-t", "a", "-t", "b"]),
        (Some("-t"), Multiple::Spread, vec!["-t", "a", "b"]),
        (Some("-t"), join.clone(), vec!["-t", "a,b"]),
        (Some("--t="), Multiple::Repeat, vec!["--t=a", "--t=b"]),
        (Some("--t="), Multiple::Spread, vec!["--t=a", "--t=b"]),
        (Some("--t="), join.clone(), vec!["--t=a,b"]),
        (None, Multiple::Repeat, vec!["a", "b"]),
        (None, Multiple::Spread, vec!["a", "b"]),
        (None, join, vec!["a,b"]),
    ] {
        let param = Param {
            option: option.map(str::to_owned),
            multiple: Some(multiple.clone()),
            ..param("x", Kind::Text)
        };
        let args = invoke(&script(vec![param]), [("x", list(&["a", "b"]))]).args;
        assert_eq!(words(&args), expected, "{option:?} {multiple:?}");
    }
}

#[test]
fn a_flag_has_a_text_for_on_and_perhaps_one_for_off() {
    let header = Param {
        off: Some("--no-header".to_owned()),
        ..param("header", Kind::Flag)
    };
    let args = |param: &Param, on| {
        words(
            &invoke(
                &script(vec![param.clone()]),
                [(param.name.as_str(), Given::Flag(on))],
            )
            .args,
        )
    };
    assert_eq!(args(&header, true), ["--header"]);
    assert_eq!(args(&header, false), ["--no-header"]);
    assert_eq!(args(&param("fast", Kind::Flag), false), [""; 0]);
}

#[test]
fn a_count_is_said_that_often() {
    let script = script(vec![with_option("-v", Kind::Count)]);
    assert_eq!(
        words(&invoke(&script, [("x", text("3"))]).args),
        ["-v", "-v", "-v"]
    );
    assert_eq!(words(&invoke(&script, [("x", text("0"))]).args), [""; 0]);
}

#[test]
fn arguments_stand_in_the_order_of_declaration() {
    let params = vec![
        positional("z", Kind::Text),
        with_option("--x", Kind::Text),
        positional("a", Kind::Text),
    ];
    let args = [("a", text("3")), ("x", text("2")), ("z", text("1"))];
    assert_eq!(
        words(&invoke(&script(params), args).args),
        ["1", "--x", "2", "3"]
    );
}

fn env_of(param: Param, given: Given) -> Vec<(String, String)> {
    let name = param.name.to_string();
    let made = invoke(&script(vec![param]), [(name.as_str(), given)]);
    made.env
        .iter()
        .map(|(name, value)| (name.clone(), word(value)))
        .collect()
}

#[test]
fn the_environment_has_plain_values() {
    let by_env = |kind| Param {
        pass: Pass::Env,
        option: None,
        on: None,
        ..param("keep-days", kind)
    };
    let pair = |value: &str| vec![("PARAM_KEEP_DAYS".to_owned(), value.to_owned())];
    assert_eq!(env_of(by_env(Kind::Integer), text("7")), pair("7"));
    assert_eq!(env_of(by_env(Kind::Flag), Given::Flag(true)), pair("true"));
    assert_eq!(
        env_of(by_env(Kind::Flag), Given::Flag(false)),
        pair("false")
    );
    assert_eq!(env_of(by_env(Kind::Count), text("2")), pair("2"));
    let texts = Param {
        on: Some("1".to_owned()),
        off: Some("0".to_owned()),
        ..by_env(Kind::Flag)
    };
    assert_eq!(env_of(texts, Given::Flag(false)), pair("0"));
    let lines = Param {
        multiple: Some(Multiple::Repeat),
        ..by_env(Kind::Text)
    };
    assert_eq!(env_of(lines, list(&["a", "b"])), pair("a\nb"));
    let joined = Param {
        multiple: Some(Multiple::Join {
            separator: ":".to_owned(),
        }),
        ..by_env(Kind::Text)
    };
    assert_eq!(env_of(joined, list(&["a", "b"])), pair("a:b"));
    let named = Param {
        env: Some("KEEP".to_owned()),
        ..by_env(Kind::Integer)
    };
    assert_eq!(
        env_of(named, text("7")),
        [("KEEP".to_owned(), "7".to_owned())]
    );
}

#[test]
fn an_argument_may_stand_in_the_environment_too() {
    let both = Param {
        env: Some("FAST".to_owned()),
        ..param("fast", Kind::Flag)
    };
    let made = invoke(&script(vec![both]), [("fast", Given::Flag(true))]);
    assert_eq!(words(&made.args), ["--fast"]);
    assert_eq!(
        made.env,
        [("FAST".to_owned(), Word::Text("true".to_owned()))]
    );
}

#[test]
fn standard_input_has_one_line_for_each_value() {
    let stdin = |name, kind| Param {
        pass: Pass::Stdin,
        option: None,
        on: None,
        ..param(name, kind)
    };
    let several = Param {
        multiple: Some(Multiple::Join {
            separator: ",".to_owned(),
        }),
        ..stdin("b", Kind::Text)
    };
    let params = vec![stdin("a", Kind::Flag), several, stdin("c", Kind::Multiline)];
    let args = [("b", list(&["1", "2"])), ("c", text("x\r\ny"))];
    let made = invoke(&script(params), args);
    assert_eq!(String::from_utf8_lossy(&made.stdin), "false\n1\n2\nx\ny\n");
    assert!(made.args.is_empty() && made.env.is_empty());
}

fn file(name: &str, content: &str, secret: bool) -> PrivateFile {
    PrivateFile {
        name: name.to_owned(),
        content: content.into(),
        secret,
    }
}

#[test]
fn a_private_file_is_named_by_option_or_environment_or_place() {
    let by_file = |option: Option<&str>, env: Option<&str>| Param {
        pass: Pass::File,
        option: option.map(str::to_owned),
        env: env.map(str::to_owned),
        ..param("x", Kind::Multiline)
    };
    for (option, env, args, variables) in [
        (None, None, vec!["<x>"], vec![]),
        (Some("--in"), None, vec!["--in", "<x>"], vec![]),
        (Some("--in="), None, vec!["--in=<x>"], vec![]),
        (None, Some("IN"), vec![], vec!["IN=<x>"]),
        (
            Some("--in"),
            Some("IN"),
            vec!["--in", "<x>"],
            vec!["IN=<x>"],
        ),
    ] {
        let made = invoke(&script(vec![by_file(option, env)]), [("x", text("a\nb"))]);
        assert_eq!(words(&made.args), args);
        let found: Vec<String> = made
            .env
            .iter()
            .map(|(name, value)| format!("{name}={}", word(value)))
            .collect();
        assert_eq!(found, variables);
        assert_eq!(made.files, [file("x", "a\nb", false)]);
    }
}

#[test]
fn a_secret_stands_in_the_credentials_folder_alone() {
    for pass in [Pass::File, Pass::Arg] {
        let secret = Param {
            secret: true,
            pass,
            env: Some("X".to_owned()),
            ..param("x", Kind::Text)
        };
        let made = invoke(&script(vec![secret]), [("x", text("-hunter2"))]);
        let expected = Invocation {
            files: vec![file("x", "-hunter2", true)],
            ..Invocation::default()
        };
        assert_eq!(made, expected, "{pass:?}");
        assert!(!format!("{made:?}").contains("hunter2"));
    }
}

#[test]
fn it_is_known_which_parameters_become_files() {
    let of = |secret, pass| {
        is_private_file(&Param {
            secret,
            pass,
            ..param("x", Kind::Text)
        })
    };
    assert!(of(true, Pass::File) && of(true, Pass::Arg) && of(false, Pass::File));
    assert!(!of(false, Pass::Arg) && !of(true, Pass::Env) && !of(true, Pass::None));
}

#[test]
fn a_secret_goes_where_its_author_sends_it_except_to_argv() {
    let secret = |pass| Param {
        secret: true,
        pass,
        option: None,
        ..param("x", Kind::Text)
    };
    let made = invoke(&script(vec![secret(Pass::Env)]), [("x", text("hunter2"))]);
    assert_eq!(
        made.env,
        [("PARAM_X".to_owned(), Word::Text("hunter2".to_owned()))]
    );
    assert!(!format!("{made:?}").contains("hunter2"));
    let made = invoke(&script(vec![secret(Pass::Stdin)]), [("x", text("hunter2"))]);
    assert_eq!(made.stdin, b"hunter2\n");
    assert!(!format!("{made:?}").contains("hunter2"));
}

#[test]
fn what_only_steers_is_not_passed() {
    let steering = Param {
        pass: Pass::None,
        env: Some("X".to_owned()),
        ..param("x", Kind::Text)
    };
    assert_eq!(
        invoke(&script(vec![steering]), [("x", text("a"))]),
        Invocation::default()
    );
}

#[test]
fn a_path_is_passed_below_its_root() {
    for root in ["/srv/data", "/srv/data/", "/"] {
        let param = Param {
            path: Some(path_rule(root)),
            ..positional("x", Kind::Path)
        };
        let made = invoke(&script(vec![param]), [("x", text("a/b.csv"))]);
        assert_eq!(
            words(&made.args),
            [format!("{}/a/b.csv", root.trim_end_matches('/'))]
        );
    }
}

#[test]
fn a_date_is_passed_in_the_format_of_the_script() {
    let dated = |format: &str| Param {
        format: Some(format.to_owned()),
        ..positional("x", Kind::Date)
    };
    let day = [("x", text("2026-11-21"))];
    assert_eq!(
        words(&invoke(&script(vec![dated("%d.%m.%Y")]), day.clone()).args),
        ["21.11.2026"]
    );
    assert_eq!(
        words(&invoke(&script(vec![dated("%H")]), day.clone()).args),
        ["2026-11-21"]
    );
    assert_eq!(
        words(&invoke(&script(vec![positional("x", Kind::Date)]), day).args),
        ["2026-11-21"]
    );
}

#[test]
fn values_that_the_script_does_not_know_are_left_out() {
    let before = script(vec![
        positional("a", Kind::Text),
        positional("b", Kind::Text),
    ]);
    let checked = check(&before, given([("a", text("1")), ("b", text("2"))])).expect("accepted");
    let after = script(vec![positional("b", Kind::Text)]);
    assert_eq!(words(&invocation(&after, &checked).args), ["2"]);
}

#[test]
fn an_invocation_survives_the_way_to_the_runner() {
    let params = vec![
        Param {
            secret: true,
            pass: Pass::File,
            ..param("s", Kind::Text)
        },
        Param {
            pass: Pass::File,
            ..param("f", Kind::Text)
        },
        Param {
            pass: Pass::Env,
            ..param("e", Kind::Text)
        },
        Param {
            default: Some(Value::Text("--a".to_owned())),
            choices: vec![choice("--a")],
            ..positional("c", Kind::Choice)
        },
    ];
    let made = invoke(
        &script(params),
        [("s", text("1")), ("f", text("2")), ("e", text("3"))],
    );
    let json = serde_json::to_string(&made).expect("serialises");
    assert_eq!(
        serde_json::from_str::<Invocation>(&json).expect("comes back"),
        made
    );
}
