//! The pages: server-rendered, and working without JavaScript.
//!
//! Every `{{ }}` of a template is escaped: askama does that for each file whose name ends in `.html`,
//! and all of ours do. Nothing can switch it off, for all templates or for one: a setting
//! (`askama.toml`), a filter or a word at `#[template]` that would is found by the tests
//! (`no_template_switches_escaping_off`, `b14_b15_that_templates_escape_stands_in_the_documents_and_beside_them`).

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod arrival;
pub(crate) mod audit_log;
pub(crate) mod blocked;
pub(crate) mod catalog;
pub(crate) mod confirm;
pub(crate) mod health;
pub(crate) mod login;
pub(crate) mod markdown;
pub(crate) mod password_link;
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
pub(crate) mod tokens;

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, VARY};

use self::admin::user;
use crate::headers::HasForm;
use crate::problem::Problem;
use crate::routes::CsrfClass::Form;
use crate::routes::{Access, Route};

/// Every page. A name's slashes stand as they are, so nothing follows it.
pub(crate) fn routes() -> Vec<Route> {
    use Access::{PreSession, SignedIn};
    let mut routes = vec![
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
        Route::get("/password", PreSession, password_link::form),
        Route::post("/password", PreSession, Form, password_link::send),
    ];
    routes.extend(of_the_account());
    routes.extend(of_administration());
    routes
}

/// Of one's own account.
fn of_the_account() -> [Route; 8] {
    use Access::{Confirmed, SignedIn};
    [
        Route::get("/account", SignedIn, account::show),
        Route::get("/account/tokens", SignedIn, tokens::list),
        Route::post("/account/tokens", Confirmed, Form, tokens::make),
        Route::post(
            "/account/tokens/{id}/revoke",
            Confirmed,
            Form,
            tokens::revoke,
        ),
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
    ]
}

/// For administrators.
fn of_administration() -> [Route; 26] {
    use Access::{Admin, AdminConfirmed};
    [
        Route::get("/admin", Admin, admin::show),
        Route::get("/admin/users", Admin, admin::users::list),
        Route::post("/admin/users", AdminConfirmed, Form, admin::users::add),
        Route::get("/admin/users/{user}", Admin, user::show),
        Route::post(
            "/admin/users/{user}/groups",
            AdminConfirmed,
            Form,
            user::groups,
        ),
        Route::post(
            "/admin/users/{user}/disable",
            AdminConfirmed,
            Form,
            user::disable,
        ),
        Route::post(
            "/admin/users/{user}/enable",
            AdminConfirmed,
            Form,
            user::enable,
        ),
        Route::post(
            "/admin/users/{user}/sessions",
            AdminConfirmed,
            Form,
            user::sessions,
        ),
        Route::post(
            "/admin/users/{user}/link",
            AdminConfirmed,
            Form,
            user::new_link,
        ),
        Route::post(
            "/admin/users/{user}/delete",
            AdminConfirmed,
            Form,
            user::delete,
        ),
        Route::get("/admin/groups", Admin, admin::groups::list),
        Route::post(
            "/admin/groups/rename",
            AdminConfirmed,
            Form,
            admin::groups::rename,
        ),
        Route::get("/admin/grants", Admin, admin::grants::list),
        Route::post("/admin/grants", AdminConfirmed, Form, admin::grants::add),
        Route::post(
            "/admin/grants/{id}/remove",
            AdminConfirmed,
            Form,
            admin::grants::remove,
        ),
        Route::get("/admin/tokens", Admin, admin::tokens::list),
        Route::post(
            "/admin/tokens/{id}/revoke",
            AdminConfirmed,
            Form,
            admin::tokens::revoke,
        ),
        Route::get(paths::SECRETS, Admin, admin::secrets::list),
        Route::post(paths::SECRETS, AdminConfirmed, Form, admin::secrets::set),
        Route::post(
            "/admin/secrets/remove",
            AdminConfirmed,
            Form,
            admin::secrets::remove,
        ),
        Route::get("/admin/may", Admin, admin::may::show),
        Route::get("/admin/health", Admin, health::show),
        Route::get("/admin/csp-reports", Admin, policy_reports::show),
        Route::get("/admin/blocked", Admin, blocked::show),
        Route::post("/admin/blocked/lift", AdminConfirmed, Form, blocked::lift),
        Route::get(paths::AUDIT_LOG, Admin, audit_log::show),
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
