//! What is kept of arguments: history, secrets, and back again.

use std::collections::BTreeMap;

use serde_json::json;

use super::samples::{choice, given, list, param, positional, script, text, when};
use crate::arguments::{CheckedArgs, check};
use crate::param::{Kind, Multiple, Param, Pass, Value};
use crate::script::Script;

fn backup() -> Script {
    let password = Param {
        secret: true,
        required: true,
        pass: Pass::File,
        ..positional("password", Kind::Text)
    };
    let default = Param {
        default: Some(Value::Text("--all".to_owned())),
        ..positional("scope", Kind::Text)
    };
    let fixed = Param {
        fixed: Some(Value::Text("origin".to_owned())),
        ..param("remote", Kind::Text)
    };
    let tags = Param {
        multiple: Some(Multiple::Repeat),
        ..param("tags", Kind::Text)
    };
    let many = vec![
        default,
        fixed,
        password,
        param("fast", Kind::Flag),
        param("v", Kind::Count),
        tags,
    ];
    script(many)
}

fn checked(script: &Script) -> CheckedArgs {
    let args = given([
        ("password", text("hunter2")),
        ("v", text("2")),
        ("tags", list(&["a", "b"])),
    ]);
    check(script, args).expect("accepted")
}

#[test]
fn history_masks_secrets_and_keeps_the_rest() {
    let args = checked(&backup());
    assert_eq!(
        serde_json::Value::Object(args.history()),
        json!({"scope": "--all", "remote": "origin", "password": "***", "fast": false, "v": 2, "tags": ["a", "b"]})
    );
    assert!(args.has_secrets());
    assert_eq!(
        args.secrets(),
        BTreeMap::from([("password".to_owned(), Value::Text("hunter2".to_owned()))])
    );
    assert!(!format!("{args:?}").contains("hunter2"));
    assert!(!format!("{:?}", text("hunter2")).contains("hunter2"));
}

#[test]
fn messages_never_repeat_what_was_given() {
    for (_, kind) in Kind::ALL {
        let param = Param {
            secret: true,
            choices: vec![choice("a")],
            ..param("x", kind)
        };
        let errors =
            check(&script(vec![param]), given([("x", text("hunter2?"))])).expect_err("wrong");
        assert!(!errors[0].to_string().contains("hunter2"), "{kind:?}");
    }
}

#[test]
fn what_was_kept_comes_back() {
    let script = backup();
    let args = checked(&script);
    let restored = CheckedArgs::restore(&script, &args.history(), args.secrets());
    assert_eq!(restored.as_ref(), Some(&args));
}

#[test]
fn no_value_does_not_come_back_as_the_default() {
    let script = script(vec![Param {
        default: Some(Value::Text("a".to_owned())),
        ..param("x", Kind::Text)
    }]);
    let args = check(&script, given([("x", text(""))])).expect("accepted");
    let restored = CheckedArgs::restore(&script, &args.history(), BTreeMap::new()).expect("fits");
    assert_eq!(restored.get("x"), None);
}

fn edit(script: &mut Script, name: &str, change: fn(&mut Param)) {
    let found = script.params.iter_mut().find(|p| p.name.as_str() == name);
    change(found.expect(name));
}

type Change = fn(&mut Script);

const CHANGES: [(&str, Change); 9] = [
    ("a parameter is gone", |s| {
        s.params.retain(|p| p.name.as_str() != "v");
    }),
    ("a required one came", |s| {
        s.params.push(Param {
            required: true,
            ..param("new", Kind::Text)
        });
    }),
    ("another type", |s| {
        edit(s, "tags", |p| p.kind = Kind::Integer);
    }),
    ("one value only", |s| edit(s, "tags", |p| p.multiple = None)),
    ("another fixed value", |s| {
        edit(s, "remote", |p| {
            p.fixed = Some(Value::Text("fork".to_owned()));
        });
    }),
    ("no default with a dash", |s| {
        edit(s, "scope", |p| p.default = None);
    }),
    ("no secret any more", |s| {
        edit(s, "password", |p| p.secret = false);
    }),
    ("a secret now", |s| edit(s, "scope", |p| p.secret = true)),
    ("hidden now", |s| {
        edit(s, "tags", |p| p.when = when("fast", &["true"]));
    }),
];

#[test]
fn what_does_not_fit_the_script_any_more_does_not_come_back() {
    let args = checked(&backup());
    let restore = |change: Change| {
        let mut script = backup();
        change(&mut script);
        CheckedArgs::restore(&script, &args.history(), args.secrets())
    };
    assert!(restore(|_| ()).is_some());
    for (what, change) in CHANGES {
        assert!(restore(change).is_none(), "{what}");
    }
}

#[test]
fn a_secret_that_is_deleted_does_not_come_back_as_its_mask() {
    let script = backup();
    let args = checked(&script);
    assert!(CheckedArgs::restore(&script, &args.history(), BTreeMap::new()).is_none());
    let mut history = args.history();
    history.insert("password".to_owned(), json!("hunter2"));
    assert!(CheckedArgs::restore(&script, &history, args.secrets()).is_none());
}
