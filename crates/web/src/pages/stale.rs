//! The page for a form whose one-time token is not good any more: what was filled in, to be sent
//! once more. Forms with a page that can be shown again do so; this is for all others.

use askama::Template;
use axum::response::Response;
use http::{StatusCode, Uri};

use super::confirm::is_secret;
use super::shell::{Here, Shell};
use crate::safe_form::Fields;
use crate::session::Me;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "stale.html")]
pub(super) struct StalePage<'a> {
    pub shell: Shell,
    pub action: &'a str,
    pub fields: Vec<&'a (String, String)>,
    /// Something that was filled in is not kept, so it cannot be sent from here.
    pub left_out: bool,
}

/// Carries the fields, but for secrets.
pub(crate) fn page(state: &AppState, me: &Me, at: &Uri, fields: &Fields) -> Response {
    let kept = |field: &&(String, String)| !is_secret(&field.0);
    let page = StalePage {
        shell: Shell::of(state, me, here(at.path())),
        action: at.path_and_query().map_or("/", |at| at.as_str()),
        fields: fields.0.iter().filter(kept).collect(),
        left_out: !fields.0.iter().all(|field| kept(&field)),
    };
    super::page(StatusCode::FORBIDDEN, &page)
}

/// Which link of the bar leads to where this address belongs.
pub(super) fn here(path: &str) -> Here {
    match path.split('/').nth(1) {
        Some("admin") => Here::Admin,
        Some("runs") => Here::Runs,
        Some("scripts") => Here::Scripts,
        _ => Here::Account,
    }
}
