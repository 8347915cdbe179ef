//! The same hostile values through the form of the page.

use crate::api_arguments::{SHOW, unhex};
use crate::client::{Answer, Client};
use crate::server::TestServer;

/// A browser that opens the form and sends it.
struct Browser(Client);

impl Browser {
    /// `fields` is a form's body, without the token.
    async fn send(&self, fields: &[u8]) -> Answer {
        let page = self.0.get("/scripts/show").await;
        assert_eq!(page.status, 200, "{}", page.text());
        let text = page.text();
        let token = text
            .split("name=\"csrf_token\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let mut body = format!("csrf_token={}&", token.expect("a token")).into_bytes();
        body.extend_from_slice(fields);
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.0.send("POST", "/scripts/show", &kind, &body).await
    }

    /// What the run printed, decoded from hex.
    async fn printed(&self, fields: &[u8]) -> Vec<String> {
        let answer = self.send(fields).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let id = answer
            .header("location")
            .and_then(|l| l.strip_prefix("/runs/"))
            .expect("a run")
            .to_owned();
        for _ in 0..200 {
            let run = self.0.get(&format!("/api/v1/runs/{id}")).await.json();
            if run["state"] == "ended" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let output = self
            .0
            .get(&format!("/api/v1/runs/{id}/output"))
            .await
            .text();
        output.lines().filter_map(unhex).collect()
    }
}

async fn browser() -> (TestServer, Browser) {
    let server = TestServer::with(&[SHOW]).await;
    let ada = server.browser("ada", &["ops"]).await;
    (server, Browser(ada))
}

/// Every byte as `%xx`.
fn encoded(text: &[u8]) -> String {
    text.iter()
        .fold(String::new(), |text, byte| text + &format!("%{byte:02x}"))
}

#[tokio::test]
async fn a_form_brings_a_hostile_value_unchanged() {
    let (_server, ada) = browser().await;
    for value in [
        ";id",
        "$(id)",
        "`id`",
        "--help",
        "@/etc/passwd",
        "a'b\"c",
        "ä€😀",
        "<script>",
    ] {
        let fields = format!("text={}", encoded(value.as_bytes()));
        assert_eq!(ada.printed(fields.as_bytes()).await, [value], "{value:?}");
    }
    let large = "x".repeat(131_000);
    assert_eq!(
        ada.printed(format!("text={large}").as_bytes()).await,
        [large]
    );
}

#[tokio::test]
async fn a_form_that_cannot_be_right_is_refused_with_a_page() {
    let (_server, ada) = browser().await;
    let huge = format!("text={}", "x".repeat(131_072));
    let beyond = format!("big={}", "x".repeat(1 << 20));
    let rows: [(&[u8], u16); 8] = [
        (b"text=a%00b", 422),
        (b"text=a%0ab", 422),
        (b"tag=-x", 422),
        (b"n=many", 422),
        (b"text=%ff%fe", 400),
        (b"text=\xff\xfe", 400),
        (huge.as_bytes(), 422),
        (beyond.as_bytes(), 413),
    ];
    for (fields, status) in rows {
        let answer = ada.send(fields).await;
        let shown = String::from_utf8_lossy(&fields[..fields.len().min(40)]).into_owned();
        assert_eq!(
            answer.status,
            status,
            "{shown}: {}",
            &answer.text()[..200.min(answer.text().len())]
        );
        assert!(
            answer
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("text/html")),
            "{shown}"
        );
    }
    assert_eq!(ada.send(b"text=fine").await.status, 303);
}
