//! A script's own page in a frame (row W8b). What a browser makes of it is tried with a real one in
//! `tests/`.

use serde_json::json;

use crate::client::Client;
use crate::server::TestServer;

const PAGE: (&str, &str) = (
    "ops/page.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# output_format = \"html\"\n# ///\n\
     echo '<h1>Hi</h1><script>alert(1)</script>'\necho oops >&2\n",
);
const PLAIN: (&str, &str) = (
    "ops/plain.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\necho '<h1>Hi</h1>'\n",
);
const LARGE: (&str, &str) = (
    "ops/large.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# output_format = \"html\"\n# ///\n\
     head -c 9000000 /dev/zero | tr '\\0' a\n",
);
const EMPTY: (&str, &str) = (
    "ops/empty.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# output_format = \"html\"\n# ///\nexit 3\n",
);
const SLOW: (&str, &str) = (
    "ops/slow.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# output_format = \"html\"\n# ///\n\
     echo '<p>begun</p>'\nsleep 60\n",
);

async fn ran(program: &Client, script: &str) -> String {
    let body = json!({"script": script}).to_string();
    let run = program.post("/api/v1/runs?wait=20", body).await.json();
    assert_eq!(run["state"], "ended", "{run}");
    format!("/runs/{}", run["id"].as_str().expect("an id"))
}

fn policy(answer: &crate::client::Answer) -> &str {
    answer.header("content-security-policy").expect("a policy")
}

#[tokio::test]
async fn w8b_a_page_is_downloaded_as_a_page_and_no_browser_shows_it_as_one_of_ours() {
    let server = TestServer::with(&[PAGE, PLAIN]).await;
    let program = server.program("pro", &["ops"]).await;
    for (script, query, ending) in [
        ("ops/page", "", ".html\""),
        ("ops/page", "?stream=stderr", ".stderr.txt\""),
        ("ops/plain", "", ".stdout.txt\""),
    ] {
        let run = ran(&program, script).await;
        let path = format!("/api/v1{run}/output{query}");
        let file = program.get(&path).await;
        let name = file.header("content-disposition").expect("a name");
        let id = run.trim_start_matches("/runs/");
        let begin = format!("attachment; filename=\"{}-{id}", &script[4..]);
        assert!(name.starts_with(&begin) && name.ends_with(ending), "{name}");
        assert_eq!(
            file.header("content-type"),
            Some("application/octet-stream")
        );
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(file.header("x-frame-options"), Some("DENY"));
        assert!(policy(&file).contains("; sandbox;"), "{}", policy(&file));
    }
}

#[tokio::test]
async fn w8b_what_a_script_printed_is_served_as_a_page_in_which_nothing_runs() {
    let server = TestServer::with(&[PAGE]).await;
    let program = server.program("pro", &["ops"]).await;
    let ada = server.browser("ada", &["admins"]).await;
    let run = ran(&program, "ops/page").await;
    let framed = ada.get(&format!("{run}/html")).await;
    assert_eq!(framed.status, 200);
    assert_eq!(
        framed.text(),
        "<h1>Hi</h1><script>alert(1)</script>\n",
        "stdout, byte for byte"
    );
    assert_eq!(
        framed.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(
        policy(&framed),
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
    );
    assert_eq!(framed.header("x-frame-options"), Some("SAMEORIGIN"));
    assert_eq!(framed.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(framed.header("cache-control"), Some("no-store"));
    assert_eq!(
        framed.header("cross-origin-resource-policy"),
        Some("same-origin")
    );
    let page = ada.get(&run).await;
    assert!(
        policy(&page).contains("; frame-src 'self'; "),
        "{}",
        policy(&page)
    );
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    let text = page.text();
    assert!(
        text.contains(&format!(
            "<iframe class=\"report\" sandbox src=\"{run}/html\""
        )),
        "{text}"
    );
    assert!(!text.contains("<script>alert"), "as text it is escaped");
    assert!(text.contains("oops"), "errors are text");
    for other in ["/", "/runs", "/scripts/ops/page"] {
        assert!(
            !policy(&ada.get(other).await).contains("frame-src"),
            "{other}"
        );
    }
}

#[tokio::test]
async fn w8b_only_who_may_read_the_output_gets_it_and_only_of_a_script_that_says_html() {
    let server = TestServer::with(&[PAGE, PLAIN]).await;
    let program = server.program("pro", &["ops"]).await;
    let (page, plain) = (
        ran(&program, "ops/page").await,
        ran(&program, "ops/plain").await,
    );
    let (root, eve) = (
        server.browser("root", &["admins"]).await,
        server.browser("eve", &[]).await,
    );
    let status = async |client: &Client, path: &str| client.get(path).await.status;
    assert_eq!(status(&root, &format!("{page}/html")).await, 200);
    assert_eq!(status(&root, &format!("{plain}/html")).await, 404);
    assert_eq!(status(&eve, &format!("{page}/html")).await, 404);
    assert_eq!(
        status(&server.anonymous(), &format!("{page}/html")).await,
        303
    );
    assert_eq!(
        status(&root, "/runs/01900000-0000-7000-8000-000000000000/html").await,
        404
    );
    assert_eq!(status(&root, "/runs/x/html").await, 404);
    let text = root.get(&plain).await;
    assert!(!text.text().contains("<iframe") && !policy(&text).contains("frame-src"));
}

#[tokio::test]
async fn a_large_page_is_shown_in_part_and_the_page_of_the_run_says_so() {
    let server = TestServer::with(&[LARGE]).await;
    let program = server.program("pro", &["ops"]).await;
    let root = server.browser("root", &["admins"]).await;
    let run = ran(&program, "ops/large").await;
    let framed = root.get(&format!("{run}/html")).await;
    assert_eq!(framed.body.len(), 8 << 20);
    let page = root.get(&run).await.text();
    assert!(page.contains("The first 8 MiB of 9 are shown."), "{page}");
}

#[tokio::test]
async fn a_run_that_goes_on_or_printed_nothing_has_no_frame_yet() {
    let server = TestServer::with(&[EMPTY, SLOW]).await;
    let program = server.program("pro", &["ops"]).await;
    let root = server.browser("root", &["admins"]).await;
    let empty = root.get(&ran(&program, "ops/empty").await).await.text();
    assert!(!empty.contains("<iframe") && empty.contains("It wrote nothing."));
    let body = json!({"script": "ops/slow"}).to_string();
    let id = program.post("/api/v1/runs", body).await.json();
    let slow = format!("/runs/{}", id["id"].as_str().expect("an id"));
    let page = root.get(&slow).await.text();
    assert!(
        !page.contains("<iframe") && page.contains("shown here when the run has ended"),
        "{page}"
    );
}
