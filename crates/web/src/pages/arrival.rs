//! The page for somebody whom another site led here. Their session's cookie is strict, so the
//! browser did not send it; this page reloads itself, and then it does.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::shell::Shell;
use crate::base_path::BasePath;

#[derive(Template)]
#[template(path = "arrival.html")]
pub(super) struct ArrivalPage {
    pub shell: Shell,
}

/// The second request comes from our own site, so this page is answered once.
pub(crate) fn page(base: &BasePath) -> Response {
    super::plain_page(
        StatusCode::OK,
        &ArrivalPage {
            shell: Shell::outside(base, String::new()),
        },
    )
}
