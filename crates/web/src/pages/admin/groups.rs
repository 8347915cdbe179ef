//! The groups: who is in them, what names them, and how they are called.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use stagedoor_app::groups::mentions;
use stagedoor_domain::access::Origin;
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
    pub rows: Vec<GroupRow>,
    /// What can be renamed.
    pub names: Vec<String>,
}

#[derive(Default)]
pub(in crate::pages) struct GroupRow {
    pub name: String,
    pub members: Vec<String>,
    /// Where it is named: grants and scripts.
    pub places: Vec<String>,
    /// Everybody is in it.
    pub is_everyone: bool,
}

/// `GET /admin/groups`
pub(crate) async fn list(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
) -> Result<Response, Problem> {
    show(&state, &me, arrival, Said::default()).await
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
        Err(error) => return show(&state, &me, arrival, Said::bad(&error)).await,
    };
    let said = match state.app.rename_group(by, old.clone(), new).await {
        Ok(_) => renamed(&state, &old, to).await,
        Err(RenameError::Store(error)) => return Err(error.into()),
        Err(error) => Said::bad(&error),
    };
    show(&state, &me, arrival, said).await
}

/// Says also which files still have the old name.
async fn renamed(state: &AppState, old: &GroupName, new: &str) -> Said {
    let scripts = state.app.catalog().await;
    let left = mentions(&state.app.grants(), &scripts).into_iter();
    let left: Vec<String> = left.filter(|m| m.group == *old).map(|m| m.place).collect();
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

/// Of `everyone`, most scripts say something.
fn shortened(mut places: Vec<String>) -> Vec<String> {
    const MOST: usize = 8;
    let more = places.len().saturating_sub(MOST);
    if more > 1 {
        places.truncate(MOST);
        places.push(format!("and {more} more"));
    }
    places
}

async fn show(
    state: &AppState,
    me: &Me,
    arrival: Arrival,
    said: Said,
) -> Result<Response, Problem> {
    let mut rows: BTreeMap<GroupName, GroupRow> = BTreeMap::new();
    for record in state.app.accounts(admin(state, me, arrival)?).await? {
        for group in record.user.groups {
            let members = &mut rows.entry(group).or_default().members;
            members.push(record.user.name.to_string());
        }
    }
    let grants = state.app.grants();
    let stored = grants.0.iter().filter_map(|grant| match grant.origin {
        Origin::Stored(_) => Some((grant.group.clone(), grant.origin.to_string())),
        Origin::File(_) => None,
    });
    let scripts = state.app.catalog().await;
    let files = mentions(&grants, &scripts).into_iter();
    for (group, place) in stored.chain(files.map(|m| (m.group, m.place))) {
        rows.entry(group).or_default().places.push(place);
    }
    let is_built_in =
        |name: &GroupName| [GroupName::ADMINS, GroupName::EVERYONE].contains(&name.as_str());
    let names = rows.keys().filter(|name| !is_built_in(name));
    let names = names.map(ToString::to_string).collect();
    let rows = rows.into_iter().map(|(name, row)| GroupRow {
        is_everyone: name.as_str() == GroupName::EVERYONE,
        name: name.to_string(),
        places: shortened(row.places),
        members: row.members,
    });
    let status = match said.good {
        Some(_) => http::StatusCode::OK,
        None => said.status(),
    };
    let page = GroupsPage {
        shell: Shell::of(state, me, Here::Admin),
        said,
        rows: rows.collect(),
        names,
    };
    Ok(super::super::page(status, &page))
}
