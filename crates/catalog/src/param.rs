//! From `[[param]]` tables to [`Param`]s, with every default of the format resolved.

mod bounds;
mod choices;
mod conditions;
mod kind;
mod passing;
mod path;
mod together;
mod values;

use stagedoor_config::document::{Problems, Table, Value, nearest};
use stagedoor_domain::name::{LONGEST_PART, ParamName};
use stagedoor_domain::param::{Bounds, Kind, Param, Pass};

use crate::{keys, texts};

/// A parameter and the keys that it was read from, a shared one's among them.
struct Declared {
    keys: Table,
    param: Param,
}

/// Reads the parameters of a script. `shared` are those that `use` may name, the nearest first.
pub(crate) fn read_all(script: &Table, shared: &[&Table], problems: &mut Problems) -> Vec<Param> {
    let mut read = Vec::new();
    for own in script.tables("param", problems) {
        keys::check_param(own, problems);
        let Some(keys) = with_shared(own, shared, problems) else {
            continue;
        };
        if let Some(param) = one(&keys, problems) {
            read.push(Declared { keys, param });
        }
    }
    together::check(&read, problems);
    conditions::check(&read, problems);
    read.into_iter().map(|declared| declared.param).collect()
}

/// `use` copies a shared parameter; own keys override.
fn with_shared(own: &Table, shared: &[&Table], problems: &mut Problems) -> Option<Table> {
    let Some(node) = own.get("use") else {
        return Some(own.clone());
    };
    let wanted = node.full_text(problems)?;
    let name_of = |table: &&Table| match table.get("name").map(|n| &n.value) {
        Some(Value::Text(name)) => Some(name.clone()),
        _ => None,
    };
    if let Some(found) = shared
        .iter()
        .find(|table| name_of(table).as_ref() == Some(&wanted))
    {
        let mut keys = own.clone().over(found);
        keys.remove("use");
        return Some(keys);
    }
    let names: Vec<String> = shared.iter().filter_map(name_of).collect();
    let problem = node
        .mark
        .problem(format!("there is no shared parameter `{wanted}`"));
    problems.push(match nearest(&wanted, names.iter().map(String::as_str)) {
        Some(near) => problem.mend(format!("did you mean `{near}`?")),
        None => problem.mend(
            "declare it as `[[param]]` in `_folder.stagedoor.toml`, or beside `[[script]]` in this file",
        ),
    });
    None
}

/// Reads one parameter from its keys.
fn one(keys: &Table, problems: &mut Problems) -> Option<Param> {
    let name = name(keys, problems);
    let choices = choices::read(keys.get("choices"), problems);
    let kind = kind::read(keys, !choices.is_empty(), problems)?;
    kind::check_keys(keys, kind, problems);
    let name = name?;
    let secret = keys.flag("secret", problems).unwrap_or(false);
    let multiple = passing::multiple(keys, problems);
    let pass = passing::pass(keys, secret, problems);
    let option = passing::option(keys, problems);
    let mut param = Param {
        title: keys
            .text("title", problems)
            .unwrap_or_else(|| texts::title_of(name.as_str())),
        description: keys.text("description", problems),
        example: keys.text("example", problems),
        section: keys.text("section", problems),
        advanced: keys.flag("advanced", problems).unwrap_or(false),
        kind,
        secret,
        required: false,
        default: None,
        fixed: None,
        choices,
        suggestions: choices::read(keys.get("suggestions"), problems),
        when: keys
            .get("when")
            .map(|node| conditions::read(node, problems))
            .unwrap_or_default(),
        bounds: Bounds::default(),
        multiple,
        pass,
        joined: keys.flag("joined", problems).unwrap_or(false),
        env: passing::env(keys, &name, pass, problems),
        on: keys.get("on").and_then(|node| node.text(problems)),
        off: keys.get("off").and_then(|node| node.text(problems)),
        pass_empty: keys.flag("pass_empty", problems).unwrap_or(false),
        allow_leading_dash: keys.flag("allow_leading_dash", problems).unwrap_or(false),
        format: kind::format(keys, kind, problems),
        path: path::read(keys, kind, problems),
        lang: texts::translations(keys, problems),
        name,
        option,
    };
    passing::resolve_flag_texts(&mut param);
    passing::check(&param, keys, problems);
    param.bounds = bounds::read(keys, &param, problems);
    choices::check(&param, keys, problems);
    values::resolve(&mut param, keys, problems);
    param.required = required(&param, keys, problems);
    Some(param)
}

fn name(keys: &Table, problems: &mut Problems) -> Option<ParamName> {
    let Some(node) = keys.get("name") else {
        problems.push(
            keys.mark
                .problem("this parameter has no name")
                .mend("add `name = \"…\"`"),
        );
        return None;
    };
    let text = node.full_text(problems)?;
    ParamName::parse(&text)
        .map_err(|error| {
            let problem = node
                .mark
                .problem(format!("this name is not allowed: {error}"));
            problems.push(problem.mend(format!("write `name = \"{}\"`", slug(&text))));
        })
        .ok()
}

/// A parameter's name that is allowed and near to the one that is not.
fn slug(text: &str) -> String {
    let slug = crate::names::proposal(text)
        .to_lowercase()
        .replace('.', "_");
    let slug = slug.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    if slug.is_empty() {
        "value".to_owned()
    } else {
        slug.chars().take(LONGEST_PART).collect()
    }
}

/// Positionals and secrets must be given unless something stands in for them; all else may be left out.
fn required(param: &Param, keys: &Table, problems: &mut Problems) -> bool {
    if let Some(required) = keys.flag("required", problems) {
        return required;
    }
    let stands_in = keys.has("default") || param.fixed.is_some();
    // A file of that name is where the script looks for a secret, as it looks for a place.
    let is_secret_file = param.secret && param.pass == Pass::File;
    (is_positional(param) || is_secret_file) && !stands_in
}

/// Does the script know the value by its place among the arguments?
fn is_positional(param: &Param) -> bool {
    let placed = match param.pass {
        Pass::Arg => param.option.is_none(),
        Pass::File => !param.secret && param.option.is_none() && param.env.is_none(),
        Pass::Env | Pass::Stdin | Pass::None => false,
    };
    placed && !matches!(param.kind, Kind::Flag | Kind::Count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_always_a_name() {
        assert_eq!(slug("Keep Days"), "keep-days");
        assert_eq!(slug("2nd"), "nd");
        assert_eq!(slug("日"), "script");
        for text in ["", "_", "9", "A.B", "ÄÖ"] {
            assert!(ParamName::parse(&slug(text)).is_ok(), "{text}");
        }
    }
}
