//! Every route, everybody, every state of the protection against cross-site requests (rows W77–W81,
//! B24–B27, B31–B34): each has the answer that the tables below say.
//!
//! The tables are written by hand. [`places`] has a line for each route: a request that works. [`expected`] has
//! a line for each class of access and of protection: who is refused, and how. Nothing is taken from the
//! code under test but the list of routes, and a route that has no line fails.

mod expected;
mod places;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use stagedoor_web::routes::table;

use crate::client::{Answer, Client};
use crate::server::TestServer;
use expected::{Csrf, Who, answer_to};
use places::{Kind, PLACES, Place};

const SCRIPTS: [(&str, &str); 3] = [
    (
        "ops/hello.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"], output = [\"ops\"], stop = [\"ops\"] }\n# ///\n\
         echo hello\n",
    ),
    (
        "ops/page.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"], output = [\"ops\"] }\n# output_format = \"html\"\n\
         # ///\necho '<h1>Hi</h1>'\n",
    ),
    (
        "ops/long.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"], output = [\"ops\"], stop = [\"ops\"] }\n# ///\n\
         exec sleep 100\n",
    ),
];
const FORM: &str = "application/x-www-form-urlencoded";

/// A server with somebody of each kind, and what the places are about.
struct World {
    server: TestServer,
    run: String,
    asset: String,
    /// One that goes on, until somebody has stopped it.
    live: Mutex<Option<String>>,
    people: AtomicUsize,
}

impl World {
    async fn new() -> Self {
        let server = TestServer::patient(&SCRIPTS).await;
        let program = server.program("olga", &["ops"]).await;
        let answer = program
            .post("/api/v1/runs?wait=20", r#"{"script":"ops/page"}"#)
            .await;
        let run = answer.json();
        assert_eq!(run["outcome"], "succeeded", "{run}");
        let page = server.anonymous().get("/login").await.text();
        let asset = page.split("/static/").nth(1).expect("a style sheet");
        let asset = asset.split(['"', ' ']).next().expect("an address");
        Self {
            server,
            run: run["id"].as_str().expect("an id").to_owned(),
            asset: format!("/static/{asset}"),
            live: Mutex::new(None),
            people: AtomicUsize::new(0),
        }
    }

    async fn path(&self, place: &Place, user: &str) -> String {
        let live = if place.path.contains("{live}") {
            self.live().await
        } else {
            String::new()
        };
        place
            .path
            .replace("{live}", &live)
            .replace("{user}", user)
            .replace("{run}", &self.run)
            .replace("{asset}", &self.asset)
    }

    /// Somebody whom no other request is about.
    async fn somebody(&self) -> String {
        let name = format!("some-{}", self.people.fetch_add(1, Ordering::Relaxed));
        self.server.program(&name, &["guests"]).await;
        name
    }

    async fn live(&self) -> String {
        if let Some(live) = self.live.lock().expect("a run").clone() {
            return live;
        }
        let program = self.server.program("olga", &["ops"]).await;
        let answer = program
            .post("/api/v1/runs", r#"{"script":"ops/long"}"#)
            .await;
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        *self.live.lock().expect("a run") = Some(id.clone());
        id
    }

    /// Somebody new of this kind: a session of their own, or a token.
    async fn client(&self, who: Who) -> Client {
        let server = &self.server;
        match who {
            Who::Anonymous => server.anonymous(),
            Who::Ungranted => server.browser("ugo", &["guests"]).await,
            Who::Granted => server.browser("greta", &["ops"]).await,
            Who::Admin => server.browser("root", &["admins"]).await,
            Who::Unconfirmed => server.unconfirmed_browser("una", &["admins"]).await,
            Who::Token => server.program("olga", &["ops"]).await,
            Who::UngrantedToken => server.program("uma", &["guests"]).await,
            Who::Disabled => {
                server.browser("dora", &["admins"]).await;
                server.disable("dora").await;
                server.browser("dora", &["admins"]).await
            }
            Who::DisabledToken => {
                let program = server.program("dirk", &["admins"]).await;
                server.disable("dirk").await;
                program
            }
        }
    }
}

/// A one-time token of this client's session; of a stranger: nothing.
async fn csrf(client: &Client) -> String {
    let answer = client.get("/api/v1/csrf").await;
    if answer.status != 200 {
        return String::new();
    }
    let token = answer.json()["token"].as_str().map(str::to_owned);
    token.expect("a token")
}

fn escaped(text: &str) -> String {
    text.replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D")
}

/// Sends what works at this place, with the protection in this state.
async fn send(world: &World, place: &Place, who: Who, state: Csrf) -> Answer {
    let client = world.client(who).await;
    let user = world.somebody().await;
    let path = world.path(place, &user).await;
    let body = place
        .body
        .replace("{user}", &user)
        .replace("{new}", &format!("new-{user}"));
    if place.kind == Kind::Read {
        return client.get(&path).await;
    }
    let right = csrf(&client).await;
    let other = match state {
        Csrf::OtherSession => csrf(&world.client(who).await).await,
        Csrf::OtherUser => csrf(&world.server.browser("otto", &["ops"]).await).await,
        Csrf::HeaderAndFormDiffer => csrf(&client).await,
        _ => String::new(),
    };
    if state == Csrf::Expired {
        world.server.pass(std::time::Duration::from_secs(301));
    }
    let token = match state {
        Csrf::None => None,
        Csrf::Wrong => Some("A".repeat(64)),
        Csrf::OtherSession | Csrf::OtherUser => Some(other.clone()),
        _ => Some(right.clone()),
    };
    let request = Request {
        place,
        path,
        body,
        token,
        header: (state == Csrf::HeaderAndFormDiffer).then_some(other),
        kind: (state == Csrf::WrongType).then_some("text/plain"),
    };
    if state == Csrf::Replayed {
        request.clone().send(&client).await;
    }
    let answer = request.send(&client).await;
    let is_stopped = answer.status == place.works || state == Csrf::Replayed;
    if place.path.contains("{live}") && is_stopped {
        *world.live.lock().expect("a run") = None;
    }
    answer
}

#[derive(Clone)]
struct Request<'a> {
    place: &'a Place,
    path: String,
    body: String,
    token: Option<String>,
    /// Another token in the header, beside the one in the form.
    header: Option<String>,
    kind: Option<&'static str>,
}

impl Request<'_> {
    async fn send(self, client: &Client) -> Answer {
        let mut client = client.clone();
        let mut body = self.body;
        let kind = if self.place.kind == Kind::Form {
            if let Some(token) = &self.token {
                let field = format!("csrf_token={}", escaped(token));
                body = [field.as_str(), body.as_str()].join("&");
            }
            FORM
        } else {
            if let Some(token) = &self.token {
                client = client.with("x-csrf-token", token);
            }
            if self.place.kind == Kind::Report {
                "application/csp-report"
            } else {
                "application/json"
            }
        };
        if let Some(header) = &self.header {
            client = client.with("x-csrf-token", header);
        }
        let kind = [("content-type", self.kind.unwrap_or(kind))];
        client
            .send("POST", &self.path, &kind, body.as_bytes())
            .await
    }
}

#[test]
fn p19_b27_each_route_has_a_line_and_each_line_a_route() {
    let routes: BTreeSet<(&str, &str)> = table().iter().map(|r| (r.method, r.path)).collect();
    let lines: BTreeSet<(&str, &str)> = PLACES.iter().map(|p| (p.method(), p.route)).collect();
    let unknown: Vec<_> = lines.difference(&routes).collect();
    let missing: Vec<_> = routes.difference(&lines).collect();
    assert!(unknown.is_empty(), "no such routes: {unknown:?}");
    assert!(missing.is_empty(), "routes without a line: {missing:?}");
    assert_eq!(lines.len(), PLACES.len(), "one line each");
}

#[tokio::test]
async fn w77_b24_b33_every_route_answers_everybody_as_the_tables_say() {
    let world = World::new().await;
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for place in PLACES {
        let states = if place.kind == Kind::Read {
            &[Csrf::Right][..]
        } else {
            &Csrf::ALL
        };
        for who in Who::ALL {
            for &state in states {
                let Some(expected) = answer_to(place, who, state) else {
                    continue;
                };
                asked += 1;
                let answer = send(&world, place, who, state).await;
                if answer.status != expected {
                    wrong.push(format!(
                        "{} {} {who:?} {state:?}: {} instead of {expected}",
                        place.method(),
                        place.route,
                        answer.status
                    ));
                }
            }
        }
    }
    assert!(asked > 1000, "{asked}");
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
