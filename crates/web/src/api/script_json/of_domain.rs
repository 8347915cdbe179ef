//! From the domain's types to what the API shows of them: field by field, so that nothing is shown
//! that nobody meant to show.

use std::collections::BTreeMap;

use stagedoor_domain::param::{Choice, Condition, Kind, Param, PathKind, PathRule, Texts};
use stagedoor_domain::script::Script;

use super::{BoundsJson, ChoiceJson, ParamJson, PathJson, ScriptJson, SummaryJson, TextsJson};

impl SummaryJson {
    /// As somebody sees it who may, or may not, run it.
    pub fn of(script: &Script, may_run: bool) -> Self {
        Self {
            name: script.name.to_string(),
            title: script.title.clone(),
            description: script.description.clone(),
            icon: script.icon.clone(),
            tags: script.tags.clone(),
            disabled: script.disabled.clone(),
            may_run,
            lang: script
                .lang
                .iter()
                .map(|(tag, texts)| (tag.clone(), texts.into()))
                .collect(),
        }
    }
}

impl ScriptJson {
    /// As somebody sees it who may, or may not, run it.
    pub fn of(script: &Script, may_run: bool) -> Self {
        Self {
            summary: SummaryJson::of(script, may_run),
            confirm: script.confirm.clone(),
            timeout_seconds: script.timeout.map(|timeout| timeout.as_secs()),
            output_format: script.output_format.word(),
            extra: script.extra.clone(),
            params: script.params.iter().map(ParamJson::from).collect(),
        }
    }
}

impl From<&Param> for ParamJson {
    fn from(param: &Param) -> Self {
        Self {
            name: param.name.to_string(),
            title: param.title.clone(),
            description: param.description.clone(),
            example: param.example.clone(),
            section: param.section.clone(),
            advanced: param.advanced,
            r#type: param.kind.word(),
            secret: param.secret,
            required: param.required,
            fixed: param.fixed.is_some(),
            multiple: param.multiple.is_some() && param.kind != Kind::Count,
            default: param.default.clone().filter(|_| !param.secret),
            choices: param.choices.iter().map(ChoiceJson::from).collect(),
            suggestions: param.suggestions.iter().map(ChoiceJson::from).collect(),
            when: conditions(&param.when),
            bounds: bounds(param),
            path: param.path.as_ref().map(PathJson::from),
            lang: param
                .lang
                .iter()
                .map(|(tag, texts)| (tag.clone(), texts.into()))
                .collect(),
        }
    }
}

fn bounds(param: &Param) -> BoundsJson {
    let bounds = &param.bounds;
    BoundsJson {
        min: bounds.min.clone(),
        max: bounds.max.clone(),
        step: bounds.step.clone(),
        min_length: bounds.min_length,
        max_length: bounds.max_length,
        pattern: bounds
            .pattern
            .as_ref()
            .map(|pattern| bare(pattern.as_str()).to_owned()),
        pattern_help: bounds.pattern_help.clone(),
        min_items: bounds.min_items,
        max_items: bounds.max_items,
    }
}

/// The pattern as its author wrote it: the domain frames it so that it matches the whole value.
fn bare(pattern: &str) -> &str {
    pattern
        .strip_prefix(r"\A(?:")
        .and_then(|p| p.strip_suffix(r")\z"))
        .unwrap_or(pattern)
}

fn conditions(when: &[Condition]) -> BTreeMap<String, Vec<String>> {
    when.iter()
        .map(|c| (c.param.to_string(), c.any_of.clone()))
        .collect()
}

impl From<&Choice> for ChoiceJson {
    fn from(choice: &Choice) -> Self {
        Self {
            value: choice.value.clone(),
            label: choice.label.clone(),
            disabled: choice.disabled,
            when: conditions(&choice.when),
        }
    }
}

impl From<&PathRule> for PathJson {
    fn from(rule: &PathRule) -> Self {
        Self {
            kind: match rule.kind {
                PathKind::File => "file",
                PathKind::Folder => "folder",
                PathKind::Any => "any",
            },
            recursive: rule.recursive,
            r#match: rule.matching.clone(),
            exclude: rule.exclude.clone(),
        }
    }
}

impl From<&Texts> for TextsJson {
    fn from(texts: &Texts) -> Self {
        Self {
            title: texts.title.clone(),
            description: texts.description.clone(),
        }
    }
}
