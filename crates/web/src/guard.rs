//! Keeps the classes that each route states: who may call it, and how it is protected against
//! requests that another site makes a browser send.

mod bearer;
pub(crate) mod confirm;
mod header_token;
mod origin;

use std::pin::Pin;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use stagedoor_app::people::ByToken;
use stagedoor_app::sessions::SignedIn;
use stagedoor_app::throttle::BearerError;
use stagedoor_domain::access::User;
use stagedoor_domain::audit::Origin;

use crate::cookies::Jar;
use crate::debugging::Debugging;
use crate::front::log;
use crate::pages;
use crate::problem::Problem;
use crate::routes::{Access, CsrfClass, RouteSpec};
use crate::safe_form::TooLate;
use crate::session::{Arrival, Caller, Me};
use crate::state::AppState;

pub(crate) use header_token::{CSRF_HEADER, tell, token as header_token};
pub(crate) use origin::{check_origin, is_cross_site};

/// A handler behind the guard of its route.
///
/// Not a layer of the router: that is cloned and boxed for each request, at each of its edges.
#[derive(Clone)]
pub(crate) struct Guarded<H> {
    pub spec: RouteSpec,
    pub handler: H,
}

impl<H, T> Handler<T, AppState> for Guarded<H>
where
    H: Handler<T, AppState>,
    T: 'static,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, state: AppState) -> Self::Future {
        Box::pin(async move {
            let handler = |request| self.handler.call(request, state.clone());
            guard(&state, self.spec, request, handler).await
        })
    }
}

async fn guard<N: Future<Output = Response>>(
    state: &AppState,
    spec: RouteSpec,
    request: Request,
    handler: impl FnOnce(Request) -> N,
) -> Response {
    let Some(arrival) = request.extensions().get::<Arrival>().copied() else {
        return Arrival::missing().into_response();
    };
    if spec.csrf.checks_origin()
        && let Err(problem) = check_origin(request.headers(), arrival.is_secure)
    {
        return problem.into_response();
    }
    match spec.access {
        Access::Public | Access::PreSession => handler(request).await,
        Access::SignedIn | Access::Confirmed | Access::Admin | Access::AdminConfirmed => {
            page(state, spec, arrival, request, handler).await
        }
        Access::Bearer | Access::BearerAdmin => api(state, spec, arrival, request, handler).await,
    }
}

async fn page<N: Future<Output = Response>>(
    state: &AppState,
    spec: RouteSpec,
    arrival: Arrival,
    mut request: Request,
    handler: impl FnOnce(Request) -> N,
) -> Response {
    let found = match signed_in(state, request.headers(), arrival).await {
        Ok(found) => found,
        Err(problem) => return problem.into_response(),
    };
    let Some(signed_in) = found else {
        return not_signed_in(state, &request);
    };
    if spec.access.is_for_admins() && state.app.administers(&signed_in.user).is_err() {
        let by = Origin::user(&signed_in.user, arrival.peer);
        state.app.note_denial(&by, asked(&request));
        return Problem::not_found().into_response();
    }
    let debugging = debugging(state, &signed_in.user);
    let asks =
        spec.csrf != CsrfClass::Safe && spec.access.asks_password() && !signed_in.is_confirmed;
    let mut response = if asks {
        confirm::before(state, arrival, signed_in, request, handler).await
    } else {
        let me = Me(signed_in);
        let form = (spec.csrf == CsrfClass::Form).then(|| (me.clone(), request.uri().clone()));
        request.extensions_mut().insert(me);
        or_once_more(state, form, handler(request).await)
    };
    if let Some((debugging, user)) = debugging {
        let now = state.app.clock().monotonic();
        let grants = state.app.grants();
        debugging.reveal(&mut response, arrival.peer, (&user, &grants), now);
    }
    response
}

/// Method and path: a query may hold what somebody typed.
fn asked(request: &Request) -> String {
    format!("{} {}", request.method(), request.uri().path())
}

/// A form that came too late, and whose page cannot be shown again, is offered as it was sent.
fn or_once_more(state: &AppState, form: Option<(Me, Uri)>, mut response: Response) -> Response {
    match (form, response.extensions_mut().remove::<TooLate>()) {
        (Some((me, at)), Some(TooLate(fields))) => pages::stale::page(state, &me, &at, &fields),
        _ => response,
    }
}

/// Where causes of failures are shown at all: to whom they might be.
fn debugging<'a>(state: &'a AppState, user: &User) -> Option<(&'a Debugging, User)> {
    let debugging = state.debugging.as_ref()?;
    Some((debugging, user.clone()))
}

async fn signed_in(
    state: &AppState,
    headers: &HeaderMap,
    arrival: Arrival,
) -> Result<Option<SignedIn>, Problem> {
    match Jar::Session.read(headers, arrival) {
        Some(value) => Ok(state.app.session(value, arrival.peer).await?),
        None => Ok(None),
    }
}

/// A strict cookie is not sent when another site leads here. A page that reloads itself comes
/// from our own site, so the second request has the cookie, if there is one.
fn not_signed_in(state: &AppState, request: &Request) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads && is_cross_site(request.headers()) {
        return pages::arrival::page(&state.base);
    }
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    if reads && target != "/" {
        return Redirect::to(&pages::paths::login_then(target)).into_response();
    }
    Redirect::to(pages::paths::LOGIN).into_response()
}

async fn api<N: Future<Output = Response>>(
    state: &AppState,
    spec: RouteSpec,
    arrival: Arrival,
    mut request: Request,
    handler: impl FnOnce(Request) -> N,
) -> Response {
    if let Err(problem) = bearer::not_in_query(request.uri()) {
        return problem.into_response();
    }
    let caller = match caller(state, spec, request.headers(), arrival).await {
        Ok(caller) => caller,
        Err(response) => return response,
    };
    if spec.access == Access::BearerAdmin && state.app.administers(&caller.user).is_err() {
        state.app.note_denial(&caller.origin(), asked(&request));
        return Problem::not_found().into_response();
    }
    let session = caller.session;
    // A token is for programs: what they report is read by anybody.
    let debugging = session.and_then(|_| debugging(state, &caller.user));
    request.extensions_mut().insert(caller);
    let mut response = handler(request).await;
    if let Some((debugging, user)) = debugging {
        let now = state.app.clock().monotonic();
        let grants = state.app.grants();
        debugging.reveal(&mut response, arrival.peer, (&user, &grants), now);
    }
    if let Some(session) = session
        && spec.csrf == CsrfClass::Header
        && let Ok(token) = HeaderValue::from_str(&state.app.csrf().mint(&session))
    {
        response.headers_mut().insert(CSRF_HEADER, token);
    }
    response
}

async fn caller(
    state: &AppState,
    spec: RouteSpec,
    headers: &HeaderMap,
    arrival: Arrival,
) -> Result<Caller, Response> {
    let refuse = |problem: Problem| problem.into_response();
    if let Some(token) = bearer::token(headers, arrival).map_err(refuse)? {
        let found = state.app.bearer_from(token, arrival.peer).await;
        let found = found.inspect_err(|error| {
            if let BearerError::Bad(bad) = error {
                log::refused(arrival.peer, StatusCode::UNAUTHORIZED, &bad.to_string());
            }
        });
        let ByToken { user, token } = found.map_err(|error| refuse(error.into()))?;
        return Ok(Caller {
            user,
            session: None,
            token: Some(token),
            address: arrival.peer,
            request: None,
        });
    }
    let who = signed_in(state, headers, arrival)
        .await
        .map_err(refuse)?
        .ok_or_else(|| refuse(unauthorized()))?;
    if !origin::is_typed(headers) {
        check_origin(headers, arrival.is_secure).map_err(refuse)?;
    }
    let request = match spec.csrf {
        CsrfClass::Header => {
            Some(header_token::spend(state, &who, headers).map_err(|refusal| *refusal)?)
        }
        CsrfClass::Safe | CsrfClass::Form | CsrfClass::Report => None,
    };
    Ok(Caller {
        user: who.user,
        session: Some(who.session),
        token: None,
        address: arrival.peer,
        request,
    })
}

pub(crate) fn unauthorized() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "Sign in, or send `Authorization: Bearer` with a token that is good.",
    )
    .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}
