//! The groups: who is in them, what names them, and how they are called.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use stagedoor_app::groups::{KnownGroup, mentions};
use stagedoor_domain::name::GroupName;
use stagedoor_store::RenameError;

use super::super::shell::{Here, Shell};
use super::{Said, admin};
use crate::problem::Problem;
use crate::safe_form::{Fields, SafeForm};
use crate::session::{Arrival, Me};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "admin_groups.html")]
pub(in crate::pages) struct GroupsPage {
    pub shell: Shell,
    pub said: Said,
    /// What waits for a second word.
    pub ask: Option<Ask>,
    pub rows: Vec<GroupRow>,
    /// What can be renamed.
    pub names: Vec<String>,
}

/// A group that is to be called by a name that files give rights to.
pub(in crate::pages) struct Ask {
    pub from: String,
    pub to: String,
    /// Where they do.
    pub places: Vec<String>,
}

/// Where a group is named in more places than these, they are folded: of `everyone`, most scripts say
/// something.
const SHOWN: usize = 3;

pub(in crate::pages) struct GroupRow {
    pub name: String,
    pub members: Vec<String>,
    /// Where it is named: grants and scripts.
    pub places: Vec<String>,
    pub is_long: bool,
    /// Everybody is in it.
    pub is_everyone: bool,
}

/// `GET /admin/groups`
pub(crate) async fn list(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
) -> Result<Response, Problem> {
    show(&state, &me, arrival, Said::default(), None).await
}

/// `POST /admin/groups/rename`
pub(crate) async fn rename(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    form: SafeForm<Fields>,
) -> Result<Response, Problem> {
    let by = admin(&state, &me, arrival)?;
    let (from, to) = (form.value.text("from").trim(), form.value.text("to").trim());
    let read = GroupName::parse(from).and_then(|from| Ok((from, GroupName::parse(to)?)));
    let (old, new) = match read {
        Ok(read) => read,
        Err(error) => return show(&state, &me, arrival, Said::bad(&error), None).await,
    };
    let given = places(&state, &new).await;
    if !given.is_empty() && form.value.text("sure") != "yes" {
        let ask = Ask {
            from: old.to_string(),
            to: new.to_string(),
            places: given,
        };
        return show(&state, &me, arrival, Said::default(), Some(ask)).await;
    }
    let said = match state.app.rename_group(by, old.clone(), new).await {
        Ok(_) => renamed(&state, &old, to).await,
        Err(RenameError::Store(error)) => return Err(error.into()),
        Err(error) => Said::bad(&error),
    };
    show(&state, &me, arrival, said, None).await
}

/// Where files name this group.
async fn places(state: &AppState, group: &GroupName) -> Vec<String> {
    let scripts = state.app.catalog().await;
    let all = mentions(&state.app.grants(), &scripts).into_iter();
    all.filter(|mention| mention.group == *group)
        .map(|mention| mention.place)
        .collect()
}

/// Says also which files still have the old name.
async fn renamed(state: &AppState, old: &GroupName, new: &str) -> Said {
    let left = places(state, old).await;
    let done = format!("{old} is called {new} now.");
    if left.is_empty() {
        return Said::good(done);
    }
    Said {
        good: Some(done),
        bad: Some(format!(
            "Files still say {old}, which nobody is in any more. Change them by hand: {}.",
            left.join("; ")
        )),
    }
}

async fn show(
    state: &AppState,
    me: &Me,
    arrival: Arrival,
    said: Said,
    ask: Option<Ask>,
) -> Result<Response, Problem> {
    let scripts = state.app.catalog().await;
    let by = admin(state, me, arrival)?;
    let groups = state.app.groups(by, &scripts).await?;
    let is_built_in =
        |name: &GroupName| [GroupName::ADMINS, GroupName::EVERYONE].contains(&name.as_str());
    let names = groups.keys().filter(|name| !is_built_in(name));
    let names = names.map(ToString::to_string).collect();
    let status = match (&said.good, &ask) {
        (_, Some(_)) => StatusCode::CONFLICT,
        (Some(_), None) => StatusCode::OK,
        (None, None) => said.status(),
    };
    let page = GroupsPage {
        shell: Shell::of(state, me, Here::Admin),
        said,
        ask,
        rows: groups.into_iter().map(row).collect(),
        names,
    };
    Ok(super::super::page(status, &page))
}

fn row((name, group): (GroupName, KnownGroup)) -> GroupRow {
    GroupRow {
        is_everyone: name.as_str() == GroupName::EVERYONE,
        name: name.to_string(),
        members: group.members.iter().map(ToString::to_string).collect(),
        is_long: group.places.len() > SHOWN,
        places: group.places,
    }
}
