//! A script as the API shows it: what a client needs to fill in a form, and nothing of how or
//! where the script runs.

mod of_domain;

use std::collections::BTreeMap;

use serde::Serialize;
use stagedoor_domain::param::Value;
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
    /// Translations of title and description, by language tag.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lang: BTreeMap<String, TextsJson>,
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
    /// How the output is shown: `text`, or `html` for a page on stdout.
    pub output_format: &'static str,
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
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own in the API"
)]
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

#[cfg(test)]
mod tests;
