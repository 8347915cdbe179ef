//! May somebody do something, and which rule says so: `stagedoor may` as a page.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use stagedoor_app::may::{Answer, Question};
use stagedoor_catalog::Snapshot;
use stagedoor_domain::access::{Action, Actions, Grants, Verb};
use stagedoor_domain::name::ScriptName;
use stagedoor_store::UserRecord;

use super::super::setup::sentence;
use super::super::shell::{Here, Shell};
use super::{Said, admin};
use crate::problem::Problem;
use crate::session::{Arrival, Me};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "admin_may.html")]
pub(in crate::pages) struct MayPage {
    pub shell: Shell,
    pub said: Said,
    pub users: Vec<Choice>,
    pub actions: Vec<Choice>,
    pub scripts: Vec<String>,
    pub script: String,
    /// The question again, and whether the answer is yes, and why.
    pub answer: Option<(String, bool, String)>,
}

pub(in crate::pages) struct Choice {
    pub word: String,
    pub chosen: bool,
}

/// The page's query.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    user: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    script: String,
}

/// `GET /admin/may`
pub(crate) async fn show(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let asked = query.map(|Query(asked)| asked).unwrap_or_default();
    let scripts = state.app.catalog().await;
    let users = state.app.accounts(admin(&state, &me, arrival)?).await?;
    let (answer, said) = match answer(&asked, &users, &scripts, &state.app.grants()) {
        None => (None, Said::default()),
        Some(Ok(answer)) => (Some(said_again(&asked, &answer)), Said::default()),
        Some(Err(why)) => (None, Said::bad(&why)),
    };
    let users = users.iter().map(|record| record.user.name.as_str());
    let words = Verb::ALL.map(|(word, _)| word).into_iter();
    let page = MayPage {
        shell: Shell::of(&state, &me, Here::Admin),
        users: choices(users, &asked.user),
        actions: choices(words.chain([Actions::ADMIN]), &asked.action),
        scripts: scripts.scripts().map(|s| s.name.to_string()).collect(),
        script: asked.script,
        answer,
        said,
    };
    Ok(super::super::page(page.said.status(), &page))
}

fn choices<'a>(words: impl Iterator<Item = &'a str>, chosen: &str) -> Vec<Choice> {
    let choice = |word: &str| Choice {
        word: word.to_owned(),
        chosen: word == chosen,
    };
    words.map(choice).collect()
}

/// None: nothing was asked yet.
fn answer(
    asked: &Asked,
    users: &[UserRecord],
    scripts: &Snapshot,
    grants: &Grants,
) -> Option<Result<Answer, String>> {
    if asked.user.is_empty() {
        return None;
    }
    let record = users.iter().find(|r| r.user.name.as_str() == asked.user);
    let Some(record) = record else {
        return Some(Err("there is no such user".to_owned()));
    };
    Some(question(asked).map(|question| question.answer(record, scripts, grants)))
}

fn question(asked: &Asked) -> Result<Question, String> {
    let action = Action::parse(&asked.action).ok_or("choose an action")?;
    let script = match (action, asked.script.trim()) {
        // The field is there whatever the action.
        (Action::Admin, _) | (_, "") => None,
        (_, name) => Some(ScriptName::parse(name).map_err(|error| error.to_string())?),
    };
    Question::new(action, script).ok_or_else(|| "name a script".to_owned())
}

fn said_again(asked: &Asked, answer: &Answer) -> (String, bool, String) {
    let what = match asked.action.as_str() {
        Actions::ADMIN => format!("May {} administer?", asked.user),
        action => format!("May {} {action} {}?", asked.user, asked.script.trim()),
    };
    (what, answer.may, sentence(&answer.why))
}
