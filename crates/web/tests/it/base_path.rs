//! Everything stands below `base_path`, and leads nowhere else.

use std::collections::BTreeSet;

use stagedoor_web::WebOptions;

use crate::client::{Answer, Client};
use crate::pages::{fresh, location, post, token};
use crate::server::{ROOMY, TestServer};

const SCRIPT: (&str, &str) = (
    "ops/hello.sh",
    "#!/bin/sh
# /// stagedoor
# access = { run = [\"ops\"] }
# ///
echo hello hello
",
);
const BROKEN: (&str, &str) = ("broken.sh", "#!/bin/sh\n# /// stagedoor\n# x = \n# ///\n");
/// More pages than there are.
const MOST_PAGES: usize = 200;

async fn door(files: &[(&str, &str)]) -> TestServer {
    let options = WebOptions {
        base_path: "/door".to_owned(),
        ..WebOptions::default()
    };
    TestServer::start(files, ROOMY, options).await
}

/// Every address in a page, as a browser reads it.
fn addresses(page: &str) -> Vec<String> {
    [" href=\"", " src=\"", " action=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .map(|address| address.replace("&#38;", "&").replace("&amp;", "&"))
        .map(|address| address.split('#').next().unwrap_or_default().to_owned())
        .filter(|address| !address.is_empty())
        .collect()
}

/// Looks at every page that links lead to, from this one on; the addresses that were met.
async fn crawl(client: &Client, from: &str) -> BTreeSet<String> {
    let (mut met, mut to_do) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(address) = to_do.pop() {
        assert!(address.starts_with("/door/"), "a link leads to {address}");
        if met.len() > MOST_PAGES || !met.insert(address.clone()) {
            continue;
        }
        let answer = client.get(&address).await;
        match answer.status {
            // The address of a form that is only sent has no page.
            200 | 405 => {}
            _ => to_do.push(location(&answer)),
        }
        let kind = answer.header("content-type").unwrap_or_default();
        if kind.starts_with("text/html") {
            to_do.extend(addresses(&answer.text()));
        }
    }
    met
}

async fn run(client: &Client) -> String {
    let path = "/door/scripts/ops/hello";
    let fresh = fresh(client, path).await;
    let sent = post(client, path, &fresh, "").await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    location(&sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_leads_outside_of_the_base_path() {
    let server = door(&[SCRIPT]).await;
    server.write(BROKEN.0, BROKEN.1);
    let admin = server.browser("ada", &["admins", "ops"]).await;
    let run = run(&admin).await;
    assert!(run.starts_with("/door/runs/"), "{run}");
    let mut met = crawl(&admin, "/door/").await;
    met.extend(crawl(&admin, &format!("{run}?q=hello")).await);
    met.extend(crawl(&server.anonymous(), "/door/login").await);
    for expected in [
        "/door/runs",
        "/door/account",
        "/door/admin/health",
        "/door/scripts/ops/hello",
        &run,
    ] {
        assert!(met.contains(expected), "{expected} is not in {met:?}");
    }
    for kind in [".css", ".js", ".svg"] {
        assert!(met.iter().any(|address| address.ends_with(kind)), "{met:?}");
    }
}

async fn led(client: &Client, path: &str) -> (u16, String) {
    let answer: Answer = client.get(path).await;
    let to = answer.header("location").unwrap_or_default().to_owned();
    (answer.status, to)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_redirection_stays_below_it() {
    let server = door(&[SCRIPT]).await;
    let (anon, ada) = (server.anonymous(), server.browser("ada", &["ops"]).await);
    for (path, to) in [("/door", "/door/"), ("/door?q=x", "/door/")] {
        assert_eq!(led(&anon, path).await, (308, to.to_owned()), "{path}");
    }
    for (path, to) in [
        ("/door/", "/door/login"),
        ("/door/runs?a=b", "/door/login?next=%2Fruns%3Fa%3Db"),
    ] {
        assert_eq!(led(&anon, path).await, (303, to.to_owned()), "{path}");
    }
    let page = ada.get("/door/").await.text();
    let out = post(&ada, "/door/logout", &token(&page), "").await;
    assert_eq!((out.status, location(&out).as_str()), (303, "/door/login"));
    let expired = out.header("set-cookie").expect("a cookie that ends");
    assert!(expired.contains("Path=/door;"), "{expired}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_stand_below_it_is_not_there() {
    let server = door(&[SCRIPT]).await;
    let ada = server.browser("ada", &["ops"]).await;
    for path in [
        "/",
        "/login",
        "/runs",
        "/healthz",
        "/readyz",
        "/api/v1/me",
        "/doors",
        "//door/",
        "/Door/",
        "/door//",
    ] {
        assert_eq!(ada.get(path).await.status, 404, "{path}");
    }
    for path in [
        "/door/",
        "/door/login",
        "/door/runs",
        "/door/healthz",
        "/door/readyz",
        "/door/api/v1/me",
    ] {
        assert_eq!(ada.get(path).await.status, 200, "{path}");
    }
    let refused = ada.get("/api/v1/nothing").await;
    assert_eq!(
        refused.header("content-type"),
        Some("application/problem+json")
    );
    let style = ada.get("/login").await.text();
    assert!(style.contains("href=\"/door/static/"), "{style}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_names_its_own_addresses_with_it() {
    let server = door(&[SCRIPT]).await;
    let robot = server.program("bob", &["ops"]).await;
    let started = robot
        .post("/door/api/v1/runs?wait=20", "{\"script\":\"ops/hello\"}")
        .await;
    assert_eq!(started.status, 201, "{}", started.text());
    let run = location(&started);
    assert!(run.starts_with("/door/api/v1/runs/"), "{run}");
    assert_eq!(robot.get(&run).await.json()["outcome"], "succeeded");
    let described = robot.get("/door/api/v1/openapi.json").await.json();
    assert_eq!(
        described["servers"],
        serde_json::json!([{ "url": "/door" }])
    );
}
