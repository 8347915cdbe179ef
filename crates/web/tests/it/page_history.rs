//! The history, page by page.

use crate::client::Client;
use crate::server::TestServer;

const SCRIPTS: [(&str, &str); 2] = [
    (
        "ops/a.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\n",
    ),
    (
        "ops/b.sh",
        "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\n",
    ),
];

/// The runs on the page by the number in their arguments, newest first.
fn shown(page: &str) -> Vec<usize> {
    let rest = page.split("n=number-").skip(1);
    rest.filter_map(|rest| {
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    })
    .collect()
}

/// Where a link of the pager leads; none when it is not there.
fn link(page: &str, rel: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("rel=\"{rel}\" href=\""))?;
    Some(rest.split('"').next()?.replace("&#38;", "&"))
}

async fn page(client: &Client, path: &str) -> String {
    let answer = client.get(path).await;
    assert_eq!(answer.status, 200, "{path}");
    answer.text()
}

#[tokio::test]
async fn older_and_newer_lead_through_all_runs_and_back() {
    let server = TestServer::with(&SCRIPTS).await;
    let ada = server.browser("ada", &["ops"]).await;
    server.history("ada", "ops/a", 120).await;
    let expected: Vec<usize> = (0..120).rev().collect();
    let first = page(&ada, "/runs").await;
    assert_eq!(shown(&first), expected[..50]);
    assert_eq!(link(&first, "prev"), None, "nothing is newer");
    let to_second = link(&first, "next").expect("there is more");
    let second = page(&ada, &to_second).await;
    assert_eq!(shown(&second), expected[50..100]);
    let to_third = link(&second, "next").expect("there is more");
    let third = page(&ada, &to_third).await;
    assert_eq!(shown(&third), expected[100..]);
    assert_eq!(link(&third, "next"), None, "nothing is older");
    let back = page(&ada, &link(&third, "prev").expect("there is newer")).await;
    assert_eq!(shown(&back), expected[50..100]);
    let back = page(&ada, &link(&back, "prev").expect("there is newer")).await;
    assert_eq!(shown(&back), expected[..50]);
}

#[tokio::test]
async fn the_pager_keeps_the_filter_and_nobody_pages_into_other_people_s_runs() {
    let server = TestServer::with(&SCRIPTS).await;
    let ada = server.browser("ada", &["ops"]).await;
    server.history("ada", "ops/a", 60).await;
    server.history("ada", "ops/b", 3).await;
    server.history("bob", "ops/a", 60).await;
    let first = page(&ada, "/runs?script=ops/a").await;
    let next = link(&first, "next").expect("there is more");
    assert!(next.starts_with("/runs?script=ops%2Fa&cursor="), "{next}");
    let second = page(&ada, &next).await;
    let all = [shown(&first), shown(&second)].concat();
    assert_eq!(all, (0..60).rev().collect::<Vec<_>>());
    assert!(!second.contains("bob") && !second.contains("/scripts/ops/b"));
    let root = server.browser("root", &["admins"]).await;
    let all = page(&root, "/runs?script=ops/a&user=bob").await;
    assert_eq!(shown(&all).len(), 50);
    assert!(all.contains("bob"));
}

#[tokio::test]
async fn fifty_runs_are_one_page() {
    let server = TestServer::with(&SCRIPTS).await;
    let ada = server.browser("ada", &["ops"]).await;
    server.history("ada", "ops/a", 50).await;
    let only = page(&ada, "/runs").await;
    assert_eq!((shown(&only).len(), link(&only, "next")), (50, None));
    server.history("ada", "ops/b", 1).await;
    assert!(link(&page(&ada, "/runs").await, "next").is_some());
}

#[tokio::test]
async fn a_cursor_that_no_page_gave_leads_to_the_first_page() {
    let server = TestServer::with(&SCRIPTS).await;
    let ada = server.browser("ada", &["ops"]).await;
    server.history("ada", "ops/a", 60).await;
    let answer = ada
        .get("/runs?script=ops/a&cursor=garbage&trail=more")
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/runs?script=ops%2Fa"))
    );
    let first = page(&ada, "/runs?script=ops%2Fa").await;
    assert_eq!(shown(&first).len(), 50);
    let second = page(&ada, &link(&first, "next").expect("there is more")).await;
    assert_eq!(shown(&second).len(), 10, "a cursor of ours is taken");
}

#[tokio::test]
async fn the_api_refuses_a_cursor_that_no_page_gave() {
    let server = TestServer::with(&SCRIPTS).await;
    let ada = server.program("ada", &["ops"]).await;
    server.history("ada", "ops/a", 3).await;
    let answer = ada.get("/api/v1/runs?cursor=garbage").await;
    let problem = answer.json();
    assert_eq!(answer.status, 400, "{problem}");
    assert_eq!(problem["errors"][0]["param"], "cursor", "{problem}");
    let next = ada.get("/api/v1/runs?limit=2").await.json()["next"]
        .as_str()
        .expect("more")
        .to_owned();
    let second = ada
        .get(&format!("/api/v1/runs?limit=2&cursor={next}"))
        .await;
    assert_eq!(second.json()["items"].as_array().map(Vec::len), Some(1));
}
