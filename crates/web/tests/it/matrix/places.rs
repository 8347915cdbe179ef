//! One line for each route: a request that works, and what kind of place it is.

/// Who may come, as REQUIREMENTS and the manual say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Public,
    Page,
    Api,
    /// The password was given not long ago.
    Confirmed,
    Admin,
    AdminConfirmed,
    AdminApi,
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Read,
    Form,
    Json,
    Report,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each tells of one way in which a place is not like the others"
)]
pub struct Place {
    /// As the table of routes writes it.
    pub route: &'static str,
    pub class: Class,
    pub kind: Kind,
    /// With `{run}` for a run that has ended and `{live}` for one that goes on. In path and body, `{user}` is
    /// somebody new, and `{new}` a name that nobody has.
    pub path: &'static str,
    pub body: &'static str,
    /// The status for one who may.
    pub works: u16,
    pub is_about_a_script: bool,
    pub starts_a_run: bool,
    pub is_before_the_sign_in: bool,
    /// A program with a token is told 400: it has no use for it.
    pub is_for_sessions: bool,
    pub ends_the_session: bool,
    pub is_hidden_first: bool,
}

impl Place {
    pub fn method(&self) -> &'static str {
        if self.kind == Kind::Read {
            "GET"
        } else {
            "POST"
        }
    }

    /// Of a script, or of a run of one.
    const fn of_a_script(mut self) -> Self {
        self.is_about_a_script = true;
        self
    }

    const fn for_sessions(mut self) -> Self {
        self.is_for_sessions = true;
        self
    }

    const fn answering(mut self, status: u16) -> Self {
        self.works = status;
        self
    }

    const fn ending_the_session(mut self) -> Self {
        self.ends_the_session = true;
        self
    }

    /// A form that is shown again when its token is too old: only to who may see it at all.
    const fn hidden_first(mut self) -> Self {
        self.is_hidden_first = true;
        self
    }

    const fn starting(mut self) -> Self {
        self.starts_a_run = true;
        self
    }

    const fn before_the_sign_in(mut self) -> Self {
        self.is_before_the_sign_in = true;
        self
    }
}

const fn read(class: Class, route: &'static str, path: &'static str) -> Place {
    Place {
        route,
        class,
        kind: Kind::Read,
        path,
        body: "",
        works: 200,
        is_about_a_script: false,
        starts_a_run: false,
        is_before_the_sign_in: false,
        is_for_sessions: false,
        ends_the_session: false,
        is_hidden_first: false,
    }
}

const fn send(
    kind: Kind,
    class: Class,
    route: &'static str,
    path: &'static str,
    body: &'static str,
    works: u16,
) -> Place {
    Place {
        kind,
        body,
        works,
        ..read(class, route, path)
    }
}

use Class::{Admin, AdminApi, AdminConfirmed, Api, Confirmed, Page, Public};
use Kind::{Form, Json, Report};

#[rustfmt::skip]
pub const PLACES: &[Place] = &[
    read(Public, "/login", "/login"),
    send(Form, Public, "/login", "/login", "", 403).before_the_sign_in(),
    read(Public, "/setup", "/setup").answering(410),
    send(Form, Public, "/setup", "/setup", "", 403).before_the_sign_in(),
    read(Public, "/healthz", "/healthz"),
    read(Public, "/readyz", "/readyz"),
    read(Public, "/static/{version}/{file}", "{asset}"),
    read(Public, "/favicon.ico", "/favicon.ico").answering(204),
    send(Report, Public, "/csp-report", "/csp-report", "{}", 204),
    send(Form, Page, "/logout", "/logout", "", 303).ending_the_session(),
    read(Page, "/", "/"),
    read(Page, "/scripts/{*name}", "/scripts/ops/hello").of_a_script(),
    send(Form, Page, "/scripts/{*name}", "/scripts/ops/hello", "", 303).of_a_script().starting().hidden_first(),
    read(Page, "/runs", "/runs"),
    read(Page, "/runs/{id}", "/runs/{run}").of_a_script(),
    read(Page, "/runs/{id}/html", "/runs/{run}/html").of_a_script(),
    send(Form, Page, "/runs/{id}/stop", "/runs/{live}/stop", "", 303).of_a_script(),
    read(Page, "/account", "/account"),
    send(Form, Page, "/account/password", "/account/password", "password=wrong&new_password=x&again=x", 401),
    send(Form, Confirmed, "/account/sessions/end", "/account/sessions/end", "session=0", 303),
    send(Form, Confirmed, "/account/sessions/end-others", "/account/sessions/end-others", "", 303),
    send(Form, Confirmed, "/account/sessions/end-all", "/account/sessions/end-all", "", 303).ending_the_session(),
    read(Page, "/account/tokens", "/account/tokens"),
    send(Form, Confirmed, "/account/tokens", "/account/tokens", "name=ci&may=run&scripts=*&term=30d", 200),
    send(Form, Confirmed, "/account/tokens/{id}/revoke", "/account/tokens/99999999/revoke", "", 404),
    read(Public, "/password", "/password").answering(410),
    send(Form, Public, "/password", "/password", "", 403).before_the_sign_in(),
    read(Admin, "/admin", "/admin"),
    read(Admin, "/admin/audit-log", "/admin/audit-log"),
    read(Admin, "/admin/blocked", "/admin/blocked"),
    send(Form, AdminConfirmed, "/admin/blocked/lift", "/admin/blocked/lift", "all=all", 303),
    read(Admin, "/admin/users", "/admin/users"),
    send(Form, AdminConfirmed, "/admin/users", "/admin/users", "name={new}&groups=", 200),
    read(Admin, "/admin/users/{user}", "/admin/users/{user}"),
    send(Form, AdminConfirmed, "/admin/users/{user}/groups", "/admin/users/{user}/groups", "groups=x", 303),
    send(Form, AdminConfirmed, "/admin/users/{user}/disable", "/admin/users/{user}/disable", "", 303),
    send(Form, AdminConfirmed, "/admin/users/{user}/enable", "/admin/users/{user}/enable", "", 303),
    send(Form, AdminConfirmed, "/admin/users/{user}/sessions", "/admin/users/{user}/sessions", "", 200),
    send(Form, AdminConfirmed, "/admin/users/{user}/link", "/admin/users/{user}/link", "", 200),
    send(Form, AdminConfirmed, "/admin/users/{user}/delete", "/admin/users/{user}/delete", "sure=yes", 303),
    read(Admin, "/admin/groups", "/admin/groups"),
    send(Form, AdminConfirmed, "/admin/groups/rename", "/admin/groups/rename", "from=none&to={new}", 422),
    read(Admin, "/admin/grants", "/admin/grants"),
    send(Form, AdminConfirmed, "/admin/grants", "/admin/grants", "group=none&scripts=*&may=view", 303),
    send(Form, AdminConfirmed, "/admin/grants/{id}/remove", "/admin/grants/999/remove", "", 404),
    read(Admin, "/admin/tokens", "/admin/tokens"),
    send(Form, AdminConfirmed, "/admin/tokens/{id}/revoke", "/admin/tokens/99999999/revoke", "", 404),
    read(Admin, "/admin/secrets", "/admin/secrets"),
    send(Form, AdminConfirmed, "/admin/secrets", "/admin/secrets", "name={new}&secret_value=x", 303),
    send(Form, AdminConfirmed, "/admin/secrets/remove", "/admin/secrets/remove", "name=none&sure=yes", 404),
    read(Admin, "/admin/may", "/admin/may"),
    read(AdminApi, "/api/v1/audit-log", "/api/v1/audit-log"),
    read(AdminApi, "/api/v1/users", "/api/v1/users"),
    read(AdminApi, "/api/v1/groups", "/api/v1/groups"),
    read(AdminApi, "/api/v1/tokens", "/api/v1/tokens"),
    read(AdminApi, "/api/v1/secrets", "/api/v1/secrets"),
    read(Admin, "/admin/health", "/admin/health"),
    read(Admin, "/admin/csp-reports", "/admin/csp-reports"),
    read(Api, "/api/v1/scripts", "/api/v1/scripts"),
    read(Api, "/api/v1/scripts/{*name}", "/api/v1/scripts/ops/hello").of_a_script(),
    send(Json, Api, "/api/v1/runs", "/api/v1/runs", r#"{"script":"ops/hello"}"#, 201).of_a_script().starting(),
    read(Api, "/api/v1/runs", "/api/v1/runs"),
    read(Api, "/api/v1/runs/{id}", "/api/v1/runs/{run}").of_a_script(),
    read(Api, "/api/v1/runs/{id}/output", "/api/v1/runs/{run}/output").of_a_script(),
    read(Api, "/api/v1/runs/{id}/lines", "/api/v1/runs/{run}/lines").of_a_script(),
    read(Api, "/api/v1/runs/{id}/search", "/api/v1/runs/{run}/search?q=h").of_a_script(),
    read(Api, "/api/v1/runs/{id}/events", "/api/v1/runs/{run}/events").of_a_script(),
    send(Json, Api, "/api/v1/runs/{id}/stop", "/api/v1/runs/{live}/stop", "", 202).of_a_script(),
    read(Api, "/api/v1/me", "/api/v1/me"),
    read(Api, "/api/v1/csrf", "/api/v1/csrf").for_sessions(),
    read(Api, "/api/v1/openapi.json", "/api/v1/openapi.json"),
];
