//! All accounts, and the form for a new one.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use stagedoor_app::administer::AddAccountError;
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_store::UserRecord;

use super::super::said::When;
use super::super::shell::{Here, Shell};
use super::{Said, admin, groups_of, user};
use crate::problem::Problem;
use crate::safe_form::{Fields, SafeForm};
use crate::session::{Arrival, Me};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "admin_users.html")]
pub(in crate::pages) struct UsersPage {
    pub shell: Shell,
    pub said: Said,
    pub rows: Vec<UserRow>,
    /// What was entered.
    pub name: String,
    pub groups: String,
}

pub(in crate::pages) struct UserRow {
    pub name: String,
    pub groups: String,
    pub disabled: bool,
    /// The operator's command knows its password.
    pub is_external: bool,
    pub made: When,
}

/// `GET /admin/users`
pub(crate) async fn list(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
) -> Result<Response, Problem> {
    show(&state, &me, arrival, Said::default(), &Fields::default()).await
}

/// `POST /admin/users`: shows the link with which the new person chooses a password.
pub(crate) async fn add(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    headers: HeaderMap,
    form: SafeForm<Fields>,
) -> Result<Response, Problem> {
    let fields = form.value;
    let read = UserName::parse(fields.text("name").trim());
    let read = read.and_then(|name| Ok((name, groups_of(fields.text("groups"))?)));
    let (name, groups) = match read {
        Ok(read) => read,
        Err(error) => return show(&state, &me, arrival, Said::bad(&error), &fields).await,
    };
    let by = admin(&state, &me, arrival)?;
    match state.app.add_account(by, name.clone(), groups).await {
        Ok(key) => {
            let link = user::link(&state, &headers, arrival, &key);
            user::page_with_link(&state, &me, arrival, &name, link).await
        }
        Err(AddAccountError::Store(error)) => Err(error.into()),
        Err(error) => show(&state, &me, arrival, Said::bad(&error), &fields).await,
    }
}

async fn show(
    state: &AppState,
    me: &Me,
    arrival: Arrival,
    said: Said,
    entered: &Fields,
) -> Result<Response, Problem> {
    let now = state.app.clock().now();
    let users = state.app.accounts(admin(state, me, arrival)?).await?;
    let row = |record: UserRecord| UserRow {
        name: record.user.name.to_string(),
        groups: say_groups(record.user.groups.iter()),
        disabled: record.disabled,
        is_external: record.is_external,
        made: When::new(record.created_at, now),
    };
    let status = said.status();
    let page = UsersPage {
        shell: Shell::of(state, me, Here::Admin),
        said,
        rows: users.into_iter().map(row).collect(),
        name: entered.text("name").to_owned(),
        groups: entered.text("groups").to_owned(),
    };
    Ok(super::super::page(status, &page))
}

pub(super) fn say_groups<'a>(groups: impl Iterator<Item = &'a GroupName>) -> String {
    groups.map(GroupName::as_str).collect::<Vec<_>>().join(", ")
}
