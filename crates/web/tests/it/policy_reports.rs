//! What browsers report of the policy: taken in, bounded, shown to admins.

use crate::client::{Answer, Client};
use crate::server::TestServer;

const KIND: (&str, &str) = ("content-type", "application/csp-report");

fn report(server: &TestServer, blocked: &str) -> String {
    serde_json::json!({"csp-report": {
        "document-uri": format!("http://{}/runs", server.address),
        "effective-directive": "script-src-elem",
        "blocked-uri": blocked,
    }})
    .to_string()
}

async fn send(client: &Client, kind: (&str, &str), body: &str) -> Answer {
    client
        .send("POST", "/csp-report", &[kind], body.as_bytes())
        .await
}

#[tokio::test]
async fn w8_a_report_is_counted_and_shown_to_admins_as_text() {
    let server = TestServer::with(&[]).await;
    let (anon, root) = (
        server.anonymous(),
        server.browser("root", &["admins"]).await,
    );
    let before = root.get("/admin/csp-reports").await;
    assert!(
        before.text().contains("Nothing was blocked"),
        "{}",
        before.text()
    );
    for _ in 0..3 {
        let answer = send(
            &anon,
            KIND,
            &report(&server, "https://evil.example/<b>?secret"),
        )
        .await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    }
    send(&anon, KIND, &report(&server, "<script>alert(1)</script>")).await;
    let page = root.get("/admin/csp-reports").await.text();
    for shown in [
        "Run a script",
        "script-src-elem",
        ">https://evil.example\n",
        "on the page /runs<",
        ">3<",
    ] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    for hidden in ["secret", "<script>alert"] {
        assert!(!page.contains(hidden), "{hidden} in {page}");
    }
    let health = root.get("/admin/health").await.text();
    assert!(
        health.contains("<a href=\"/admin/csp-reports\">2</a>"),
        "{health}"
    );
}

#[tokio::test]
async fn w8_only_reports_are_taken_and_only_small_ones() {
    let server = TestServer::with(&[]).await;
    let anon = server.anonymous();
    let good = report(&server, "inline");
    let padded = |length| format!("{good}{}", " ".repeat(length - good.len()));
    let batch = ("content-type", "application/reports+json");
    let json = ("content-type", "application/json");
    let rows = [
        (KIND, good.clone(), 204),
        (KIND, padded(16 * 1024), 204),
        (KIND, padded(16 * 1024 + 1), 413),
        (KIND, String::new(), 204),
        (KIND, "not a report".to_owned(), 204),
        (batch, "[]".to_owned(), 204),
        (json, good.clone(), 415),
        (("accept", "*/*"), good.clone(), 415),
    ];
    for (kind, body, status) in rows {
        let answer = send(&anon, kind, &body).await;
        assert_eq!(answer.status, status, "{kind:?} of {} bytes", body.len());
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    }
    assert_eq!(anon.get("/csp-report").await.status, 405);
    // A browser may send it from a page of another origin, such as a sandboxed one.
    let from_elsewhere = anon
        .with("origin", "null")
        .with("sec-fetch-site", "cross-site");
    assert_eq!(send(&from_elsewhere, KIND, &good).await.status, 204);
}

#[tokio::test]
async fn w8_nobody_sends_many_reports_or_fills_the_list() {
    let server = TestServer::with(&[]).await;
    let (anon, root) = (
        server.anonymous(),
        server.browser("root", &["admins"]).await,
    );
    let mut taken = 0;
    for n in 0..70 {
        let answer = send(
            &anon,
            KIND,
            &report(&server, &format!("https://{n}.example")),
        )
        .await;
        match answer.status {
            204 => taken += 1,
            429 => assert_eq!(answer.header("retry-after"), Some("60")),
            other => panic!("{other}"),
        }
    }
    assert_eq!(taken, 60);
    assert_eq!(
        root.get("/admin/csp-reports").await.status,
        200,
        "others are served"
    );
}
