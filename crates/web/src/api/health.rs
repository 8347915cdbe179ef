//! `/healthz` and `/readyz`, for what watches the server. They say no version and no secret.

use axum::extract::State;
use http::StatusCode;

use crate::state::AppState;

/// The server answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The server can start runs, as far as can be told without starting one: the store answers, its disk
/// has room and the last write worked, the runner is there, and the server is not about to end.
pub(super) async fn readyz(State(state): State<AppState>) -> (StatusCode, &'static str) {
    if !state.shutdown.is_cancelled() && state.app.is_ready().await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}
