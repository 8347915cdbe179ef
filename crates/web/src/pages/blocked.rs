//! Who cannot sign in for a while because too much failed, for admins, who can lift it.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use stagedoor_app::throttle::{BlockedPlace, what};
use stagedoor_domain::audit::Origin;
use stagedoor_domain::time::Timestamp;

use super::paths;
use super::said::{When, limit};
use super::shell::{Here, Shell};
use crate::problem::Problem;
use crate::safe_form::{Fields, FromFields, NotSafe, SafeForm};
use crate::session::{Arrival, Me};
use crate::state::AppState;

/// Rows of the page. More are counted; they can be lifted together.
const ROWS: usize = 200;

#[derive(Template)]
#[template(path = "blocked.html")]
pub(super) struct BlockedPage {
    pub shell: Shell,
    pub rows: Vec<BlockedRow>,
    /// Blocks that have no row.
    pub more: usize,
    /// What the operator has set.
    pub failures: u32,
    pub first: String,
}

pub(super) struct BlockedRow {
    pub id: String,
    pub what: String,
    pub network: String,
    pub rounds: u32,
    pub last: When,
    pub until: When,
}

/// What is to be lifted.
pub(crate) struct Lift {
    /// None: all.
    id: Option<String>,
}

impl FromFields for Lift {
    fn from_fields(fields: Fields) -> Self {
        let id = fields.text("id").to_owned();
        Self {
            id: (fields.text("all") != "yes").then_some(id),
        }
    }
}

/// `GET /admin/blocked`
pub(crate) async fn show(State(state): State<AppState>, me: Me) -> Result<Response, Problem> {
    let now = state.app.clock().now();
    let blocked = state.app.blocked().await?;
    let set = state.app.options().sign_in;
    let page = BlockedPage {
        shell: Shell::of(&state, &me, Here::Admin),
        more: blocked.len().saturating_sub(ROWS),
        rows: blocked
            .into_iter()
            .take(ROWS)
            .map(|block| row(block, now))
            .collect(),
        failures: set.failures,
        first: limit(set.blocked_for),
    };
    Ok(super::page(StatusCode::OK, &page))
}

/// `POST /admin/blocked/lift`
pub(crate) async fn lift(
    State(state): State<AppState>,
    arrival: Arrival,
    me: Me,
    form: SafeForm<Lift>,
) -> Result<Response, NotSafe> {
    let by = Origin::user(&me.0.user, arrival.peer);
    let id = form.value.id;
    let lifted = state.app.lift_blocks(&by, id.as_deref()).await;
    lifted.map_err(|error| NotSafe::Refused(error.into()))?;
    // One that has ended by itself meanwhile is as good as lifted.
    Ok(Redirect::to(paths::BLOCKED).into_response())
}

fn row(block: BlockedPlace, now: Timestamp) -> BlockedRow {
    BlockedRow {
        what: capital(&what(block.kind, block.user.as_ref())),
        rounds: block.rounds,
        last: When::new(block.last, now),
        until: When {
            ago: format!("in {}", minutes(block.until.since(now).as_secs())),
            ..When::new(block.until, now)
        },
        network: block.network,
        id: block.id,
    }
}

/// A time to come, rounded up.
fn minutes(seconds: u64) -> String {
    match seconds.div_ceil(60) {
        minutes @ 0..=120 => format!("{minutes} min"),
        minutes => format!("{} h", minutes.div_ceil(60)),
    }
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(rest).collect()
    })
}
