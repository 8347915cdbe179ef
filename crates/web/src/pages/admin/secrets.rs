//! Stored secrets: which there are, and who lists them; set anew and removed here. No answer has a value.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use stagedoor_app::secrets::{NamedSecret, SecretRecord, SetSecretError, listed_by, missing};
use stagedoor_domain::name::{BadName, SecretName};
use stagedoor_domain::secret::{BadSecret, SecretValue};

use super::super::paths;
use super::super::said::When;
use super::super::shell::{Here, Shell};
use super::{Said, admin};
use crate::problem::Problem;
use crate::safe_form::{Fields, SafeForm};
use crate::session::{Arrival, Me};
use crate::state::AppState;

/// The field with the value. No page is ever made with what was sent in it.
const VALUE_FIELD: &str = "secret_value";

#[derive(Template)]
#[template(path = "admin_secrets.html")]
pub(in crate::pages) struct SecretsPage {
    pub shell: Shell,
    pub said: Said,
    pub rows: Vec<SecretRow>,
    /// Secrets that do not open, and those that scripts list and that are not there.
    pub missing: Vec<String>,
    /// What was entered.
    pub name: String,
}

pub(in crate::pages) struct SecretRow {
    pub name: String,
    pub set: When,
    pub by: String,
    pub scripts: Vec<String>,
}

/// Why what was entered is no secret.
#[derive(Debug, thiserror::Error)]
enum NoSecret {
    #[error(transparent)]
    Name(#[from] BadName),
    /// Also after the page that asks for the password, which carries no secrets.
    #[error("enter the value; it is never kept in a form, so it may have to be entered again")]
    Empty,
    #[error("{0}")]
    Value(BadSecret),
}

impl From<BadSecret> for NoSecret {
    fn from(error: BadSecret) -> Self {
        match error {
            BadSecret::Empty => Self::Empty,
            BadSecret::TooLarge => Self::Value(error),
        }
    }
}

/// The page's query.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// The secret that was set or removed before this page was asked for.
    #[serde(default)]
    done: String,
}

impl Asked {
    /// What became of it, as the store tells and not as the address says.
    fn said(&self, stored: &[SecretRecord]) -> Said {
        match SecretName::parse(&self.done) {
            Err(_) => Said::default(),
            Ok(name) if stored.iter().any(|record| record.name == name) => {
                Said::good(format!("`{name}` is set."))
            }
            Ok(name) => Said::good(format!("There is no secret `{name}`.")),
        }
    }
}

/// `GET /admin/secrets`
pub(crate) async fn list(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let stored = state.app.secrets(admin(&state, &me, arrival)?).await?;
    let said = asked.said(&stored);
    page(&state, &me, stored, said, "").await
}

/// `POST /admin/secrets`
pub(crate) async fn set(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    form: SafeForm<Fields>,
) -> Result<Response, Problem> {
    let mut fields = form.value;
    let value = fields.take(VALUE_FIELD);
    let name = fields.text("name").trim();
    let secret = match read(name, value) {
        Ok(secret) => secret,
        Err(error) => return show(&state, &me, arrival, Said::bad(&error), name).await,
    };
    let by = admin(&state, &me, arrival)?;
    let set = secret.name.clone();
    match state.app.set_secret(by, secret).await {
        Ok(()) => Ok(done(&set)),
        Err(SetSecretError::Store(error)) => Err(error.into()),
        Err(error @ SetSecretError::Keys(_)) => Err(Problem::internal(error)),
        Err(error) => show(&state, &me, arrival, Said::bad(&error), name).await,
    }
}

/// `POST /admin/secrets/remove`
pub(crate) async fn remove(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    form: SafeForm<Fields>,
) -> Result<Response, Problem> {
    let name = SecretName::parse(form.value.text("name")).map_err(|_| Problem::not_found())?;
    if form.value.text("sure") != "yes" {
        let said = Said::bad(&format!(
            "tick the box to remove {name}; nothing was changed"
        ));
        return show(&state, &me, arrival, said, "").await;
    }
    let by = admin(&state, &me, arrival)?;
    if state.app.remove_secret(by, name.clone()).await? {
        Ok(done(&name))
    } else {
        Err(Problem::not_found())
    }
}

/// A name needs no escaping in a query.
fn done(name: &SecretName) -> Response {
    Redirect::to(&format!("{}?done={name}", paths::SECRETS)).into_response()
}

fn read(name: &str, value: String) -> Result<NamedSecret, NoSecret> {
    let value = SecretValue::of_form(value);
    Ok(NamedSecret {
        name: SecretName::parse(name)?,
        value: value?,
    })
}

async fn show(
    state: &AppState,
    me: &Me,
    arrival: Arrival,
    said: Said,
    entered: &str,
) -> Result<Response, Problem> {
    let stored = state.app.secrets(admin(state, me, arrival)?).await?;
    page(state, me, stored, said, entered).await
}

async fn page(
    state: &AppState,
    me: &Me,
    stored: Vec<SecretRecord>,
    said: Said,
    entered: &str,
) -> Result<Response, Problem> {
    let now = state.app.clock().now();
    let unopened = state.app.unopened(&stored).await;
    let mut listed = listed_by(&*state.app.catalog().await);
    let rows = stored.into_iter().map(|record| {
        let scripts = listed.remove(&record.name).unwrap_or_default();
        SecretRow {
            name: record.name.to_string(),
            set: When::new(record.set_at, now),
            by: record.set_by,
            scripts: scripts.iter().map(ToString::to_string).collect(),
        }
    });
    let (rows, status) = (rows.collect(), said.status());
    let missing = listed.iter().map(|(name, by)| missing(name, by));
    let page = SecretsPage {
        shell: Shell::of(state, me, Here::Admin),
        said,
        rows,
        missing: unopened.into_iter().chain(missing).collect(),
        name: entered.to_owned(),
    };
    Ok(super::super::page(status, &page))
}
