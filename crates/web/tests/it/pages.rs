//! Forms as a browser without JavaScript sends them.

use crate::client::{Answer, Client};
use crate::server::TestServer;

/// One with a secret, a hidden parameter that has a default, and a question.
const JOB: (&str, &str) = (
    "ops/job.sh",
    r#"#!/bin/sh
# /// stagedoor
# title = "Job <b>&"
# description = "Does <script>alert(1)</script> **much**, see [more](javascript:alert(1))."
# access = { run = ["ops"], view = ["lookers"] }
# confirm = "Sure?"
#
# [[param]]
# name = "mode"
# choices = ["plain", "fancy"]
# default = "plain"
# option = "--mode"
#
# [[param]]
# name = "colour"
# default = "red"
# option = "--colour"
# when = { mode = ["fancy"] }
#
# [[param]]
# name = "note"
# option = "--note"
# max_length = 5
#
# [[param]]
# name = "key"
# secret = true
# ///
echo "$@"
"#,
);

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];
const PATH: &str = "/scripts/ops/job";
const GOOD: &str = "mode=plain&colour=red&note=hi&key=s3cret&.confirm=yes";

pub fn token(page: &str) -> String {
    let token = page
        .split("name=\"csrf_token\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    token.expect("a token").to_owned()
}

pub async fn fresh(client: &Client, path: &str) -> String {
    token(&client.get(path).await.text())
}

pub async fn post(client: &Client, path: &str, token: &str, fields: &str) -> Answer {
    client
        .send(
            "POST",
            path,
            &FORM,
            format!("csrf_token={token}&{fields}").as_bytes(),
        )
        .await
}

pub fn location(answer: &Answer) -> String {
    answer
        .header("location")
        .unwrap_or_else(|| panic!("{}: {}", answer.status, answer.text()))
        .to_owned()
}

async fn count(client: &Client) -> usize {
    client.get("/api/v1/runs").await.json()["items"]
        .as_array()
        .map_or(0, Vec::len)
}

#[tokio::test]
async fn a_form_starts_one_run_however_often_it_is_sent() {
    let server = TestServer::with(&[JOB]).await;
    let ada = server.browser("ada", &["ops"]).await;
    let token = fresh(&ada, PATH).await;
    let first = post(&ada, PATH, &token, GOOD).await;
    assert_eq!(first.status, 303, "{}", first.text());
    let again = post(&ada, PATH, &token, "mode=fancy&.confirm=yes&key=x").await;
    assert_eq!((again.status, location(&again)), (303, location(&first)));
    assert_eq!(count(&ada).await, 1);
    let run = ada.get(&location(&first)).await.text();
    assert!(run.contains("***") && !run.contains("s3cret"), "{run}");
}

#[tokio::test]
async fn w79_fifty_at_once_start_one_run() {
    let server = TestServer::with(&[JOB]).await;
    let ada = server.browser("ada", &["ops"]).await;
    let token = fresh(&ada, PATH).await;
    let mut sent = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (ada, token) = (ada.clone(), token.clone());
        sent.spawn(async move { post(&ada, PATH, &token, GOOD).await.status });
    }
    let statuses = sent.join_all().await;
    assert!(
        statuses.iter().all(|status| [303, 403].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(count(&ada).await, 1);
}

#[tokio::test]
async fn w77_to_w80_a_form_without_its_own_fresh_token_starts_nothing() {
    let server = TestServer::with(&[JOB]).await;
    let (ada, bob) = (
        server.browser("ada", &["ops"]).await,
        server.browser("bob", &["ops"]).await,
    );
    let of_bob = fresh(&bob, PATH).await;
    for token in ["", "x", of_bob.as_str()] {
        let answer = post(&ada, PATH, token, GOOD).await;
        assert_eq!(answer.status, 403, "{token:?}");
        let page = answer.text();
        assert!(page.contains("value=\"hi\""), "values are kept: {page}");
        assert!(!page.contains("s3cret"), "secrets are not: {page}");
        assert_eq!(super::pages::token(&page).len(), 64, "a new token");
    }
    assert_eq!(
        ada.send("POST", PATH, &FORM, GOOD.as_bytes()).await.status,
        403
    );
    assert_eq!(count(&ada).await, 0);
    assert_eq!(
        post(&bob, PATH, &of_bob, GOOD).await.status,
        303,
        "the token is still good for bob"
    );
}

#[tokio::test]
async fn a_form_from_another_site_starts_nothing() {
    let server = TestServer::with(&[JOB]).await;
    let (session, token) = server.bare_browser("ada", &["ops"], PATH).await;
    let own = format!("http://{}", server.address);
    let rows = [
        ("origin", "null", 403),
        ("origin", "http://evil.example", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("origin", own.as_str(), 303),
    ];
    for (name, value, status) in rows {
        let answer = post(&session.with(name, value), PATH, &token, GOOD).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
}

#[tokio::test]
async fn errors_stand_beside_their_field_and_values_are_kept() {
    let server = TestServer::with(&[JOB]).await;
    let ada = server.browser("ada", &["ops"]).await;
    let token = fresh(&ada, PATH).await;
    let answer = post(
        &ada,
        PATH,
        &token,
        "mode=fancy&colour=blue&note=toolong&key=s3cret&.confirm=yes",
    )
    .await;
    assert_eq!(answer.status, 422);
    let page = answer.text();
    for part in [
        "id=\"note.error\"",
        "role=\"alert\" tabindex=\"-1\" autofocus",
        "<li><a href=\"#note.field\">Note</a></li>",
        "id=\"note.field\"",
        "value=\"toolong\"",
        "value=\"blue\"",
        "aria-invalid=\"true\"",
        "value=\"fancy\" selected",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("s3cret") && !page.contains("#mode.field"));
    assert_eq!(count(&ada).await, 0);
}

#[tokio::test]
async fn a_choice_that_must_be_made_and_has_a_default_cannot_be_left_out() {
    let choice = |keys: &str| {
        format!(
            "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"ops\"] }}\n#\n# [[param]]\n# name = \"mode\"\n\
             # choices = [\"plain\", \"fancy\"]\n# {keys}\n# ///\n"
        )
    };
    let rows = [
        ("default = \"plain\"", None),
        (
            "default = \"plain\"\n# required = true\n# option = \"-m\"",
            None,
        ),
        ("default = \"plain\"\n# option = \"-m\"", Some("None")),
        ("required = true", Some("Choose…")),
    ];
    for (keys, empty) in rows {
        let server = TestServer::with(&[("choose.sh", &choice(keys))]).await;
        let ada = server.browser("ada", &["ops"]).await;
        let page = ada.get("/scripts/choose").await.text();
        let shown = page.split("<option value=\"\">").nth(1);
        let shown = shown.and_then(|rest| rest.split('<').next());
        assert_eq!(shown, empty, "{keys}: {page}");
        assert!(page.contains("<option value=\"plain\""), "{keys}: {page}");
    }
}

#[tokio::test]
async fn a_question_is_answered_before_the_run() {
    let server = TestServer::with(&[JOB]).await;
    let ada = server.browser("ada", &["ops"]).await;
    let token = fresh(&ada, PATH).await;
    let answer = post(&ada, PATH, &token, "mode=plain&key=k").await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.text().contains("Nothing was started"),
        "{}",
        answer.text()
    );
    assert_eq!(count(&ada).await, 0);
}

#[tokio::test]
async fn a_hidden_field_that_nobody_touched_is_no_attempt_to_set_it() {
    let server = TestServer::with(&[JOB]).await;
    let ada = server.browser("ada", &["ops"]).await;
    let untouched = post(&ada, PATH, &fresh(&ada, PATH).await, GOOD).await;
    assert_eq!(untouched.status, 303);
    let set = post(
        &ada,
        PATH,
        &fresh(&ada, PATH).await,
        &GOOD.replace("red", "blue"),
    )
    .await;
    assert_eq!(set.status, 422, "{}", set.text());
}

#[tokio::test]
async fn a_script_that_one_may_not_see_does_not_exist() {
    let server = TestServer::with(&[JOB]).await;
    let guest = server.browser("guest", &["guests"]).await;
    let (hidden, unknown) = (guest.get(PATH).await, guest.get("/scripts/ops/jab").await);
    assert_eq!((hidden.status, hidden.text()), (404, unknown.text()));
    assert!(!guest.get("/").await.text().contains("ops/job"));
    let looker = server.browser("looker", &["lookers"]).await;
    assert_eq!(looker.get(PATH).await.status, 200);
    let token = fresh(&looker, PATH).await;
    assert_eq!(post(&looker, PATH, &token, GOOD).await.status, 403);
}

#[tokio::test]
async fn texts_of_authors_are_shown_and_never_markup() {
    let server = TestServer::with(&[JOB]).await;
    let ada = server.browser("ada", &["ops"]).await;
    for path in ["/", PATH] {
        let page = ada.get(path).await.text();
        assert!(page.contains("Job &#60;b&#62;&#38;"), "{path}: {page}");
        assert!(
            !page.contains("<script>") && !page.contains("javascript:"),
            "{path}: {page}"
        );
    }
    assert!(ada.get(PATH).await.text().contains("<strong>much</strong>"));
}

#[tokio::test]
async fn the_catalog_is_searched_without_javascript() {
    let server = TestServer::with(&[JOB]).await;
    let ada = server.browser("ada", &["ops"]).await;
    assert!(ada.get("/?q=JOB+much").await.text().contains(PATH));
    let page = ada.get("/?q=other").await.text();
    assert!(!page.contains(PATH), "{page}");
    assert!(page.contains("No script matches “other”"), "{page}");
    assert!(
        page.contains("<div id=\"nothing\" class=\"empty\">"),
        "{page}"
    );
    let page = ada.get("/").await.text();
    assert!(
        page.contains("class=\"empty\" hidden>"),
        "for the page's script: {page}"
    );
}

#[tokio::test]
async fn a_run_is_stopped_by_its_form_and_by_nobody_else() {
    let slow = "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"ops\"] }\n# ///\nsleep 60\n";
    let server = TestServer::with(&[("slow.sh", slow)]).await;
    let (ada, eve) = (
        server.browser("ada", &["ops"]).await,
        server.browser("eve", &["ops"]).await,
    );
    let run = location(
        &post(
            &ada,
            "/scripts/slow",
            &fresh(&ada, "/scripts/slow").await,
            "",
        )
        .await,
    );
    let page = ada.get(&run).await.text();
    assert!(
        page.contains("<noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript>"),
        "{page}"
    );
    let stop = format!("{run}/stop");
    assert_eq!(
        post(&eve, &stop, &fresh(&eve, "/").await, "").await.status,
        404
    );
    assert_eq!(post(&ada, &stop, "", "").await.status, 403);
    assert_eq!(post(&ada, &stop, &token(&page), "").await.status, 303);
    for _ in 0..100 {
        let page = ada.get(&run).await.text();
        if page.contains("stopped") && !page.contains("http-equiv") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it was not stopped");
}

#[tokio::test]
async fn the_setup_link_makes_one_account_and_signs_it_in_and_out() {
    let server = TestServer::with(&[JOB]).await;
    let key = server.setup_key().await;
    let link = format!("/setup?key={key}");
    let anon = server.anonymous();
    assert!(anon.get("/login").await.text().contains("Almost there"));
    let page = anon.get(&link).await;
    let browser = anon.with("cookie", cookie(&page, "PreSessionID"));
    let fields =
        |password: &str| format!("key={key}&name=ada&password={password}&again={password}");
    let weak = post(
        &browser,
        "/setup",
        &token(&page.text()),
        &fields("aaaaaaaaaaaa"),
    )
    .await;
    assert_eq!(weak.status, 422, "{}", weak.text());
    let done = post(
        &browser,
        "/setup",
        &token(&weak.text()),
        &fields("orbit+lantern+maple+9"),
    )
    .await;
    assert_eq!((done.status, location(&done).as_str()), (303, "/"));
    let ada = anon.with("cookie", cookie(&done, "SessionID"));
    assert_eq!(ada.get("/").await.status, 200);
    assert_eq!(anon.get(&link).await.status, 410, "the link works once");
    signs_in_and_out(&anon, &ada).await;
}

async fn signs_in_and_out(anon: &Client, ada: &Client) {
    let out = post(ada, "/logout", &fresh(ada, "/").await, "").await;
    assert_eq!(out.status, 303);
    assert_eq!(
        out.header("clear-site-data"),
        Some("\"cache\", \"storage\"")
    );
    assert!(
        out.header("set-cookie")
            .is_some_and(|line| line.contains("Max-Age=0"))
    );
    assert_eq!(ada.get("/").await.status, 303, "the session is over");
    let page = anon.get("/login?next=/runs").await;
    let browser = anon.with("cookie", cookie(&page, "PreSessionID"));
    let wrong = post(
        &browser,
        "/login",
        &token(&page.text()),
        "name=ada&password=wrong&next=/runs",
    )
    .await;
    assert_eq!(wrong.status, 401);
    let again = token(&wrong.text());
    let right = post(
        &browser,
        "/login",
        &again,
        "name=ada&password=orbit+lantern+maple+9&next=/runs",
    )
    .await;
    assert_eq!((right.status, location(&right).as_str()), (303, "/runs"));
    let second = anon.with("cookie", cookie(&right, "SessionID"));
    assert_eq!(second.get("/runs").await.status, 200);
    let old = post(&second, "/logout", &again, "").await;
    assert_eq!(
        old.status, 403,
        "B28: a token from before signing in is worth nothing"
    );
}

fn cookie<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let line = answer
        .header("set-cookie")
        .unwrap_or_else(|| panic!("{}", answer.text()));
    let pair = line.split(';').next().unwrap_or("");
    assert!(pair.starts_with(&format!("{name}-")), "{line}");
    pair
}

#[tokio::test]
async fn somebody_whom_another_site_leads_here_gets_a_page_that_reloads_itself() {
    let server = TestServer::with(&[JOB]).await;
    let from_elsewhere = server.anonymous().with("sec-fetch-site", "cross-site");
    let page = from_elsewhere.get("/runs").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("http-equiv=\"refresh\" content=\"0\""));
    let reloaded = server
        .anonymous()
        .with("sec-fetch-site", "same-origin")
        .get("/runs")
        .await;
    assert_eq!(
        (reloaded.status, location(&reloaded).as_str()),
        (303, "/login?next=%2Fruns")
    );
}

#[tokio::test]
async fn a_path_leads_to_what_is_below_its_root_only() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("here.log"), "x").expect("written");
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link.log")).expect("a link");
    let text = format!(
        "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"ops\"] }}\n#\n# [[param]]\n# name = \"log\"\n\
         # type = \"path\"\n# root = \"{}\"\n# match = \"*.log\"\n# ///\necho \"$1\"\n",
        folder.path().display()
    );
    let server = TestServer::with(&[("read.sh", &text)]).await;
    let ada = server.browser("ada", &["ops"]).await;
    let page = ada.get("/scripts/read").await.text();
    assert!(page.contains("<option value=\"here.log\">"), "{page}");
    assert!(!page.contains("link.log"), "{page}");
    let program = server.program("ada", &["ops"]).await;
    for (path, page, api) in [
        ("here.log", 303, 201),
        ("link.log", 422, 422),
        ("gone.log", 422, 422),
    ] {
        let token = fresh(&ada, "/scripts/read").await;
        let sent = post(&ada, "/scripts/read", &token, &format!("log={path}")).await;
        assert_eq!(sent.status, page, "{path}");
        let body = format!(r#"{{"script":"read","args":{{"log":"{path}"}}}}"#);
        assert_eq!(
            program.post("/api/v1/runs", body).await.status,
            api,
            "{path}"
        );
    }
}
