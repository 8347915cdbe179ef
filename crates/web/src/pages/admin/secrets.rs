//! Stored secrets: which there are, and who lists them; set anew and removed here. No answer has a value.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use stagedoor_app::secrets::{NamedSecret, SetSecretError, listed_by, missing};
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

/// `GET /admin/secrets`
pub(crate) async fn list(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
) -> Result<Response, Problem> {
    show(&state, &me, arrival, Said::default(), "").await
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
    match state.app.set_secret(by, secret).await {
        Ok(()) => Ok(Redirect::to(paths::SECRETS).into_response()),
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
    if state.app.remove_secret(by, name).await? {
        Ok(Redirect::to(paths::SECRETS).into_response())
    } else {
        Err(Problem::not_found())
    }
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
    let now = state.app.clock().now();
    let stored = state.app.secrets(admin(state, me, arrival)?).await?;
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
