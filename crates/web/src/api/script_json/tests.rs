use super::*;
use serde_json::json;
use stagedoor_domain::access::Access;
use stagedoor_domain::name::{ParamName, ScriptName};
use stagedoor_domain::param::{Bounds, Choice, Condition, Kind, Param, Pass, PathKind, PathRule};
use stagedoor_domain::sandbox::{ProcessLimits, Sandbox};
use stagedoor_domain::script::{Launch, Limits, OutputFormat, Script, Source};
use std::time::Duration;

fn param(name: &str, kind: Kind) -> Param {
    Param {
        name: ParamName::parse(name).expect("a name"),
        title: name.to_uppercase(),
        description: None,
        example: None,
        section: None,
        advanced: false,
        kind,
        secret: false,
        required: false,
        default: None,
        fixed: None,
        choices: Vec::new(),
        suggestions: Vec::new(),
        when: Vec::new(),
        bounds: Bounds::default(),
        multiple: None,
        pass: Pass::Arg,
        option: Some(format!("--{name}")),
        joined: false,
        env: None,
        on: None,
        off: None,
        pass_empty: false,
        allow_leading_dash: false,
        format: None,
        path: None,
        lang: Vec::new(),
    }
}

fn script(params: Vec<Param>) -> Script {
    Script {
        name: ScriptName::parse("ops/backup").expect("a name"),
        title: "Back up".to_owned(),
        description: Some("Dumps *one* database.".to_owned()),
        docs: None,
        icon: None,
        tags: vec!["db".to_owned()],
        order: 0,
        hidden: false,
        output_format: OutputFormat::default(),
        disabled: None,
        launch: Launch::File {
            file: "backup.sh".to_owned(),
            interpreter: vec!["/bin/bash".to_owned()],
        },
        folder: "ops".to_owned(),
        working_directory: Some("/srv/secret-place".to_owned()),
        env: vec![("TOKEN".to_owned(), "hush".to_owned())],
        inherit_env: Vec::new(),
        credentials: Vec::new(),
        timeout: Some(Duration::from_mins(10)),
        stop_grace: Duration::from_secs(10),
        idempotent: false,
        success_exit: vec![0],
        confirm: Some("Really?".to_owned()),
        access: Access::default(),
        limits: Limits::default(),
        process_limits: ProcessLimits::default(),
        run_as: None,
        sandbox: Sandbox::default(),
        lang: BTreeMap::new(),
        extra: json!({"ticket": true}),
        params,
        source: Source {
            file: "ops/backup.sh".to_owned(),
            line: 2,
        },
        fingerprint: None,
    }
}

fn shown(params: Vec<Param>) -> serde_json::Value {
    serde_json::to_value(ScriptJson::of(&script(params), true)).expect("JSON")
}

#[test]
fn a_script_is_shown_with_all_that_a_client_needs() {
    let database = Param {
        required: true,
        choices: vec![Choice {
            value: "u2".to_owned(),
            label: "Users".to_owned(),
            disabled: false,
            when: vec![Condition {
                param: ParamName::parse("mode").expect("a name"),
                any_of: vec!["full".to_owned()],
            }],
        }],
        ..param("database", Kind::Choice)
    };
    let keep = Param {
        default: Some(Value::Text("30".to_owned())),
        bounds: Bounds {
            min: Some("1".to_owned()),
            max: Some("365".to_owned()),
            ..Bounds::default()
        },
        ..param("keep", Kind::Integer)
    };
    assert_eq!(
        shown(vec![database, keep]),
        json!({
            "name": "ops/backup", "title": "Back up", "description": "Dumps *one* database.",
            "tags": ["db"], "may_run": true, "confirm": "Really?", "timeout_seconds": 600, "output_format": "text",
            "extra": {"ticket": true},
            "params": [
                {"name": "database", "title": "DATABASE", "advanced": false, "type": "choice", "secret": false,
                 "required": true, "fixed": false, "multiple": false,
                 "choices": [{"value": "u2", "label": "Users", "when": {"mode": ["full"]}}]},
                {"name": "keep", "title": "KEEP", "advanced": false, "type": "integer", "secret": false,
                 "required": false, "fixed": false, "multiple": false, "default": "30",
                 "min": "1", "max": "365"},
            ],
        })
    );
}

#[test]
fn nothing_of_how_or_where_a_script_runs_is_shown() {
    let rule = PathRule {
        root: "/srv/secret-place".to_owned(),
        recursive: true,
        kind: PathKind::File,
        matching: Some("*.log".to_owned()),
        exclude: Vec::new(),
    };
    let file = Param {
        path: Some(rule),
        ..param("log", Kind::Path)
    };
    let shown = shown(vec![file]);
    assert_eq!(
        shown["params"][0]["path"],
        json!({"kind": "file", "recursive": true, "match": "*.log"})
    );
    let text = shown.to_string();
    for hidden in [
        "secret-place",
        "hush",
        "TOKEN",
        "/bin/bash",
        "backup.sh",
        "--log",
    ] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
}

#[test]
fn a_secret_default_and_a_fixed_value_are_never_shown() {
    let default = Some(Value::Text("hunter2".to_owned()));
    let secret = Param {
        secret: true,
        default: default.clone(),
        ..param("password", Kind::Text)
    };
    let fixed = Param {
        fixed: default.clone(),
        ..param("mode", Kind::Text)
    };
    let text = shown(vec![secret, fixed]).to_string();
    assert!(!text.contains("hunter2"), "{text}");
    let open = Param {
        default,
        ..param("open", Kind::Text)
    };
    assert!(
        shown(vec![open]).to_string().contains("hunter2"),
        "an open default is shown"
    );
}
