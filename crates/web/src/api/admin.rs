//! `GET /users`, `GET /groups`, `GET /tokens` and `GET /secrets`: for who may administer.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use stagedoor_app::administer::Admin;
use stagedoor_app::secrets::listed_by;
use stagedoor_domain::name::GroupName;
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{TokenRecord, UserRecord};
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::session::{Arrival, Caller};
use crate::state::AppState;

/// An account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserJson {
    /// The name to sign in with.
    name: String,
    /// Without `everyone`.
    groups: Vec<String>,
    /// Cannot sign in, and its tokens are worth nothing.
    disabled: bool,
    /// The operator's command knows its password, and this server does not.
    external: bool,
    /// RFC 3339.
    #[schema(format = "date-time")]
    created_at: String,
}

/// All accounts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Users)]
pub(crate) struct UsersJson {
    /// By name.
    items: Vec<UserJson>,
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Group)]
pub(crate) struct GroupJson {
    /// Its name.
    name: String,
    /// The names of its accounts; empty where only a grant or a script names the group.
    members: Vec<String>,
}

/// All groups but `everyone`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Groups)]
pub(crate) struct GroupsJson {
    /// By name.
    items: Vec<GroupJson>,
}

/// A token, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenJson {
    /// Its number.
    id: i64,
    /// The account that it acts as.
    user: Option<String>,
    /// What it is for.
    name: String,
    /// What it may at most: `view`, `run`, `stop`, `output`, `schedule`, `admin`.
    may: Vec<&'static str>,
    /// With which scripts: names, `folder/*` or `*`.
    scripts: Vec<String>,
    /// From which networks; empty: from everywhere.
    from: Vec<String>,
    /// RFC 3339.
    #[schema(format = "date-time")]
    created_at: String,
    /// RFC 3339; null: it does not expire.
    #[schema(format = "date-time")]
    expires_at: Option<String>,
    /// RFC 3339, to the minute; null: never.
    #[schema(format = "date-time")]
    last_used: Option<String>,
    /// From which address that was.
    last_address: Option<String>,
}

/// All tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tokens)]
pub(crate) struct TokensJson {
    /// Oldest first.
    items: Vec<TokenJson>,
}

/// A stored secret, without its value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Secret)]
pub(crate) struct SecretJson {
    /// What definitions call it.
    name: String,
    /// When it was set last, in RFC 3339.
    #[schema(format = "date-time")]
    set_at: String,
    /// By whom: a user, or `uid 0` for somebody at a terminal of the server's machine.
    set_by: String,
    /// The scripts that list it in `credentials`.
    scripts: Vec<String>,
}

/// All stored secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Secrets)]
pub(crate) struct SecretsJson {
    /// By name.
    items: Vec<SecretJson>,
}

fn admin<'a>(state: &AppState, caller: &'a Caller, arrival: Arrival) -> Result<Admin<'a>, Problem> {
    let permit = state.app.administers(&caller.user);
    let permit = permit.map_err(|_| Problem::not_found())?;
    Ok(Admin::new(permit, arrival.peer))
}

/// All accounts.
#[utoipa::path(get, path = "/api/v1/users", tag = "administration", responses(
    (status = 200, body = UsersJson),
    (status = 404, description = "Not for this caller."),
))]
pub(super) async fn users(
    State(state): State<AppState>,
    caller: Caller,
    arrival: Arrival,
) -> Result<Json<UsersJson>, Problem> {
    let users = state.app.accounts(admin(&state, &caller, arrival)?).await?;
    let items = users.iter().map(user_json).collect();
    Ok(Json(UsersJson { items }))
}

fn user_json(record: &UserRecord) -> UserJson {
    let groups = record.user.groups.iter();
    UserJson {
        name: record.user.name.to_string(),
        groups: groups.map(ToString::to_string).collect(),
        disabled: record.disabled,
        external: record.is_external,
        created_at: record.created_at.rfc3339(),
    }
}

/// All groups with their members, but `everyone`.
#[utoipa::path(get, path = "/api/v1/groups", tag = "administration", responses(
    (status = 200, body = GroupsJson),
    (status = 404, description = "Not for this caller."),
))]
pub(super) async fn groups(
    State(state): State<AppState>,
    caller: Caller,
    arrival: Arrival,
) -> Result<Json<GroupsJson>, Problem> {
    let scripts = state.app.catalog().await;
    let by = admin(&state, &caller, arrival)?;
    let groups = state.app.groups(by, &scripts).await?.into_iter();
    let items = groups
        .filter(|(name, _)| name.as_str() != GroupName::EVERYONE)
        .map(|(name, group)| GroupJson {
            name: name.to_string(),
            members: group.members.iter().map(ToString::to_string).collect(),
        });
    Ok(Json(GroupsJson {
        items: items.collect(),
    }))
}

/// All tokens, without their texts.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "administration", responses(
    (status = 200, body = TokensJson),
    (status = 404, description = "Not for this caller."),
))]
pub(super) async fn tokens(
    State(state): State<AppState>,
    caller: Caller,
    arrival: Arrival,
) -> Result<Json<TokensJson>, Problem> {
    let admin = admin(&state, &caller, arrival)?;
    let users = state.app.accounts(admin).await?;
    let tokens = state.app.tokens(admin, None).await?.into_iter();
    let items = tokens.map(|token| token_json(token, &users)).collect();
    Ok(Json(TokensJson { items }))
}

fn token_json(token: TokenRecord, users: &[UserRecord]) -> TokenJson {
    let owner = users.iter().find(|record| record.user.id == token.user);
    TokenJson {
        id: token.id.0,
        user: owner.map(|record| record.user.name.to_string()),
        name: token.name,
        may: token.scope.actions.words().collect(),
        scripts: token
            .scope
            .scripts
            .iter()
            .map(ToString::to_string)
            .collect(),
        from: token.addresses.iter().map(ToString::to_string).collect(),
        created_at: token.created_at.rfc3339(),
        expires_at: token.expires_at.map(Timestamp::rfc3339),
        last_used: token.last_used.map(Timestamp::rfc3339),
        last_address: token.last_address,
    }
}

/// All stored secrets, without their values.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "administration", responses(
    (status = 200, body = SecretsJson),
    (status = 404, description = "Not for this caller."),
))]
pub(super) async fn secrets(
    State(state): State<AppState>,
    caller: Caller,
    arrival: Arrival,
) -> Result<Json<SecretsJson>, Problem> {
    let stored = state.app.secrets(admin(&state, &caller, arrival)?).await?;
    let mut listed = listed_by(&*state.app.catalog().await);
    let items = stored.into_iter().map(|record| {
        let scripts = listed.remove(&record.name).unwrap_or_default();
        SecretJson {
            name: record.name.to_string(),
            set_at: record.set_at.rfc3339(),
            set_by: record.set_by,
            scripts: scripts.iter().map(ToString::to_string).collect(),
        }
    });
    Ok(Json(SecretsJson {
        items: items.collect(),
    }))
}
