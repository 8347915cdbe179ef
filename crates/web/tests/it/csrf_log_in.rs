//! The log-in form has a one-time token too, bound to the browser that asked for it.

use crate::client::{Answer, Client};
use crate::pages::{post, token};
use crate::server::{PASSWORD, TestServer};

const NAME: &str = "name=ada&password=";

/// The cookies that an answer sets, as a browser sends them back.
fn cookies(answer: &Answer) -> String {
    let lines = answer
        .headers()
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    let pairs = lines.filter_map(|(_, line)| line.split(';').next());
    let set = pairs.filter(|pair| !pair.ends_with('='));
    set.collect::<Vec<_>>().join("; ")
}

/// Somebody before the log-in form, and its token.
async fn at_the_form(server: &TestServer) -> (Client, String) {
    let page = server.anonymous().get("/login").await;
    let client = server.anonymous().with("cookie", &cookies(&page));
    (client, token(&page.text()))
}

async fn server() -> TestServer {
    let server = TestServer::with(&[]).await;
    server.stale_browser("ada", &["admins"]).await;
    server
}

fn fields(password: &str) -> String {
    format!("{NAME}{}", password.replace(' ', "+"))
}

#[tokio::test]
async fn b28_log_in_is_taken_with_the_token_of_its_own_form_and_with_no_other() {
    let server = server().await;
    let (here, good) = at_the_form(&server).await;
    let (elsewhere, other) = at_the_form(&server).await;
    for (what, client, token) in [
        ("none", &here, ""),
        ("of another browser", &here, other.as_str()),
        ("without a cookie", &server.anonymous(), good.as_str()),
    ] {
        let answer = post(client, "/login", token, &fields(PASSWORD)).await;
        assert_eq!(answer.status, 403, "{what}");
        let set = cookies(&answer);
        assert!(
            set.is_empty() || set.starts_with("PreSessionID-"),
            "{what}: {set}"
        );
        assert!(
            answer.text().contains("value=\"ada\""),
            "{what}: the name is kept"
        );
        assert!(
            !answer.text().contains("violet"),
            "{what}: the password is not"
        );
    }
    let cross = here.with("origin", "http://evil.example");
    assert_eq!(
        post(&cross, "/login", &good, &fields(PASSWORD))
            .await
            .status,
        403
    );
    let entered = post(&here, "/login", &good, &fields(PASSWORD)).await;
    assert_eq!(entered.status, 303, "{}", entered.text());
    let session = server.anonymous().with("cookie", &cookies(&entered));
    assert_eq!(session.get("/api/v1/me").await.json()["name"], "ada");
    drop(elsewhere);
}

#[tokio::test]
async fn b28_what_was_good_before_log_in_is_worth_nothing_after_it() {
    let server = server().await;
    let (here, first) = at_the_form(&server).await;
    let second = token(&here.get("/login").await.text());
    let entered = post(&here, "/login", &first, &fields(PASSWORD)).await;
    assert_eq!(entered.status, 303);
    let session = server.anonymous().with("cookie", &cookies(&entered));
    assert_ne!(here.value("cookie"), session.value("cookie"));
    let again = post(&here, "/login", &second, &fields(PASSWORD)).await;
    assert_eq!(again.status, 403, "the pool of before is gone");
    let inside = post(&session, "/account/sessions/end-others", &second, "").await;
    assert_eq!(inside.status, 403);
}

#[tokio::test]
async fn b35_a_log_in_cookie_that_was_not_signed_here_is_replaced() {
    let server = server().await;
    let (here, _) = at_the_form(&server).await;
    let good = here.value("cookie").to_owned();
    assert_eq!(cookies(&here.get("/login").await), "", "a good one is kept");
    let mut forged = good.clone();
    let last = if forged.ends_with('0') { '1' } else { '0' };
    forged.pop();
    forged.push(last);
    let planted = server.anonymous().with("cookie", &forged);
    let page = planted.get("/login").await;
    assert!(
        cookies(&page).starts_with("PreSessionID-"),
        "another one is given"
    );
    let answer = post(&planted, "/login", &token(&page.text()), &fields(PASSWORD)).await;
    assert_eq!(answer.status, 403, "and the forged one binds nothing");
}
