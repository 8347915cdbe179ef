//! `GET /audit-log`: what is recorded, for admins.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stagedoor_app::audit::{AuditCursor, AuditFilter, AuditRecord};
use stagedoor_app::find::LARGEST_PAGE;
use stagedoor_domain::audit::{Act, Outcome};
use stagedoor_domain::name::UserName;
use utoipa::{IntoParams, ToSchema};

use crate::api::query::{StrictQuery, bad_key, number, read};
use crate::api::runs::timestamp;
use crate::pages::audit_log::address;
use crate::problem::Problem;
use crate::session::Caller;
use crate::state::AppState;

/// Records on a page when the client does not say.
const USUAL_PAGE: usize = 50;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// By this user, or by a token of theirs.
    #[param(pattern = "^[a-z0-9][a-z0-9._-]{0,63}$")]
    user: Option<String>,
    /// What was done, such as `sign_in` or `run_started`.
    #[param(pattern = "^[a-z_]{1,64}$")]
    act: Option<String>,
    /// `done`, `refused` or `failed`.
    #[param(pattern = "^(done|refused|failed)$")]
    outcome: Option<String>,
    /// From this client address.
    #[param(max_length = 64)]
    address: Option<String>,
    /// At this time or later; RFC 3339.
    #[param(format = "date-time")]
    from: Option<String>,
    /// Before this time; RFC 3339.
    #[param(format = "date-time")]
    to: Option<String>,
    /// `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}[.][0-9]{1,18}$")]
    cursor: Option<String>,
    /// At most so many, 1 to 200; 50 when not given.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

impl AuditQuery {
    fn filter(self) -> Result<AuditFilter, Problem> {
        let limit = number("limit", self.limit.as_deref(), 1..=LARGEST_PAGE)?;
        let user = |text: &str| UserName::parse(text).ok();
        let time = "a time like 2026-11-21T20:15:00Z";
        let act = "a word of the log, such as sign_in";
        let outcome = "one of done, refused, failed";
        Ok(AuditFilter {
            act: read("act", self.act.as_deref(), Act::parse, act)?,
            outcome: read("outcome", self.outcome.as_deref(), Outcome::parse, outcome)?,
            without_starts: false,
            user: read("user", self.user.as_deref(), user, "a user's name")?,
            address: match self.address.as_deref() {
                Some(text) => Some(address(text).map_err(|error| bad_key("address", error))?),
                None => None,
            },
            from: read("from", self.from.as_deref(), timestamp, time)?,
            to: read("to", self.to.as_deref(), timestamp, time)?,
            cursor: read(
                "cursor",
                self.cursor.as_deref(),
                AuditCursor::parse,
                "`next` of the page before, or leave it out for the first page",
            )?,
            limit: limit.unwrap_or(USUAL_PAGE),
        })
    }
}

/// One record of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub(crate) struct RecordJson {
    /// Its number, from 1.
    seq: i64,
    /// When.
    #[schema(format = "date-time")]
    at: String,
    /// `user`, `token`, `command_line`, `server` or `stranger`.
    actor: String,
    /// The name of the account whose rights were used.
    user: Option<String>,
    /// The number of the token, or the user id at the command line.
    number: Option<i64>,
    /// The client's address.
    address: Option<String>,
    /// What was done.
    act: String,
    /// To what.
    target: String,
    /// `done`, `refused` or `failed`.
    outcome: String,
    /// More of it, by name.
    #[schema(value_type = Object)]
    detail: serde_json::Map<String, serde_json::Value>,
    /// The hash of the record before it.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    prev: String,
    /// Its own hash, which covers that of the record before.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

impl From<AuditRecord> for RecordJson {
    fn from(record: AuditRecord) -> Self {
        Self {
            seq: record.seq,
            at: record.at.rfc3339(),
            actor: record.actor,
            user: record.user,
            number: record.number,
            address: record.address,
            act: record.act,
            target: record.target,
            outcome: record.outcome,
            detail: record.detail,
            prev: record.prev,
            hash: record.hash,
        }
    }
}

/// A page of the audit log, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditRecords)]
pub(crate) struct RecordsJson {
    /// Where what is wanted is rare, fewer than asked for, though there is a next page.
    items: Vec<RecordJson>,
    /// `cursor` of the next page, if there is one.
    next: Option<String>,
}

/// Who did what, newest first; for administrators.
#[utoipa::path(get, path = "/api/v1/audit-log", tag = "administration", params(AuditQuery), responses(
    (status = 200, body = RecordsJson),
    (status = 400, description = "A filter or the cursor is not understood."),
    (status = 404, description = "Not for this caller."),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    StrictQuery(query): StrictQuery<AuditQuery>,
) -> Result<Json<RecordsJson>, Problem> {
    let permit = state.app.administers(&caller.user);
    let permit = permit.map_err(|_| Problem::not_found())?;
    let page = state.app.audit_page(permit, &query.filter()?).await?;
    Ok(Json(RecordsJson {
        items: page.items.into_iter().map(RecordJson::from).collect(),
        next: page.next.map(|next| next.to_string()),
    }))
}
