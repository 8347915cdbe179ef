//! The catalog: every script that this user may see, by folder.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use stagedoor_app::view::RunView;
use stagedoor_catalog::Snapshot;
use stagedoor_domain::access::{may_run, may_view};
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::script::Script;
use stagedoor_domain::time::Timestamp;

use super::said::{Chip, When, took};
use super::shell::{Here, Shell};
use super::{markdown, paths};
use crate::assets;
use crate::language::{Languages, Text};
use crate::problem::Problem;
use crate::session::Me;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "catalog.html")]
pub(super) struct CatalogPage {
    pub shell: Shell,
    pub search_script: assets::Script,
    pub query: String,
    pub folders: Vec<FolderView>,
    pub count: usize,
    /// Definitions that are broken, for admins.
    pub broken: usize,
}

pub(super) struct FolderView {
    pub id: String,
    /// Its heading is for people who hear the page.
    pub is_root: bool,
    pub title: String,
    pub icon: Option<String>,
    pub cards: Vec<Card>,
}

pub(super) struct Card {
    pub href: String,
    pub title: Text,
    pub icon: Option<String>,
    pub summary: Text,
    pub disabled: Option<String>,
    pub may_run: bool,
    pub last: Option<LastRun>,
    /// What the search looks at, in small letters.
    pub search: String,
}

pub(super) struct LastRun {
    pub chip: Chip,
    pub ago: String,
    pub took: String,
}

/// The page's query.
#[derive(Debug, Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    q: String,
}

/// `GET /`
pub(crate) async fn show(
    State(state): State<AppState>,
    me: Me,
    languages: Languages,
    query: Result<Query<Search>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = query.map(|Query(search)| search.q).unwrap_or_default();
    let catalog = state.app.catalog().await;
    let mut cards = cards(&state, &me, &languages, &catalog).await?;
    let words = words(&query);
    cards.retain(|(_, card)| words.iter().all(|word| card.search.contains(word.as_str())));
    let is_admin = state.app.administers(&me.0.user).is_ok();
    let page = CatalogPage {
        shell: Shell::of(&state, &me, Here::Scripts),
        search_script: assets::script("search.js"),
        count: cards.len(),
        query,
        folders: by_folder(&catalog, cards),
        broken: if is_admin { catalog.broken().len() } else { 0 },
    };
    Ok(super::page_in_language(StatusCode::OK, &page))
}

/// The cards of what this user may see and find, each with its folder.
async fn cards(
    state: &AppState,
    me: &Me,
    languages: &Languages,
    catalog: &Snapshot,
) -> Result<Vec<(String, Card)>, Problem> {
    let (user, grants) = (&me.0.user, state.app.grants());
    let visible: Vec<&Arc<Script>> = catalog
        .scripts()
        .filter(|script| !script.hidden && may_view(user, script, &grants).is_ok())
        .collect();
    let names: Vec<ScriptName> = visible.iter().map(|script| script.name.clone()).collect();
    let last = state.app.last_runs(user, &names).await?;
    let now = state.app.clock().now();
    let cards = visible.into_iter().map(|script| {
        let may_run = may_run(user, script, &grants).is_ok();
        (
            script.name.folder().to_owned(),
            card(script, languages, may_run, last.get(&script.name), now),
        )
    });
    Ok(cards.collect())
}

/// Folders in the order of their first script.
fn by_folder(catalog: &Snapshot, cards: Vec<(String, Card)>) -> Vec<FolderView> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut folders: Vec<FolderView> = Vec::new();
    for (name, card) in cards {
        let place = places.get(&name).copied().unwrap_or(folders.len());
        match folders.get_mut(place) {
            Some(folder) => folder.cards.push(card),
            None => folders.push(folder(catalog, &name, card)),
        }
        places.insert(name, place);
    }
    folders
}

fn folder(catalog: &Snapshot, name: &str, first: Card) -> FolderView {
    let said = catalog.folder(name);
    FolderView {
        id: format!("folder.{}", name.replace('/', ".")),
        is_root: name.is_empty(),
        title: said
            .map(|folder| folder.title.clone())
            .filter(|title| !title.is_empty())
            .unwrap_or_else(|| title_of(name)),
        icon: said.and_then(|folder| folder.icon.clone()),
        cards: vec![first],
    }
}

fn words(query: &str) -> Vec<String> {
    query.split_whitespace().map(str::to_lowercase).collect()
}

fn title_of(folder: &str) -> String {
    if folder.is_empty() {
        "Scripts".to_owned()
    } else {
        folder.replace('/', " / ")
    }
}

fn card(
    script: &Script,
    languages: &Languages,
    may_run: bool,
    last: Option<&RunView>,
    now: Timestamp,
) -> Card {
    let title = languages.title(script);
    let description = languages.description(script).unwrap_or_default();
    let summary = Text {
        text: markdown::summary(&description.text),
        lang: description.lang,
    };
    let search = [
        &title.text,
        // People may know a script by the words of its author.
        &script.title,
        script.name.as_str(),
        &summary.text,
        &script.tags.join(" "),
    ]
    .join(" ");
    Card {
        href: paths::script(&script.name),
        title,
        icon: script.icon.clone(),
        disabled: script.disabled.clone(),
        may_run,
        last: last.map(|run| LastRun {
            chip: Chip::of(run),
            ago: When::new(run.ended_at.unwrap_or(run.created_at), now).ago,
            took: took(run, now),
        }),
        search: search.to_lowercase(),
        summary,
    }
}
