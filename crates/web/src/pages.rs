//! The pages: server-rendered, and working without JavaScript.

pub(crate) mod account;
pub(crate) mod arrival;
pub(crate) mod catalog;
pub(crate) mod confirm;
pub(crate) mod health;
pub(crate) mod login;
pub(crate) mod markdown;
pub(crate) mod paths;
pub(crate) mod policy_reports;
pub(crate) mod problem;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod said;
#[cfg(test)]
mod samples;
pub(crate) mod script;
pub(crate) mod setup;
pub(crate) mod shell;
pub(crate) mod stale;

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, VARY};

use crate::headers::HasForm;
use crate::problem::Problem;
use crate::routes::{Access, CsrfClass, Route};

/// Every page. A name's slashes stand as they are, so nothing follows it.
pub(crate) fn routes() -> Vec<Route> {
    use Access::{Admin, Confirmed, PreSession, SignedIn};
    use CsrfClass::Form;
    vec![
        Route::get("/setup", PreSession, setup::form),
        Route::post("/setup", PreSession, Form, setup::send),
        Route::get("/login", PreSession, login::form),
        Route::post("/login", PreSession, Form, login::send),
        Route::post("/logout", SignedIn, Form, login::leave),
        Route::get("/", SignedIn, catalog::show),
        Route::get("/scripts/{*name}", SignedIn, script::form),
        Route::post("/scripts/{*name}", SignedIn, Form, script::send),
        Route::get("/runs", SignedIn, runs::list),
        Route::get("/runs/{id}", SignedIn, run::show),
        Route::get("/runs/{id}/html", SignedIn, run::html::show),
        Route::post("/runs/{id}/stop", SignedIn, Form, run::stop),
        Route::get("/account", SignedIn, account::show),
        Route::post(
            "/account/password",
            SignedIn,
            Form,
            account::password::change,
        ),
        Route::post(
            "/account/sessions/end",
            Confirmed,
            Form,
            account::sessions::end,
        ),
        Route::post(
            "/account/sessions/end-others",
            Confirmed,
            Form,
            account::sessions::end_others,
        ),
        Route::post(
            "/account/sessions/end-all",
            Confirmed,
            Form,
            account::sessions::end_all,
        ),
        Route::post(
            "/account/tokens/revoke",
            Confirmed,
            Form,
            account::tokens::revoke,
        ),
        Route::get("/admin/health", Admin, health::show),
        Route::get("/admin/csp-reports", Admin, policy_reports::show),
    ]
}

/// Marks an answer that has its page already, whatever its status.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rendered;

/// A page whose template has forms, for the policy of what it may do.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    let mut response = plain_page(status, template);
    response.extensions_mut().insert(HasForm);
    response
}

/// A page with forms and with texts of authors, which stand in the reader's language.
pub(crate) fn page_in_language(status: StatusCode, template: &impl Template) -> Response {
    let mut response = page(status, template);
    let by_language = HeaderValue::from_static("accept-language, cookie");
    response.headers_mut().insert(VARY, by_language);
    response
}

/// A page without a form.
pub(crate) fn plain_page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            let mut response = (status, [(CONTENT_TYPE, kind)], html).into_response();
            response.extensions_mut().insert(Rendered);
            response
        }
        Err(error) => Problem::internal(error).into_response(),
    }
}
