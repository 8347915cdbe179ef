//! Behind a proxy that speaks HTTPS with browsers: who the client is, and what follows from the
//! scheme.

use crate::client::Client;
use crate::server::TestServer;

const SCRIPT: (&str, &str) = (
    "hello.sh",
    "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\necho hello\n",
);

/// What the proxy adds for a client at this address.
fn from(client: &Client, address: &str, scheme: &str) -> Client {
    client
        .with("x-forwarded-for", address)
        .with("x-forwarded-proto", scheme)
}

#[tokio::test]
async fn w7_w73_https_at_the_proxy_is_https_for_cookies_headers_and_origins() {
    let server = TestServer::behind_a_proxy(&[SCRIPT]).await;
    let anon = server.anonymous();
    let secure = from(&anon, "203.0.113.9", "https").get("/login").await;
    let plain = from(&anon, "203.0.113.9", "http").get("/login").await;
    assert_eq!((secure.status, plain.status), (200, 200));
    let cookie = secure.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("__Host-PreSessionID="), "{cookie}");
    assert!(
        cookie.ends_with("; Secure") || cookie.contains("; Secure;"),
        "{cookie}"
    );
    assert!(!cookie.contains("Domain"), "{cookie}");
    let cookie = plain.header("set-cookie").expect("a cookie");
    assert!(
        cookie.starts_with("PreSessionID-") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let promise = "max-age=63072000; includeSubDomains; preload";
    assert_eq!(secure.header("strict-transport-security"), Some(promise));
    assert_eq!(plain.header("strict-transport-security"), None);
    for (answer, upgrades) in [(&secure, true), (&plain, false)] {
        let policy = answer.header("content-security-policy").expect("a policy");
        assert_eq!(
            policy.contains("upgrade-insecure-requests"),
            upgrades,
            "{policy}"
        );
    }
}

#[tokio::test]
async fn w77_a_form_comes_from_a_page_of_the_same_scheme() {
    let server = TestServer::behind_a_proxy(&[SCRIPT]).await;
    let anon = server.anonymous();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    for (scheme, origin, refused) in [
        ("https", "https", false),
        ("http", "http", false),
        ("https", "http", true),
        ("http", "https", true),
    ] {
        let origin = format!("{origin}://{}", server.address);
        let browser = from(&anon, "203.0.113.9", scheme).with("origin", &origin);
        let answer = browser.send("POST", "/login", &kind, b"name=a").await;
        // Without its token the form is shown again; from another site it is not even read.
        assert_eq!(answer.status, 403, "{scheme} {origin}");
        let is_cross = answer.text().contains("did not come from one of");
        assert_eq!(is_cross, refused, "{scheme} {origin}");
    }
}

#[tokio::test]
async fn w3_w74_a_session_is_of_the_client_and_not_of_the_proxy() {
    let server = TestServer::behind_a_proxy(&[SCRIPT]).await;
    // Made for 127.0.0.1, as if somebody at the proxy's own machine had signed in.
    let ada = server.browser("ada", &[]).await;
    let here = from(&ada, "127.0.0.1", "http").get("/").await;
    assert_eq!(here.status, 200);
    let forged = from(&ada, "127.0.0.1, 203.0.113.9", "http").get("/").await;
    assert_eq!(forged.status, 303, "the entry that the proxy wrote counts");
    let after = from(&ada, "127.0.0.1", "http").get("/").await;
    assert_eq!(after.status, 303, "and the session is over");
}

#[tokio::test]
async fn w3_w74_a_session_goes_on_in_each_spelling_of_its_address_and_ends_at_another_one() {
    let server = TestServer::behind_a_proxy(&[SCRIPT]).await;
    let ada = server.browser("ada", &[]).await;
    for same in [
        "127.0.0.1",
        "127.0.0.1:50000",
        "::ffff:127.0.0.1",
        "[::FFFF:127.0.0.1]:443",
        "0:0:0:0:0:ffff:7f00:0001",
    ] {
        let page = from(&ada, same, "http").get("/").await;
        assert_eq!(page.status, 200, "{same}");
    }
    // No address at all: refused, and nothing is known of whose session it is.
    for none in ["[127.0.0.1]", "127.0.0.1%lo", "127.1", "2130706433"] {
        let page = from(&ada, none, "http").get("/").await;
        assert_eq!(page.status, 400, "{none}");
    }
    let page = from(&ada, "127.0.0.1", "http").get("/").await;
    assert_eq!(page.status, 200, "it goes on");
    let page = from(&ada, "::127.0.0.1", "http").get("/").await;
    assert_eq!(page.status, 303, "another address");
}

#[tokio::test]
async fn w3_a_proxy_that_does_not_say_who_the_client_is_is_refused() {
    let server = TestServer::behind_a_proxy(&[SCRIPT]).await;
    let anon = server.anonymous();
    for path in ["/", "/login", "/api/v1/me", "/nowhere"] {
        let refused = anon.get(path).await;
        assert_eq!(refused.status, 400, "{path}");
        assert_eq!(refused.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(refused.header("strict-transport-security"), None, "{path}");
    }
    let detail = anon.get("/api/v1/me").await.json();
    assert_eq!(detail["code"], "bad_forwarding", "{detail}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(anon.get(path).await.status, 200, "{path}");
    }
    for bad in ["unknown", "1.2.3.4, unknown", "", "localhost", "1.2.3.4,"] {
        assert_eq!(
            from(&anon, bad, "https").get("/login").await.status,
            400,
            "{bad}"
        );
    }
    let odd = from(&anon, "203.0.113.9", "https").with("x-forwarded-proto", "http");
    assert_eq!(odd.get("/login").await.status, 400);
}
