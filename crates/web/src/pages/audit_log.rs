//! The audit log, newest first, for admins. It is only read here.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use stagedoor_app::audit::{AuditCursor, AuditFilter, AuditRecord};
use stagedoor_domain::audit::{Act, Outcome};
use stagedoor_domain::id::RunId;
use stagedoor_domain::name::UserName;
use stagedoor_domain::time::Timestamp;

use super::paths;
use super::runs::{day, some};
use super::said::{Chip, When};
use super::shell::{Here, Shell};
use crate::problem::Problem;
use crate::session::Me;
use crate::state::AppState;

/// Records on one page.
const PER_PAGE: usize = 50;
/// Chosen as an act: everything but starts of runs, which the history shows.
const BUT_STARTS: &str = "";
/// Chosen as an act: everything.
const ALL: &str = "all";

#[derive(Template)]
#[template(path = "audit_log.html")]
pub(super) struct AuditLogPage {
    pub shell: Shell,
    pub filter: Filter,
    pub acts: Vec<Choice>,
    pub outcomes: Vec<Choice>,
    pub error: Option<String>,
    pub rows: Vec<Row>,
    pub is_filtered: bool,
    /// The first page, when this is another one.
    pub newest: Option<String>,
    pub older: Option<String>,
}

/// An option of a list.
pub(super) struct Choice {
    pub word: &'static str,
    pub label: String,
    pub chosen: bool,
}

/// One record.
pub(super) struct Row {
    pub seq: i64,
    pub when: When,
    /// Who, in words.
    pub who: String,
    /// More of who: the token, or the user id.
    pub by: String,
    pub address: String,
    pub act: String,
    pub target: String,
    /// Where the run that it is about is shown.
    pub run: Option<String>,
    pub chip: Chip,
    /// Name and value of each detail.
    pub details: Vec<(String, String)>,
}

/// The page's query: what is looked for, and where the page stands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    user: String,
    act: String,
    outcome: String,
    address: String,
    /// Days in UTC, both included.
    from: String,
    to: String,
    cursor: String,
}

/// `GET /admin/audit-log`
pub(crate) async fn show(
    State(state): State<AppState>,
    me: Me,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, Problem> {
    let permit = state
        .app
        .administers(&me.0.user)
        .map_err(|_| Problem::not_found())?;
    let filter = filter.map(|Query(filter)| filter).unwrap_or_default();
    if !filter.cursor.is_empty() && AuditCursor::parse(&filter.cursor).is_none() {
        // The address of no page leads to the first one.
        return Ok(Redirect::to(&filter.link("")).into_response());
    }
    let (items, next, error) = match filter.parsed() {
        Ok(parsed) => {
            let page = state.app.audit_page(permit, &parsed).await?;
            (page.items, page.next, None)
        }
        Err(error) => (Vec::new(), None, Some(error)),
    };
    let now = state.app.clock().now();
    let page = AuditLogPage {
        shell: Shell::of(&state, &me, Here::Admin),
        acts: acts(&filter),
        outcomes: outcomes(&filter),
        error,
        rows: items.into_iter().map(|record| row(record, now)).collect(),
        is_filtered: filter.is_set(),
        newest: (!filter.cursor.is_empty()).then(|| filter.link("")),
        older: next.map(|next| filter.link(&next.to_string())),
        filter,
    };
    Ok(super::page(StatusCode::OK, &page))
}

fn row(record: AuditRecord, now: Timestamp) -> Row {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let run = record
        .detail
        .get("run")
        .and_then(|run| RunId::parse(run.as_str()?));
    let (who, by) = who(&record);
    Row {
        seq: record.seq,
        when: When::new(record.at, now),
        who,
        by,
        address: record.address.unwrap_or_default(),
        act: in_words(&record.act),
        target: record.target,
        run: run.map(paths::run),
        chip: Chip::of_audit(&record.outcome),
        details: record
            .detail
            .iter()
            .filter(|(name, _)| run.is_none() || *name != "run")
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
    }
}

fn who(record: &AuditRecord) -> (String, String) {
    let user = || record.user.clone().unwrap_or_default();
    let number = record.number.unwrap_or_default();
    match record.actor.as_str() {
        "user" => (user(), String::new()),
        "token" => (user(), format!("by token {number}")),
        "command_line" => ("Command line".to_owned(), format!("user id {number}")),
        "server" => ("The server".to_owned(), String::new()),
        "stranger" => ("Not signed in".to_owned(), String::new()),
        other => (other.to_owned(), user()),
    }
}

/// `user_added` as `user added`.
fn in_words(word: &str) -> String {
    word.replace('_', " ")
}

fn acts(filter: &Filter) -> Vec<Choice> {
    let choice = |word: &'static str, label: String| Choice {
        word,
        label,
        chosen: filter.act == word,
    };
    let general = [
        choice(BUT_STARTS, "All but starts of runs".to_owned()),
        choice(ALL, "All".to_owned()),
    ];
    let each = Act::ALL
        .iter()
        .map(|(word, _)| choice(word, in_words(word)));
    general.into_iter().chain(each).collect()
}

fn outcomes(filter: &Filter) -> Vec<Choice> {
    let choice = |(word, _): &(&'static str, Outcome)| Choice {
        word,
        label: in_words(word),
        chosen: filter.outcome == *word,
    };
    Outcome::ALL.iter().map(choice).collect()
}

impl Filter {
    fn fields(&self) -> [(&'static str, &str); 6] {
        [
            ("user", &self.user),
            ("act", &self.act),
            ("outcome", &self.outcome),
            ("address", &self.address),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }

    fn is_set(&self) -> bool {
        self.fields()
            .iter()
            .any(|(_, text)| !text.trim().is_empty())
    }

    /// For the use case, or what is wrong in words.
    fn parsed(&self) -> Result<AuditFilter, String> {
        let act = match self.act.as_str() {
            BUT_STARTS | ALL => None,
            word => Some(Act::parse(word).ok_or_else(|| format!("There is no act `{word}`."))?),
        };
        let outcome = some(&self.outcome).map(|word| {
            Outcome::parse(word).ok_or_else(|| format!("There is no outcome `{word}`."))
        });
        let user = some(&self.user)
            .map(|text| UserName::parse(text).map_err(|error| format!("User: {error}.")));
        Ok(AuditFilter {
            act,
            without_starts: self.act == BUT_STARTS,
            user: user.transpose()?,
            outcome: outcome.transpose()?,
            address: some(&self.address).map(address).transpose()?,
            from: some(&self.from).map(|text| day(text, 0)).transpose()?,
            to: some(&self.to).map(|text| day(text, 1)).transpose()?,
            cursor: AuditCursor::parse(&self.cursor),
            limit: PER_PAGE,
        })
    }

    fn link(&self, cursor: &str) -> String {
        let set: Vec<(&str, &str)> = self
            .fields()
            .into_iter()
            .chain([("cursor", cursor)])
            .filter(|(_, value)| !value.is_empty())
            .collect();
        paths::query(paths::AUDIT_LOG, &set)
    }
}

/// As the log writes it.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let address: Result<std::net::IpAddr, _> = text.parse();
    match address {
        Ok(address) => Ok(address.to_canonical().to_string()),
        Err(_) => Err(format!(
            "`{text}` is not an address; write it like 192.0.2.1."
        )),
    }
}

#[cfg(test)]
impl Filter {
    /// With this text in every field.
    pub(super) fn of_samples(text: &str) -> Self {
        let text = || text.to_owned();
        Self {
            user: text(),
            act: text(),
            outcome: text(),
            address: text(),
            from: text(),
            to: text(),
            cursor: text(),
        }
    }
}
