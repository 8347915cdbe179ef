//! A script as the API shows it: what a client needs to fill in a form, and nothing of how or
//! where the script runs.

use std::collections::BTreeMap;

use serde::Serialize;
use stagedoor_domain::param::{Choice, Condition, Kind, Param, PathKind, PathRule, Texts, Value};
use stagedoor_domain::script::Script;
use utoipa::ToSchema;

/// A script in the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScriptSummary)]
pub(crate) struct SummaryJson {
    /// `folder/name`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A word or an emoji.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// For search.
    pub tags: Vec<String>,
    /// Why it cannot be run at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<String>,
    /// Whether the caller may run it.
    pub may_run: bool,
}

/// All scripts that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Scripts)]
pub(crate) struct ScriptsJson {
    /// In the order of the catalog.
    pub items: Vec<SummaryJson>,
}

/// A script with its parameters.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Script)]
pub(crate) struct ScriptJson {
    #[serde(flatten)]
    pub summary: SummaryJson,
    /// A question to ask before the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// A run is stopped after so many seconds; null when it may run for ever.
    pub timeout_seconds: Option<u64>,
    /// Translations of title and description, by language tag.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lang: BTreeMap<String, TextsJson>,
    /// The author's own data.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    #[schema(value_type = Object)]
    pub extra: serde_json::Value,
    /// In the order of the form.
    pub params: Vec<ParamJson>,
}

/// One parameter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Param)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own in the API")]
pub(crate) struct ParamJson {
    /// The key in `args`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A placeholder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The heading that the field stands below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// Folded away at first.
    pub advanced: bool,
    /// `text`, `integer`, `flag`, `choice`, `date`, …
    pub r#type: &'static str,
    /// Kept out of history, logs and pages.
    pub secret: bool,
    /// Must be given when its conditions hold.
    pub required: bool,
    /// Set by the author; a client may not give it.
    pub fixed: bool,
    /// Takes a list.
    pub multiple: bool,
    /// Used when nothing is given; a secret's is never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub default: Option<Value>,
    /// The only values allowed; empty means free.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<ChoiceJson>,
    /// Values offered, others are allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<ChoiceJson>,
    /// Parameter → values: all must hold, else this one is refused.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, Vec<String>>,
    #[serde(flatten)]
    pub bounds: BoundsJson,
    /// For the type `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathJson>,
    /// Translations of title and description, by language tag.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lang: BTreeMap<String, TextsJson>,
}

/// Bounds of a value, as the author wrote them: numbers, dates or durations by the type.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Bounds)]
pub(crate) struct BoundsJson {
    /// Least value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// Greatest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// Distance of allowed values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Fewest characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<usize>,
    /// Most characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// A regular expression, in the syntax of RE2, that must match the whole value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// What the pattern wants, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern_help: Option<String>,
    /// Fewest values of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_items: Option<usize>,
    /// Most values of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_items: Option<usize>,
}

/// A value that is offered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Choice)]
pub(crate) struct ChoiceJson {
    /// What to send.
    pub value: String,
    /// What to show.
    pub label: String,
    /// Shown, but refused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// Parameter → values: offered only when all hold.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, Vec<String>>,
}

/// What a `path` takes. The folder that it stands for is nobody's business.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PathRule)]
pub(crate) struct PathJson {
    /// `file`, `folder` or `any`.
    pub kind: &'static str,
    /// Below sub-folders too.
    pub recursive: bool,
    /// A glob of the file name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#match: Option<String>,
    /// Globs of file names that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// A translation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Texts)]
pub(crate) struct TextsJson {
    /// Replaces `title`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Replaces `description`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

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
            lang: script.lang.iter().map(|(tag, texts)| (tag.clone(), texts.into())).collect(),
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
            lang: param.lang.iter().map(|(tag, texts)| (tag.clone(), texts.into())).collect(),
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
        pattern: bounds.pattern.as_ref().map(|pattern| bare(pattern.as_str()).to_owned()),
        pattern_help: bounds.pattern_help.clone(),
        min_items: bounds.min_items,
        max_items: bounds.max_items,
    }
}

/// The pattern as its author wrote it: the domain frames it so that it matches the whole value.
fn bare(pattern: &str) -> &str {
    pattern.strip_prefix(r"\A(?:").and_then(|p| p.strip_suffix(r")\z")).unwrap_or(pattern)
}

fn conditions(when: &[Condition]) -> BTreeMap<String, Vec<String>> {
    when.iter().map(|c| (c.param.to_string(), c.any_of.clone())).collect()
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
        Self { title: texts.title.clone(), description: texts.description.clone() }
    }
}

#[cfg(test)]
mod tests;
