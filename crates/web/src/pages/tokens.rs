//! One's own tokens: made here, shown once, ended here.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use stagedoor_app::own_tokens::WantedToken;
use stagedoor_domain::access::{Actions, BadAction, Scope};
use stagedoor_domain::name::{BadTokenName, check_token_name};
use stagedoor_domain::network::Network;
use stagedoor_domain::pattern::{BadPattern, ScriptPattern, parse_patterns, say_patterns};
use stagedoor_domain::quantity::parse_duration;
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{AddTokenError, TokenId, TokenRecord};

use super::admin::grants::ActionBox;
use super::paths;
use super::said::When;
use super::setup::sentence;
use super::shell::{Here, Shell};
use crate::problem::Problem;
use crate::safe_form::{Fields, SafeForm};
use crate::session::{Arrival, Me};
use crate::state::AppState;

/// How long a token may be made to work, in the words of the form.
const TERMS: [(&str, &str); 6] = [
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
    ("365d", "1 year"),
    ("never", "without end"),
];
/// What is chosen when nobody has chosen.
const USUAL_TERM: &str = "30d";

#[derive(Template)]
#[template(path = "account_tokens.html")]
pub(super) struct TokensPage {
    pub shell: Shell,
    pub rows: Vec<TokenRow>,
    pub boxes: Vec<ActionBox>,
    /// Value, words, chosen.
    pub terms: Vec<(&'static str, &'static str, bool)>,
    pub name: String,
    pub scripts: String,
    pub from: String,
    pub error: Option<String>,
    /// Its text, shown once.
    pub made: Option<String>,
}

/// A token as tables show it.
pub(super) struct TokenRow {
    pub id: i64,
    pub name: String,
    pub owner: String,
    pub may: String,
    pub scripts: String,
    pub from: String,
    pub ends: Option<When>,
    pub is_over: bool,
    pub used: Option<When>,
    pub used_from: String,
    pub exposed: bool,
}

impl TokenRow {
    pub fn new(token: TokenRecord, owner: String, now: Timestamp) -> Self {
        let networks: Vec<String> = token.addresses.iter().map(ToString::to_string).collect();
        Self {
            id: token.id.0,
            name: token.name,
            owner,
            may: token.scope.actions.to_string(),
            scripts: say_patterns(&token.scope.scripts, ", "),
            from: networks.join(", "),
            ends: token.expires_at.map(|at| When::new(at, now)),
            is_over: token.expires_at.is_some_and(|at| at <= now),
            used: token.last_used.map(|at| When::new(at, now)),
            used_from: token.last_address.unwrap_or_default(),
            exposed: token.exposed_at.is_some(),
        }
    }
}

/// Why what was entered is no token.
#[derive(Debug, thiserror::Error)]
enum NoToken {
    #[error(transparent)]
    Action(#[from] BadAction),
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    #[error("choose at least one thing that the token may do")]
    Nothing,
    #[error("`{0}` is no network; write 10.0.0.0/8, fd00::/8 or one address")]
    Network(String),
    #[error("choose how long it works")]
    Term,
    #[error(transparent)]
    Name(#[from] BadTokenName),
}

/// `GET /account/tokens`
pub(crate) async fn list(State(state): State<AppState>, me: Me) -> Result<Response, Problem> {
    show(&state, &me, &Fields::default(), None, None).await
}

/// `POST /account/tokens`
pub(crate) async fn make(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    form: SafeForm<Fields>,
) -> Result<Response, Problem> {
    let now = state.app.clock().now();
    let wanted = match read(&form.value, now) {
        Ok(wanted) => wanted,
        Err(error) => {
            let error = Some(sentence(&error.to_string()));
            return show(&state, &me, &form.value, error, None).await;
        }
    };
    let made = state.app.make_token(&me.0.user, arrival.peer, wanted).await;
    match made {
        Ok(made) => show(&state, &me, &Fields::default(), None, Some(made)).await,
        Err(AddTokenError::Store(error)) => Err(error.into()),
        Err(error @ AddTokenError::TooMany) => {
            let error = Some(sentence(&error.to_string()));
            show(&state, &me, &form.value, error, None).await
        }
    }
}

/// `POST /account/tokens/{id}/revoke`
pub(crate) async fn revoke(
    State(state): State<AppState>,
    me: Me,
    arrival: Arrival,
    Path(id): Path<i64>,
    _form: SafeForm<()>,
) -> Result<Response, Problem> {
    let (user, id) = (&me.0.user, TokenId(id));
    if state.app.revoke_own_token(user, arrival.peer, id).await? {
        Ok(Redirect::to(paths::OWN_TOKENS).into_response())
    } else {
        Err(Problem::not_found())
    }
}

fn read(fields: &Fields, now: Timestamp) -> Result<WantedToken, NoToken> {
    let name = fields.text("name").trim();
    check_token_name(name)?;
    let actions = Actions::parse(&fields.all("may").collect::<Vec<_>>().join(" "))?;
    if actions.words().next().is_none() {
        return Err(NoToken::Nothing);
    }
    let mut scripts = parse_patterns(fields.text("scripts"))?;
    if scripts.is_empty() {
        scripts.push(ScriptPattern::All);
    }
    let term = fields.text("term");
    let term = TERMS.iter().find(|(known, _)| *known == term);
    let expires_at = match term.ok_or(NoToken::Term)?.0 {
        "never" => None,
        term => Some(now.plus(parse_duration(term).map_err(|_| NoToken::Term)?)),
    };
    Ok(WantedToken {
        name: name.to_owned(),
        scope: Scope { actions, scripts },
        addresses: networks(fields.text("from"))?,
        expires_at,
    })
}

fn networks(text: &str) -> Result<Vec<Network>, NoToken> {
    let words = text.split([' ', ',', '\n', '\r', '\t']);
    let words = words.filter(|word| !word.is_empty());
    let parse = |word: &str| word.parse().map_err(|_| NoToken::Network(word.to_owned()));
    words.map(parse).collect()
}

async fn show(
    state: &AppState,
    me: &Me,
    entered: &Fields,
    error: Option<String>,
    made: Option<String>,
) -> Result<Response, Problem> {
    let (user, now) = (&me.0.user, state.app.clock().now());
    let tokens = state.app.own_tokens(user).await?.into_iter();
    let words: Vec<&str> = entered.all("may").collect();
    let chosen = Actions::parse(&words.join(" ")).unwrap_or_default();
    let term = entered.last("term").unwrap_or(USUAL_TERM);
    let page = TokensPage {
        shell: Shell::of(state, me, Here::Account),
        rows: tokens
            .map(|token| TokenRow::new(token, String::new(), now))
            .collect(),
        boxes: ActionBox::all(chosen, state.app.administers(user).is_ok()),
        terms: TERMS
            .map(|(value, words)| (value, words, value == term))
            .into(),
        name: entered.text("name").to_owned(),
        scripts: entered.last("scripts").unwrap_or("*").to_owned(),
        from: entered.text("from").to_owned(),
        error,
        made,
    };
    let status = match page.error {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    Ok(super::page(status, &page))
}
