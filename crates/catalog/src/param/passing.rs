//! How a value reaches the script: `pass`, `option`, `env`, `multiple`, `on` and `off`.

use stagedoor_config::document::{Problems, Table, nearest};
use stagedoor_domain::name::ParamName;
use stagedoor_domain::param::{Kind, Multiple, Param, Pass};

use crate::environment;

const WAYS: [(&str, Pass); 5] = [
    ("arg", Pass::Arg),
    ("env", Pass::Env),
    ("stdin", Pass::Stdin),
    ("file", Pass::File),
    ("none", Pass::None),
];

/// `pass`; a secret's default is a file, all else is an argument.
pub(super) fn pass(keys: &Table, secret: bool, problems: &mut Problems) -> Pass {
    let default = if secret { Pass::File } else { Pass::Arg };
    let Some(node) = keys.get("pass") else {
        return default;
    };
    let Some(word) = node.full_text(problems) else {
        return default;
    };
    let Some((_, pass)) = WAYS.into_iter().find(|(known, _)| *known == word) else {
        let problem = node
            .mark
            .problem(format!("`{word}` is not a way to pass a value"));
        problems.push(match nearest(&word, WAYS.map(|(known, _)| known)) {
            Some(near) => problem.mend(format!("did you mean `{near}`?")),
            None => problem.mend("use arg, env, stdin, file or none"),
        });
        return default;
    };
    if secret && pass == Pass::Arg {
        let problem = node
            .mark
            .problem("a secret never stands among the arguments, where every account sees it");
        problems.push(problem.mend(
            "use `pass = \"file\"` and read `$CREDENTIALS_DIRECTORY/NAME`, or `env` or `stdin`",
        ));
        return default;
    }
    pass
}

/// `option`: one word.
pub(super) fn option(keys: &Table, problems: &mut Problems) -> Option<String> {
    let node = keys.get("option")?;
    let option = node.full_text(problems)?;
    if option.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let problem = node
            .mark
            .problem("an option is one word; this text has a space");
        problems.push(problem.mend(
            "write the option alone, such as `--name` or `--name=`; the value follows by itself",
        ));
    }
    Some(option)
}

/// `env`, or the name that `pass = "env"` makes from the parameter's.
pub(super) fn env(
    keys: &Table,
    name: &ParamName,
    pass: Pass,
    problems: &mut Problems,
) -> Option<String> {
    let Some(node) = keys.get("env") else {
        return (pass == Pass::Env).then(|| environment::name_of_param(name.as_str()));
    };
    let variable = node.full_text(problems)?;
    if !environment::is_name(&variable) {
        let problem = node.mark.problem(format!(
            "`{variable}` is not the name of an environment variable"
        ));
        problems.push(problem.mend(format!(
            "write a name such as `{}`",
            environment::name_of_param(name.as_str())
        )));
    } else if environment::is_refused(&variable) {
        let problem = node.mark.problem(format!(
            "`{variable}` changes what programs do, so no client may set it"
        ));
        problems.push(problem.mend(format!(
            "use another name, such as `{}`",
            environment::name_of_param(name.as_str())
        )));
    }
    Some(variable)
}

/// `multiple` and `separator`.
pub(super) fn multiple(keys: &Table, problems: &mut Problems) -> Option<Multiple> {
    let node = keys.get("multiple")?;
    let word = node.full_text(problems)?;
    match word.as_str() {
        "repeat" => Some(Multiple::Repeat),
        "spread" => Some(Multiple::Spread),
        "join" => {
            let separator = keys.get("separator").and_then(|node| node.text(problems));
            if separator.as_deref() == Some("")
                && let Some(entry) = keys.entry("separator")
            {
                let problem = entry
                    .node
                    .mark
                    .problem("without a separator the values could not be told apart");
                problems.push(problem.mend("write one, such as `separator = \",\"`"));
            }
            Some(Multiple::Join {
                separator: separator.unwrap_or_else(|| ",".to_owned()),
            })
        }
        _ => {
            let problem = node
                .mark
                .problem(format!("`{word}` is not a way to pass several values"));
            problems.push(
                problem.mend("use `repeat` (-t a -t b), `spread` (-t a b) or `join` (-t a,b)"),
            );
            None
        }
    }
}

/// The text of a flag that is on: its option among the arguments, `true` elsewhere.
pub(super) fn resolve_flag_texts(param: &mut Param) {
    if param.kind != Kind::Flag {
        return;
    }
    let elsewhere = matches!(param.pass, Pass::Env | Pass::Stdin | Pass::File);
    if param.on.is_none() {
        param.on = if elsewhere {
            Some("true".to_owned())
        } else {
            param.option.clone()
        };
    }
    if param.off.is_none() && elsewhere {
        param.off = Some("false".to_owned());
    }
}

/// Keys that contradict each other: one of them would be ignored in silence.
pub(super) fn check(param: &Param, keys: &Table, problems: &mut Problems) {
    let mut refuse = |key: &str, message: &str, mend: &str| {
        let mark = keys.entry(key).map_or(&keys.mark, |entry| &entry.key);
        problems.push(mark.problem(message).mend(mend));
    };
    check_where_it_goes(param, keys.has("env"), &mut refuse);
    check_attached(param, &mut refuse);
    check_without_value(param, &mut refuse);
}

/// An option, or a variable, of a value that goes elsewhere.
fn check_where_it_goes(param: &Param, has_env: bool, mut refuse: impl FnMut(&str, &str, &str)) {
    let takes_option = matches!(param.pass, Pass::Arg | Pass::File) && !param.secret;
    if param.option.is_some() && !takes_option {
        let message = if param.secret {
            "a secret has no option: it never stands among the arguments, nor does its file's path"
        } else {
            "`option` is for arguments, and `pass` says that this is none"
        };
        refuse(
            "option",
            message,
            "take `option` or `pass` out; a secret's file is `$CREDENTIALS_DIRECTORY/NAME`",
        );
    }
    if has_env && param.secret && param.pass == Pass::File {
        refuse(
            "env",
            "a secret that is passed as a file has no variable",
            "add `pass = \"env\"`, or read `$CREDENTIALS_DIRECTORY/NAME`",
        );
    }
    if has_env && param.pass == Pass::None {
        refuse(
            "env",
            "`pass = \"none\"` passes nothing, so there is no variable",
            "take `env` out, or write `pass = \"env\"`",
        );
    }
}

/// A value that stands in one word with its option.
fn check_attached(param: &Param, mut refuse: impl FnMut(&str, &str, &str)) {
    let ends_with_equals = |option: &String| option.ends_with('=');
    let attached = param.joined || param.option.as_ref().is_some_and(ends_with_equals);
    if param.joined && param.option.is_none() {
        refuse(
            "joined",
            "`joined` means nothing without `option`",
            "add `option = \"-j\"`, or take `joined` out",
        );
    }
    if attached && param.multiple == Some(Multiple::Spread) {
        refuse(
            "multiple",
            "only one value can stand in one word with the option",
            "use `repeat` or `join`, or an option without `=`",
        );
    }
    if attached && matches!(param.kind, Kind::Flag | Kind::Count) {
        refuse(
            "option",
            "this option expects a value, and the type has none",
            "write the option without `=` and without `joined`",
        );
    }
}

/// A flag or a count among the arguments needs a word of its own.
fn check_without_value(param: &Param, mut refuse: impl FnMut(&str, &str, &str)) {
    if param.pass != Pass::Arg || param.secret {
        return;
    }
    if param.kind == Kind::Flag && param.on.is_none() && param.off.is_none() {
        refuse(
            "type",
            "a flag needs a text to pass when it is on",
            "add `option = \"--name\"`",
        );
    }
    if param.kind == Kind::Count && param.option.is_none() {
        refuse(
            "type",
            "a count needs the option that it repeats",
            "add `option = \"-v\"`",
        );
    }
}
