//! The API under `/api/v1`, for programs and for the scripts of our own pages.
//!
//! What goes in and out is described by types of its own (`*_json`), so a change of the domain
//! changes the API only where someone means it, and nothing is shown that was not listed. The
//! handlers decide nothing: they read strictly, call one use case, and answer.

mod admin;
mod audit_log;
mod events;
mod given;
mod health;
mod lines;
mod me;
mod openapi;
mod output;
mod query;
mod range;
mod run_json;
mod runs;
mod script_json;
mod scripts;
mod start;
mod strict_json;

use crate::routes::{Access, CsrfClass, Route};

/// Its routes, and the two beside it that watch the server's health.
pub(crate) fn routes() -> Vec<Route> {
    use Access::{Bearer, BearerAdmin, Public};
    vec![
        Route::get("/api/v1/scripts", Bearer, scripts::list),
        Route::get("/api/v1/scripts/{*name}", Bearer, scripts::one),
        Route::post("/api/v1/runs", Bearer, CsrfClass::Header, start::start),
        Route::get("/api/v1/runs", Bearer, runs::list),
        Route::get("/api/v1/runs/{id}", Bearer, runs::one),
        Route::get("/api/v1/runs/{id}/output", Bearer, output::output),
        Route::get("/api/v1/runs/{id}/lines", Bearer, lines::lines),
        Route::get("/api/v1/runs/{id}/search", Bearer, lines::search),
        Route::get("/api/v1/runs/{id}/events", Bearer, events::events),
        Route::post(
            "/api/v1/runs/{id}/stop",
            Bearer,
            CsrfClass::Header,
            runs::stop,
        ),
        Route::get("/api/v1/me", Bearer, me::me),
        Route::get("/api/v1/csrf", Bearer, me::csrf),
        Route::get("/api/v1/users", BearerAdmin, admin::users),
        Route::get("/api/v1/groups", BearerAdmin, admin::groups),
        Route::get("/api/v1/tokens", BearerAdmin, admin::tokens),
        Route::get("/api/v1/secrets", BearerAdmin, admin::secrets),
        Route::get("/api/v1/audit-log", BearerAdmin, audit_log::list),
        Route::get("/api/v1/openapi.json", Bearer, openapi::openapi),
        Route::get("/healthz", Public, health::healthz),
        Route::get("/readyz", Public, health::readyz),
    ]
}
