//! The form's page as its template sees it.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use stagedoor_app::view::RunView;
use stagedoor_catalog::{Docs, path_choices};
use stagedoor_domain::access::may_run;
use stagedoor_domain::arguments::ArgError;
use stagedoor_domain::name::ParamName;
use stagedoor_domain::param::{Param, Value};
use stagedoor_domain::script::Script;

use super::Reader;
use super::field::{Control, Field};
use crate::assets;
use crate::language::{Languages, Text};
use crate::pages::markdown::{self, Mark, Piece, Prose};
use crate::pages::runs::{Row, row};
use crate::pages::shell::{Here, Shell};
use crate::pages::{paths, said};
use crate::safe_form::Fields;

/// Most paths that one field offers.
const MOST_PATHS: usize = 500;

/// What was said about the form before it is shown.
#[derive(Default)]
pub(super) struct Said<'a> {
    /// What was sent, or what a link fills in.
    pub fields: Option<&'a Fields>,
    /// It was sent: an absent field is one that was left empty.
    pub sent: bool,
    /// Above the form.
    pub notice: Option<String>,
    /// Beside the fields.
    pub errors: Vec<ArgError>,
    /// The confirmation was missing.
    pub ask_again: bool,
}

#[derive(Template)]
#[template(path = "script.html")]
pub(in crate::pages) struct ScriptPage {
    pub shell: Shell,
    pub form_script: assets::Script,
    pub name: String,
    pub folder: String,
    pub title: Text,
    pub icon: Option<String>,
    pub action: String,
    pub description: Prose,
    pub docs: Option<DocsView>,
    pub disabled: Option<String>,
    pub may_run: bool,
    pub notice: Option<String>,
    /// Fields with an error.
    pub wrong: usize,
    pub other_errors: Vec<String>,
    pub fixed: Vec<(String, String)>,
    pub sections: Vec<Section>,
    pub advanced: Vec<Field>,
    pub advanced_open: bool,
    pub confirm: Option<String>,
    pub ask_again: bool,
    pub timeout: String,
    pub rows: Vec<Row>,
    pub all_runs: String,
}

/// What the author wrote beside the script.
pub(in crate::pages) struct DocsView {
    pub pieces: Vec<Piece>,
    /// There is more of it than is shown.
    pub is_cut: bool,
}

/// Fields below one heading.
pub(in crate::pages) struct Section {
    pub title: Option<String>,
    pub fields: Vec<Field>,
}

/// What the `path` fields offer, by their names.
pub(super) type Paths = HashMap<ParamName, Vec<String>>;

/// What was looked up for the page.
pub(super) struct Found {
    /// What `path` fields offer.
    pub paths: Paths,
    /// The text beside the script.
    pub docs: Option<Docs>,
    /// The reader's own last runs of it.
    pub last: Vec<RunView>,
}

/// Looks it up on the disk, which may be slow.
pub(super) async fn paths(script: &Arc<Script>) -> Paths {
    if script.params.iter().all(|param| param.path.is_none()) {
        return Paths::new();
    }
    let script = Arc::clone(script);
    let looked = tokio::task::spawn_blocking(move || {
        let rules = script
            .params
            .iter()
            .filter_map(|param| Some((param, param.path.as_ref()?)));
        rules
            .map(|(param, rule)| (param.name.clone(), path_choices(rule, MOST_PATHS)))
            .collect()
    });
    looked.await.unwrap_or_default()
}

/// Puts the page together.
pub(super) fn page(
    reader: Reader<'_>,
    script: &Arc<Script>,
    said: &Said<'_>,
    found: &Found,
) -> ScriptPage {
    let Reader {
        state,
        me,
        languages,
    } = reader;
    let (title, now) = (languages.title(script), state.app.clock().now());
    let docs = found.docs.as_ref().map(|docs| DocsView {
        pieces: markdown::pieces(&docs.text),
        is_cut: docs.is_cut,
    });
    let mut sections: Vec<Section> = Vec::new();
    let mut advanced = Vec::new();
    for param in script.params.iter().filter(|param| param.fixed.is_none()) {
        let field = field(param, languages, said, &found.paths);
        if param.advanced {
            advanced.push(field);
        } else if let Some(section) = sections.iter_mut().find(|s| s.title == param.section) {
            section.fields.push(field);
        } else {
            sections.push(Section {
                title: param.section.clone(),
                fields: vec![field],
            });
        }
    }
    // Fields without a heading stand above those with one.
    sections.sort_by_key(|section| section.title.is_some());
    ScriptPage {
        shell: Shell::of(state, me, Here::Scripts),
        form_script: assets::script("form.js"),
        name: script.name.to_string(),
        folder: script.name.folder().to_owned(),
        rows: found
            .last
            .iter()
            .map(|run| row(run, title.clone(), now))
            .collect(),
        title,
        icon: script.icon.clone(),
        action: paths::script(&script.name),
        description: Prose::of(languages.description(script)),
        docs,
        disabled: script.disabled.clone(),
        may_run: may_run(&me.0.user, script, &state.app.grants()).is_ok(),
        notice: said.notice.clone(),
        wrong: said.errors.len() - other_errors(said).len(),
        other_errors: other_errors(said),
        fixed: script.params.iter().filter_map(fixed).collect(),
        sections,
        advanced_open: advanced.iter().any(|field| field.error.is_some()),
        advanced,
        confirm: script.confirm.clone(),
        ask_again: said.ask_again,
        timeout: script.timeout.map(said::limit).unwrap_or_default(),
        all_runs: paths::query(paths::RUNS, &[("script", script.name.as_str())]),
    }
}

fn field(param: &Param, languages: &Languages, said: &Said<'_>, offered: &Paths) -> Field {
    let error = said
        .errors
        .iter()
        .find(|error| error.param.as_ref() == Some(&param.name));
    let paths = offered.get(&param.name).cloned().unwrap_or_default();
    Field::new(
        param,
        languages,
        said.fields,
        said.sent,
        paths,
        error.map(|error| error.message.clone()),
    )
}

fn other_errors(said: &Said<'_>) -> Vec<String> {
    let lost = said.errors.iter().filter(|error| error.param.is_none());
    lost.map(ToString::to_string).collect()
}

/// Conditions of other fields may ask for a fixed value.
fn fixed(param: &Param) -> Option<(String, String)> {
    let text = match param.fixed.as_ref()? {
        _ if param.secret => String::new(),
        Value::Flag(on) => on.to_string(),
        Value::Count(times) => times.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(items) => items.join(","),
    };
    Some((param.name.to_string(), text))
}
