//! The password once more, before what would hurt most.

use crate::client::{Answer, Client};
use crate::pages::{fresh, location, post, token};
use crate::server::{PASSWORD, TestServer};

const END: &str = "/account/sessions/end-others";

/// How many sessions the page lists.
async fn sessions(client: &Client) -> usize {
    let page = client.get("/account").await.text();
    let list = page.split("<tbody>").nth(1).unwrap_or("");
    list.split("</tbody>")
        .next()
        .unwrap_or("")
        .matches("<tr>")
        .count()
}

/// The cookie that an answer sets.
fn cookie(answer: &Answer) -> Option<&str> {
    answer.header("set-cookie")?.split(';').next()
}

#[tokio::test]
async fn w75_an_act_that_asks_for_the_password_waits_for_it_and_goes_on() {
    let server = TestServer::with(&[]).await;
    let stale = server.stale_browser("ada", &[]).await;
    let other = server.browser("ada", &[]).await;
    let asked = post(
        &stale,
        END,
        &fresh(&stale, "/account").await,
        "x=1&y=%3Cb%3E",
    )
    .await;
    assert_eq!(asked.status, 403);
    let page = asked.text();
    for part in [
        "name=\"x\" value=\"1\"",
        "name=\"y\" value=\"&#60;b&#62;\"",
        "name=\".password\"",
        "action=\"/account/sessions/end-others\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(sessions(&other).await, 2, "nothing has happened");

    let fields = format!("x=1&.password={}", PASSWORD.replace(' ', "+"));
    let done = post(&stale, END, &token(&page), &fields).await;
    assert_eq!(
        (done.status, location(&done)),
        (303, "/account?done=others".to_owned())
    );
    assert_eq!(other.get("/account").await.status, 303, "it has ended");

    let renewed = stale
        .only("none")
        .with("cookie", cookie(&done).expect("a new cookie"));
    assert_eq!(sessions(&renewed).await, 1);
    assert_eq!(
        stale.get("/account").await.status,
        303,
        "the old cookie is worth nothing"
    );
    let again = post(&renewed, END, &fresh(&renewed, "/account").await, "").await;
    assert_eq!(again.status, 303, "it counts for a while");
    assert_eq!(cookie(&again), None);
}

#[tokio::test]
async fn w75_a_wrong_password_and_none_change_nothing() {
    let server = TestServer::with(&[]).await;
    let stale = server.stale_browser("ada", &[]).await;
    let other = server.browser("ada", &[]).await;
    let mut page = post(&stale, END, &fresh(&stale, "/account").await, "")
        .await
        .text();
    for fields in [
        ".password=",
        ".password=violet+tractor+ninety+owl",
        ".password=x&.password=y",
    ] {
        let answer = post(&stale, END, &token(&page), fields).await;
        assert_eq!(answer.status, 401, "{fields}");
        page = answer.text();
        assert!(page.contains("That is not your password."), "{page}");
        assert!(!page.contains("ninety"), "{page}");
    }
    let used = post(&stale, END, "x", ".password=x").await;
    assert!(
        used.text().contains("open for too long"),
        "a token is asked for, too"
    );
    assert_eq!(sessions(&other).await, 2);
}

#[tokio::test]
async fn w75_what_was_filled_in_is_kept_but_for_secrets() {
    let server = TestServer::with(&[]).await;
    let stale = server.stale_browser("ada", &[]).await;
    let fields = "name=bob&group=a&group=b&password=s3cret1&again=s3cret2&new_password=s3cret3";
    let page = post(&stale, END, &fresh(&stale, "/account").await, fields)
        .await
        .text();
    for kept in ["name=\"name\" value=\"bob\"", "value=\"a\"", "value=\"b\""] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
    assert!(!page.contains("s3cret"), "{page}");
    assert!(page.contains("asked for those again"), "{page}");
}

#[tokio::test]
async fn w75_who_has_just_signed_in_is_not_asked() {
    let server = TestServer::with(&[]).await;
    let ada = server.browser("ada", &[]).await;
    let done = post(&ada, END, &fresh(&ada, "/account").await, "").await;
    assert_eq!((done.status, cookie(&done)), (303, None));
}

#[tokio::test]
async fn w75_one_session_s_password_does_not_count_for_another() {
    let server = TestServer::with(&[]).await;
    let (first, second) = (
        server.stale_browser("ada", &[]).await,
        server.browser("ada", &[]).await,
    );
    let ended = post(
        &second,
        "/account/sessions/end",
        &fresh(&second, "/account").await,
        "",
    )
    .await;
    assert_eq!(ended.status, 303);
    let asked = post(&first, END, &fresh(&first, "/account").await, "").await;
    assert_eq!(asked.status, 403);
}
