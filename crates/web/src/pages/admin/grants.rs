//! The grants: those of stagedoor.toml to be read, those of the store to be given and taken.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use stagedoor_domain::access::{Actions, BadAction, Gives, Grant, Origin, Verb};
use stagedoor_domain::name::{BadName, GroupName};
use stagedoor_domain::pattern::{BadPattern, parse_patterns, say_patterns};
use stagedoor_store::GrantId;

use super::super::paths;
use super::super::shell::{Here, Shell};
use super::{Said, admin};
use crate::problem::Problem;
use crate::safe_form::{Fields, SafeForm};
use crate::session::{Arrival, Me};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "admin_grants.html")]
pub(in crate::pages) struct GrantsPage {
    pub shell: Shell,
    pub said: Said,
    pub rows: Vec<GrantRow>,
    /// Those of groups that have many, each for itself.
    pub folded: Vec<GrantsOf>,
    /// Grants that give nobody anything, and why.
    pub idle: Vec<String>,
    pub boxes: Vec<ActionBox>,
    /// What was entered.
    pub group: String,
    pub scripts: String,
}

/// Grants of one group.
pub(in crate::pages) struct GrantsOf {
    pub group: String,
    pub rows: Vec<GrantRow>,
}

pub(in crate::pages) struct GrantRow {
    pub group: String,
    pub may: String,
    pub scripts: String,
    pub place: String,
    /// Its number, if it can be taken away here.
    pub stored: Option<i64>,
}

/// A box for an action.
pub(in crate::pages) struct ActionBox {
    pub word: &'static str,
    pub says: &'static str,
    pub on: bool,
}

impl ActionBox {
    /// For each verb, and for `admin` if that can be chosen.
    pub fn all(chosen: Actions, with_admin: bool) -> Vec<Self> {
        let verbs = Verb::ALL.into_iter().map(|(word, verb)| Self {
            word,
            says: says(verb),
            on: chosen.verbs.iter().any(|one| one == verb),
        });
        let admin = with_admin.then_some(Self {
            word: Actions::ADMIN,
            says: "administer this server",
            on: chosen.admin,
        });
        verbs.chain(admin).collect()
    }
}

fn says(verb: Verb) -> &'static str {
    match verb {
        Verb::View => "see the script",
        Verb::Run => "start it, and see it",
        Verb::Stop => "stop other people’s runs",
        Verb::Output => "read other people’s output",
        Verb::Schedule => "start it by schedule",
    }
}

/// Why what was entered is no grant.
#[derive(Debug, thiserror::Error)]
enum NoGrant {
    #[error(transparent)]
    Group(#[from] BadName),
    #[error(transparent)]
    Action(#[from] BadAction),
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    #[error("`admin` is not about scripts: give it alone, and name no script")]
    Mixed,
    #[error("say what is allowed, and with which scripts")]
    Nothing,
}

/// `GET /admin/grants`
pub(crate) async fn list(State(state): State<AppState>, me: Me) -> Result<Response, Problem> {
    show(&state, &me, Said::default(), &Fields::default()).await
}

/// `POST /admin/grants`
pub(crate) async fn add(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    form: SafeForm<Fields>,
) -> Result<Response, Problem> {
    let (group, gives) = match read(&form.value) {
        Ok(read) => read,
        Err(error) => return show(&state, &me, Said::bad(&error), &form.value).await,
    };
    let grants = state.app.grants();
    let is_same = |grant: &&Grant| grant.group == group && grant.gives == gives;
    if let Some(same) = grants.0.iter().find(is_same) {
        let said = Said::bad(&format!("{} says this already", same.origin));
        return show(&state, &me, said, &form.value).await;
    }
    let by = admin(&state, &me, arrival)?;
    state.app.add_grant(by, group, gives).await?;
    Ok(Redirect::to(paths::GRANTS).into_response())
}

/// `POST /admin/grants/{id}/remove`
pub(crate) async fn remove(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    Path(id): Path<i64>,
    _form: SafeForm<()>,
) -> Result<Response, Problem> {
    let by = admin(&state, &me, arrival)?;
    if state.app.remove_grant(by, GrantId(id)).await? {
        Ok(Redirect::to(paths::GRANTS).into_response())
    } else {
        Err(Problem::not_found())
    }
}

fn read(fields: &Fields) -> Result<(GroupName, Gives), NoGrant> {
    let group = GroupName::parse(fields.text("group").trim())?;
    let may = Actions::parse(&fields.all("may").collect::<Vec<_>>().join(" "))?;
    let scripts = parse_patterns(fields.text("scripts"))?;
    let gives = match (may.admin, may.verbs.is_empty(), scripts.is_empty()) {
        (true, true, true) => Gives::Admin,
        (true, ..) => return Err(NoGrant::Mixed),
        (false, false, false) => Gives::Scripts {
            scripts,
            may: may.verbs,
        },
        (false, ..) => return Err(NoGrant::Nothing),
    };
    Ok((group, gives))
}

async fn show(
    state: &AppState,
    me: &Me,
    said: Said,
    entered: &Fields,
) -> Result<Response, Problem> {
    let scripts = state.app.catalog().await;
    let words: Vec<&str> = entered.all("may").collect();
    let chosen = Actions::parse(&words.join(" ")).unwrap_or_default();
    let status = said.status();
    let (rows, folded) = folded(state.app.grants().0.iter().map(row).collect());
    let page = GrantsPage {
        shell: Shell::of(state, me, Here::Admin),
        said,
        rows,
        folded,
        idle: state.app.idle_grants(&scripts).await,
        boxes: ActionBox::all(chosen, true),
        group: entered.text("group").to_owned(),
        scripts: entered.text("scripts").to_owned(),
    };
    Ok(super::super::page(status, &page))
}

/// A group with many grants would hide those of the others.
fn folded(rows: Vec<GrantRow>) -> (Vec<GrantRow>, Vec<GrantsOf>) {
    const MOST: usize = 8;
    let mut groups: BTreeMap<String, Vec<GrantRow>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.group.clone()).or_default().push(row);
    }
    let groups = groups.into_iter();
    let (many, few): (Vec<_>, Vec<_>) = groups.partition(|(_, rows)| rows.len() > MOST);
    let many = many.into_iter();
    (
        few.into_iter().flat_map(|(_, rows)| rows).collect(),
        many.map(|(group, rows)| GrantsOf { group, rows }).collect(),
    )
}

fn row(grant: &Grant) -> GrantRow {
    let (may, scripts) = match &grant.gives {
        Gives::Scripts { scripts, may } => (may.to_string(), say_patterns(scripts, ", ")),
        Gives::Admin => (Actions::ADMIN.to_owned(), String::new()),
    };
    let (place, stored) = match &grant.origin {
        Origin::File(place) => (format!("{}, line {}", place.file, place.line), None),
        Origin::Stored(id) => (format!("grant {id}"), Some(*id)),
    };
    GrantRow {
        group: grant.group.to_string(),
        may,
        scripts,
        place,
        stored,
    }
}
