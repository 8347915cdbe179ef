//! The page of what is blocked, and what somebody is told who is.

use crate::client::{Answer, Client};
use crate::pages::{fresh, location, post, token};
use crate::server::TestServer;

const WRONG: &str = "password=not+the+password&next=";

/// Somebody at the log-in page, with the cookie of its form.
async fn visitor(server: &TestServer) -> Client {
    let page = server.anonymous().get("/login").await;
    let cookie = page.header("set-cookie").expect("a cookie");
    let pair = cookie.split(';').next().expect("a pair").to_owned();
    server
        .anonymous()
        .with("cookie", &pair)
        .with("origin", &format!("http://{}", server.address))
}

async fn guess(client: &Client, name: &str) -> Answer {
    let token = fresh(client, "/login").await;
    post(client, "/login", &token, &format!("name={name}&{WRONG}")).await
}

#[tokio::test]
async fn w21_after_five_failures_anybody_gets_429_with_the_time_to_wait() {
    let server = TestServer::with(&[]).await;
    server.browser("ann", &[]).await;
    let visitor = visitor(&server).await;
    let mut pages = Vec::new();
    for name in ["ann", "eve"] {
        for _ in 0..5 {
            assert_eq!(guess(&visitor, name).await.status, 401);
        }
        let refused = guess(&visitor, name).await;
        assert_eq!(refused.status, 429);
        assert!(refused.text().contains("try again in 15 minutes"));
        let wait: u64 = refused
            .header("retry-after")
            .and_then(|wait| wait.parse().ok())
            .expect("a time");
        assert!((600..=900).contains(&wait), "{wait}");
        let page = refused.text();
        let page = page.replace(&token(&page), "TOKEN");
        pages.push(page.replace(&format!("value=\"{name}\""), "value=\"NAME\""));
    }
    assert_eq!(pages[0], pages[1]);
}

#[tokio::test]
async fn w21_wrong_tokens_get_429_with_the_time_to_wait() {
    let server = TestServer::with(&[]).await;
    let good = server.program("ann", &[]).await;
    assert_eq!(good.get("/api/v1/me").await.status, 200);
    let bad = server.anonymous().with("authorization", "Bearer sd_wrong");
    for _ in 0..20 {
        assert_eq!(bad.get("/api/v1/me").await.status, 401);
    }
    let refused = bad.get("/api/v1/me").await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.json()["code"], "blocked");
    assert_eq!(good.get("/api/v1/me").await.status, 200, "it worked before");
    let fresh = server.program("bob", &[]).await;
    assert_eq!(fresh.get("/api/v1/me").await.status, 429);
}

#[tokio::test]
async fn an_admin_sees_who_is_blocked_and_lifts_it_and_others_see_nothing() {
    let server = TestServer::with(&[]).await;
    let (root, ann) = (
        server.browser("root", &["admins"]).await,
        server.browser("ann", &[]).await,
    );
    assert!(
        root.get("/admin/blocked")
            .await
            .text()
            .contains("Nobody is blocked")
    );
    let visitor = visitor(&server).await;
    for name in ["ann", "secret-that-was-typed"] {
        for _ in 0..5 {
            guess(&visitor, name).await;
        }
    }
    let page = root.get("/admin/blocked").await.text();
    for shown in [
        "Signing in as ann<",
        "who does not exist<",
        "from 127.0.0.1<",
        "in 15 min<",
    ] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert!(!page.contains("secret-that-was-typed"), "{page}");
    let health = root.get("/admin/health").await.text();
    assert!(
        health.contains("<a href=\"/admin/blocked\">2</a>"),
        "{health}"
    );

    assert_eq!(ann.get("/admin/blocked").await.status, 404);
    let own = fresh(&ann, "/account").await;
    let tried = post(&ann, "/admin/blocked/lift", &own, "all=yes").await;
    assert_eq!(tried.status, 404);
    assert_eq!(guess(&visitor, "ann").await.status, 429);

    let of_ann = page.split("Signing in as ann<").nth(1).expect("a row");
    let id = of_ann
        .split("name=\"id\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("an id");
    let lifted = post(
        &root,
        "/admin/blocked/lift",
        &token(&page),
        &format!("id={id}"),
    )
    .await;
    assert_eq!(
        (lifted.status, location(&lifted).as_str()),
        (303, "/admin/blocked")
    );
    assert_eq!(guess(&visitor, "ann").await.status, 401);
    let page = root.get("/admin/blocked").await.text();
    assert!(!page.contains("Signing in as ann<"), "{page}");
    post(&root, "/admin/blocked/lift", &token(&page), "all=yes").await;
    assert!(
        root.get("/admin/blocked")
            .await
            .text()
            .contains("Nobody is blocked")
    );
}

#[tokio::test]
async fn a_password_is_masked_and_a_browser_may_fill_it_in() {
    let server = TestServer::with(&[]).await;
    server.browser("root", &["admins"]).await;
    let page = server.anonymous().get("/login").await.text();
    let field = page
        .split('<')
        .find(|tag| tag.starts_with("input") && tag.contains("name=\"password\""));
    let field = field.expect("a field for the password");
    assert!(field.contains("type=\"password\""), "{field}");
    assert!(
        field.contains("autocomplete=\"current-password\""),
        "{field}"
    );
    for kept_out in ["onpaste", "oncopy", "readonly", "maxlength=\"256\""] {
        assert!(!page.contains(kept_out), "{kept_out}");
    }
}
