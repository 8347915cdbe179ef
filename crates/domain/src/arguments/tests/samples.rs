//! Scripts and parameters for tests, as plain as they can be.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::access::Access;
use crate::arguments::{Given, GivenArgs, check};
use crate::invocation::{Invocation, Word, invocation};
use crate::name::{ParamName, ScriptName};
use crate::param::{Bounds, Choice, Condition, Kind, Param, Pass, PathKind, PathRule};
use crate::sandbox::{ProcessLimits, Sandbox};
use crate::script::{Launch, Limits, OutputFormat, Script, Source};

/// An optional parameter passed as `--<name>=V`, so that no rule about words interferes.
pub(crate) fn param(name: &str, kind: Kind) -> Param {
    let behind = if matches!(kind, Kind::Flag | Kind::Count) {
        ""
    } else {
        "="
    };
    Param {
        name: ParamName::parse(name).expect("a slug"),
        title: name.to_owned(),
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
        option: Some(format!("--{name}{behind}")),
        joined: false,
        env: None,
        on: (kind == Kind::Flag).then(|| format!("--{name}")),
        off: None,
        pass_empty: false,
        allow_leading_dash: false,
        format: None,
        path: (kind == Kind::Path).then(|| path_rule("/srv")),
        lang: Vec::new(),
    }
}

/// The same without an option.
pub(crate) fn positional(name: &str, kind: Kind) -> Param {
    Param {
        option: None,
        ..param(name, kind)
    }
}

pub(crate) fn path_rule(root: &str) -> PathRule {
    PathRule {
        root: root.to_owned(),
        recursive: true,
        kind: PathKind::File,
        matching: None,
        exclude: Vec::new(),
    }
}

pub(crate) fn choice(value: &str) -> Choice {
    Choice {
        value: value.to_owned(),
        label: value.to_uppercase(),
        disabled: false,
        when: Vec::new(),
    }
}

pub(crate) fn when(name: &str, any_of: &[&str]) -> Vec<Condition> {
    vec![Condition {
        param: ParamName::parse(name).expect("a slug"),
        any_of: any_of.iter().map(|text| (*text).to_owned()).collect(),
    }]
}

pub(crate) fn script(params: Vec<Param>) -> Script {
    Script {
        name: ScriptName::parse("ops/sample").expect("a name"),
        title: "Sample".to_owned(),
        description: None,
        docs: None,
        icon: None,
        tags: Vec::new(),
        order: 0,
        hidden: false,
        output_format: OutputFormat::default(),
        disabled: None,
        launch: Launch::File {
            file: "sample.sh".to_owned(),
            interpreter: Vec::new(),
        },
        folder: "ops".to_owned(),
        working_directory: None,
        env: Vec::new(),
        inherit_env: Vec::new(),
        credentials: Vec::new(),
        timeout: None,
        stop_grace: Duration::from_secs(10),
        idempotent: false,
        success_exit: vec![0],
        confirm: None,
        access: Access::default(),
        limits: Limits::default(),
        process_limits: ProcessLimits::default(),
        run_as: None,
        sandbox: Sandbox::default(),
        lang: BTreeMap::new(),
        extra: serde_json::Value::Null,
        params,
        source: Source {
            file: "ops/sample.sh".to_owned(),
            line: 1,
        },
        fingerprint: None,
    }
}

pub(crate) fn text(text: &str) -> Given {
    Given::Text(text.to_owned())
}

pub(crate) fn list(items: &[&str]) -> Given {
    Given::List(items.iter().map(|item| (*item).to_owned()).collect())
}

pub(crate) fn given<const N: usize>(args: [(&str, Given); N]) -> GivenArgs {
    args.into_iter()
        .map(|(name, given)| (name.to_owned(), given))
        .collect()
}

/// The messages of a refusal, as `name: message`; empty when everything is accepted.
pub(crate) fn refusals<const N: usize>(script: &Script, args: [(&str, Given); N]) -> Vec<String> {
    match check(script, given(args)) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// The invocation of arguments that are accepted.
pub(crate) fn invoke<const N: usize>(script: &Script, args: [(&str, Given); N]) -> Invocation {
    let checked = check(script, given(args)).expect("accepted");
    invocation(script, &checked)
}

/// Words as text; a private file's path as `<file name>`.
pub(crate) fn words(words: &[Word]) -> Vec<String> {
    words.iter().map(word).collect()
}

pub(crate) fn word(word: &Word) -> String {
    match word {
        Word::Text(text) => text.clone(),
        Word::FilePath { before, file } => format!("{before}<{file}>"),
    }
}
