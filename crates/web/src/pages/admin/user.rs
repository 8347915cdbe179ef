//! One account: its groups, its lock, its sessions, a link for a password, its end.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use stagedoor_domain::name::UserName;
use stagedoor_store::{ChangeUserError, UserRecord};

use super::super::paths;
use super::super::said::When;
use super::super::shell::{Here, Shell};
use super::users::say_groups;
use super::{Said, admin, groups_of};
use crate::problem::Problem;
use crate::safe_form::{Fields, SafeForm};
use crate::session::{Arrival, Me};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "admin_user.html")]
pub(in crate::pages) struct UserPage {
    pub shell: Shell,
    pub said: Said,
    pub name: String,
    pub groups: String,
    pub disabled: bool,
    /// The operator's command knows its password.
    pub is_external: bool,
    pub made: When,
    pub tokens: usize,
    /// Shown once.
    pub link: Option<String>,
}

/// `GET /admin/users/{user}`
pub(crate) async fn show(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let record = find(&state, &me, arrival, &name).await?;
    page(&state, &me, arrival, &record, Said::default(), None).await
}

/// `POST /admin/users/{user}/groups`
pub(crate) async fn groups(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    Path(name): Path<String>,
    form: SafeForm<Fields>,
) -> Result<Response, Problem> {
    let record = find(&state, &me, arrival, &name).await?;
    let groups = match groups_of(form.value.text("groups")) {
        Ok(groups) => groups,
        Err(error) => {
            let said = Said::bad(&error);
            return page(&state, &me, arrival, &record, said, None).await;
        }
    };
    let by = admin(&state, &me, arrival)?;
    let changed = state.app.set_groups(by, &record, groups).await;
    answer(&state, &me, arrival, &record, changed).await
}

/// `POST /admin/users/{user}/disable`
pub(crate) async fn disable(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    Path(name): Path<String>,
    _form: SafeForm<()>,
) -> Result<Response, Problem> {
    set_disabled(&state, &me, arrival, &name, true).await
}

/// `POST /admin/users/{user}/enable`
pub(crate) async fn enable(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    Path(name): Path<String>,
    _form: SafeForm<()>,
) -> Result<Response, Problem> {
    set_disabled(&state, &me, arrival, &name, false).await
}

async fn set_disabled(
    state: &AppState,
    me: &Me,
    arrival: Arrival,
    name: &str,
    disabled: bool,
) -> Result<Response, Problem> {
    let record = find(state, me, arrival, name).await?;
    let by = admin(state, me, arrival)?;
    let changed = state.app.set_disabled(by, &record, disabled).await;
    answer(state, me, arrival, &record, changed).await
}

/// `POST /admin/users/{user}/sessions`: signs the account out everywhere.
pub(crate) async fn sessions(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    Path(name): Path<String>,
    _form: SafeForm<()>,
) -> Result<Response, Problem> {
    let record = find(&state, &me, arrival, &name).await?;
    let by = admin(&state, &me, arrival)?;
    let said = match state.app.end_sessions(by, &record).await? {
        0 => Said::good(format!("{name} was not signed in.")),
        1 => Said::good(format!("{name}’s session is ended.")),
        many => Said::good(format!("{many} sessions of {name} are ended.")),
    };
    page(&state, &me, arrival, &record, said, None).await
}

/// `POST /admin/users/{user}/link`: a new link to choose a password. Whose password is not kept here
/// becomes a local user by it, which is not done by the way.
pub(crate) async fn new_link(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    headers: HeaderMap,
    Path(name): Path<String>,
    form: SafeForm<Fields>,
) -> Result<Response, Problem> {
    let record = find(&state, &me, arrival, &name).await?;
    if record.is_external && form.value.text("sure") != "yes" {
        let said = Said::bad(&format!(
            "tick the box to make {name} a local account; nothing was changed"
        ));
        return page(&state, &me, arrival, &record, said, None).await;
    }
    let by = admin(&state, &me, arrival)?;
    match state.app.give_link(by, &record).await {
        Ok(key) => {
            let link = link(&state, &headers, arrival, &key);
            page(&state, &me, arrival, &record, Said::default(), Some(link)).await
        }
        Err(error) => answer(&state, &me, arrival, &record, Err(error)).await,
    }
}

/// `POST /admin/users/{user}/delete`
pub(crate) async fn delete(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    Path(name): Path<String>,
    form: SafeForm<Fields>,
) -> Result<Response, Problem> {
    let record = find(&state, &me, arrival, &name).await?;
    if form.value.text("sure") != "yes" {
        let said = Said::bad(&format!(
            "tick the box to delete {name}; nothing was changed"
        ));
        return page(&state, &me, arrival, &record, said, None).await;
    }
    let by = admin(&state, &me, arrival)?;
    match state.app.delete_account(by, &record).await {
        Ok(()) => Ok(Redirect::to(paths::USERS).into_response()),
        refused => answer(&state, &me, arrival, &record, refused).await,
    }
}

/// The page of an account that was just made, with its link.
pub(super) async fn page_with_link(
    state: &AppState,
    me: &Me,
    arrival: Arrival,
    name: &UserName,
    link: String,
) -> Result<Response, Problem> {
    let record = find(state, me, arrival, name.as_str()).await?;
    page(state, me, arrival, &record, Said::default(), Some(link)).await
}

/// The address at which somebody chooses a password.
pub(super) fn link(state: &AppState, headers: &HeaderMap, arrival: Arrival, key: &str) -> String {
    let site = state.site.of_link(headers, arrival.is_secure);
    let path = paths::query(paths::PASSWORD, &[("key", key)]);
    format!("{site}{}{path}", state.base)
}

async fn find(
    state: &AppState,
    me: &Me,
    arrival: Arrival,
    name: &str,
) -> Result<UserRecord, Problem> {
    let name = UserName::parse(name).map_err(|_| Problem::not_found())?;
    let found = state.app.account(admin(state, me, arrival)?, &name).await?;
    found.ok_or_else(Problem::not_found)
}

async fn answer(
    state: &AppState,
    me: &Me,
    arrival: Arrival,
    record: &UserRecord,
    changed: Result<(), ChangeUserError>,
) -> Result<Response, Problem> {
    match changed {
        Ok(()) => Ok(Redirect::to(&paths::user(&record.user.name)).into_response()),
        Err(ChangeUserError::Absent) => Err(Problem::not_found()),
        Err(ChangeUserError::Store(error)) => Err(error.into()),
        Err(error @ ChangeUserError::LastAdmin) => {
            page(state, me, arrival, record, Said::bad(&error), None).await
        }
    }
}

async fn page(
    state: &AppState,
    me: &Me,
    arrival: Arrival,
    record: &UserRecord,
    said: Said,
    link: Option<String>,
) -> Result<Response, Problem> {
    let by = admin(state, me, arrival)?;
    let status = match said.bad {
        Some(_) => StatusCode::CONFLICT,
        None => StatusCode::OK,
    };
    let page = UserPage {
        shell: Shell::of(state, me, Here::Admin),
        said,
        name: record.user.name.to_string(),
        groups: say_groups(record.user.groups.iter()),
        disabled: record.disabled,
        is_external: record.is_external,
        made: When::new(record.created_at, state.app.clock().now()),
        tokens: state.app.tokens(by, Some(record)).await?.len(),
        link,
    };
    Ok(super::super::page(status, &page))
}
