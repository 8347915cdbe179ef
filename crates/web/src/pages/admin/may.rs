//! May somebody do something, and which rule says so: `stagedoor may` as a page.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use stagedoor_app::may::{Answer, Question};
use stagedoor_domain::access::{Action, Actions, Verb};
use stagedoor_domain::name::{ScriptName, UserName};

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
    let by = admin(&state, &me, arrival)?;
    let scripts = state.app.catalog().await;
    let users = state.app.accounts(by).await?;
    let mut said = Said::default();
    let answer = if asked.user.is_empty() {
        None
    } else {
        let name = UserName::parse(&asked.user).ok();
        let record = users.iter().find(|r| Some(&r.user.name) == name.as_ref());
        match (record, question(&asked)) {
            (Some(record), Ok(question)) => {
                Some(question.answer(record, &scripts, &state.app.grants()))
            }
            (None, _) => {
                said = Said::bad(&"there is no such user");
                None
            }
            (_, Err(why)) => {
                said = Said::bad(&why);
                None
            }
        }
    };
    let words = Verb::ALL.map(|(word, _)| word).into_iter();
    let choice = |word: &str, asked: &str| Choice {
        word: word.to_owned(),
        chosen: word == asked,
    };
    let page = MayPage {
        shell: Shell::of(&state, &me, Here::Admin),
        users: users
            .iter()
            .map(|record| choice(record.user.name.as_str(), &asked.user))
            .collect(),
        actions: words
            .chain([Actions::ADMIN])
            .map(|word| choice(word, &asked.action))
            .collect(),
        scripts: scripts.scripts().map(|s| s.name.to_string()).collect(),
        answer: answer.map(|answer| said_again(&asked, answer)),
        script: asked.script,
        said,
    };
    Ok(super::super::page(page.said.status(), &page))
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

fn said_again(asked: &Asked, answer: Answer) -> (String, bool, String) {
    let what = match asked.action.as_str() {
        Actions::ADMIN => format!("May {} administer?", asked.user),
        action => format!("May {} {action} {}?", asked.user, asked.script.trim()),
    };
    (what, answer.may, sentence(&answer.why))
}
