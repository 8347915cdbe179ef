//! `GET /scripts` and `GET /scripts/{name}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use stagedoor_domain::access::{User, may_run, may_view};
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::script::Script;

use crate::api::script_json::{ScriptJson, ScriptsJson, SummaryJson};
use crate::problem::Problem;
use crate::session::Caller;
use crate::state::AppState;

/// All scripts that the caller may see, without the hidden ones.
#[utoipa::path(get, path = "/api/v1/scripts", tag = "scripts", responses(
    (status = 200, body = ScriptsJson),
))]
pub(super) async fn list(State(state): State<AppState>, caller: Caller) -> Json<ScriptsJson> {
    let grants = state.app.grants();
    let items = state
        .app
        .catalog()
        .await
        .scripts()
        .filter(|script| !script.hidden && may_view(&caller.user, script, &grants).is_ok())
        .map(|script| SummaryJson::of(script, may_run(&caller.user, script, &grants).is_ok()))
        .collect();
    Json(ScriptsJson { items })
}

/// A script with its parameters. A hidden one is found by who may see it.
#[utoipa::path(get, path = "/api/v1/scripts/{name}", tag = "scripts",
    params(("name" = String, Path, description = "`folder/name`; its slashes stand as they are")),
    responses(
        (status = 200, body = ScriptJson),
        (status = 404, description = "Unknown, or not for this caller: the same answer."),
    ))]
pub(super) async fn one(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ScriptJson>, Problem> {
    let script = visible(&state, &caller.user, &name).await?;
    let may_run = may_run(&caller.user, &script, &state.app.grants()).is_ok();
    Ok(Json(ScriptJson::of(&script, may_run)))
}

/// The script if this user may know of it.
pub(super) async fn visible(
    state: &AppState,
    user: &User,
    name: &str,
) -> Result<Arc<Script>, Problem> {
    let name = ScriptName::parse(name).map_err(|_| Problem::not_found())?;
    let script = state
        .app
        .catalog()
        .await
        .get(&name)
        .cloned()
        .ok_or_else(Problem::not_found)?;
    may_view(user, &script, &state.app.grants()).map_err(|_| Problem::not_found())?;
    Ok(script)
}
