//! Search in a run's output, without JavaScript.

use serde_json::json;

use crate::client::Client;
use crate::server::TestServer;

const PRINTS: (&str, &str) = (
    "prints.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\n\
     echo 'All is well'\nsleep 0.3\necho 'Error: <b>bad</b>' >&2\nsleep 0.3\nseq 1 450\necho 'no error'\n",
);

async fn ran() -> (TestServer, Client, String) {
    let server = TestServer::with(&[PRINTS]).await;
    let ada = server.browser("ada", &["ops"]).await;
    let program = server.program("ada", &["ops"]).await;
    let body = json!({"script": "prints"}).to_string();
    let run = program.post("/api/v1/runs?wait=20", body).await.json();
    assert_eq!(run["outcome"], json!("succeeded"), "{run}");
    let path = format!("/runs/{}", run["id"].as_str().expect("an id"));
    (server, ada, path)
}

/// Number and text of each line that was found, as they stand in the page.
fn hits(page: &str) -> Vec<(u64, String)> {
    let lines = page.split("<li><span class=\"at\" data-line=\"").skip(1);
    lines
        .filter_map(|line| {
            let (number, rest) = line.split_once('"')?;
            let (text, _) = rest.split_once("<code>")?.1.split_once("</code>")?;
            Some((number.parse().ok()?, text.to_owned()))
        })
        .collect()
}

#[tokio::test]
async fn lines_of_both_streams_are_found_with_their_numbers() {
    let (_server, ada, path) = ran().await;
    let page = ada.get(&format!("{path}?q=ERROR")).await.text();
    let bad = "Error: &#60;b&#62;bad&#60;/b&#62;".to_owned();
    assert_eq!(hits(&page), [(2, bad), (453, "no error".to_owned())]);
    assert!(page.contains("2 lines with “ERROR”"), "{page}");
    assert!(page.contains("name=\"q\" value=\"ERROR\""), "{page}");
}

#[tokio::test]
async fn nothing_is_found_or_looked_for() {
    let (_server, ada, path) = ran().await;
    let none = ada.get(&format!("{path}?q=%3Ci%3E")).await.text();
    assert!(none.contains("No line has “&#60;i&#62;”"), "{none}");
    for query in ["", "?q=", "?q=%ff", "?from=3"] {
        let page = ada.get(&format!("{path}{query}")).await;
        assert_eq!(page.status, 200, "{query}");
        assert!(page.text().contains("id=\"q\""), "{query}");
        assert_eq!(hits(&page.text()), [], "{query}");
    }
    let long = ada.get(&format!("{path}?q={}", "a".repeat(1025))).await;
    assert!(long.text().contains("too long to be looked for"));
}

#[tokio::test]
async fn more_than_a_page_of_lines_is_gone_through_by_links() {
    let (_server, ada, path) = ran().await;
    let mut address = format!("{path}?q=1");
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = ada.get(&address).await.text();
        let on_it = hits(&page);
        assert!(on_it.len() <= 200);
        found.extend(on_it.into_iter().map(|(number, _)| number));
        pages += 1;
        let next = page
            .split(&format!("class=\"button\" href=\"{path}?"))
            .nth(1);
        let Some(next) = next.and_then(|rest| rest.split('#').next().map(|_| rest)) else {
            break;
        };
        let query = next
            .split('"')
            .next()
            .expect("an address")
            .replace("&#38;", "&");
        address = format!("{path}?{}", query.trim_end_matches("#found"));
    }
    let expected: Vec<u64> = (1..=450_u64)
        .filter(|n| n.to_string().contains('1'))
        .map(|n| n + 2)
        .collect();
    assert_eq!(found, expected);
    assert_eq!(pages, expected.len().div_ceil(200));
}

#[tokio::test]
async fn who_may_not_read_a_run_cannot_search_it() {
    let (server, _ada, path) = ran().await;
    let eve = server.browser("eve", &["ops"]).await;
    let (known, unknown) = (
        eve.get(&format!("{path}?q=error")).await,
        eve.get("/runs/01900000-0000-7000-8000-000000000000?q=error")
            .await,
    );
    assert_eq!((known.status, known.text()), (404, unknown.text()));
}
