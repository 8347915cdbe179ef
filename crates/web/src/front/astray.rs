//! Who speaks plain HTTP to a port for HTTPS: is told where to go, and the token that crossed the
//! network in the clear for it is flagged.

use std::time::Duration;

use http::StatusCode;
use stagedoor_app::app::App;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::bare::Bare;
use super::connection::LARGEST_HEAD;
use super::exposed;
use crate::headers;

/// How long the client may take to send its head, and again to read the answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How much of the request is taken behind its head.
const MOST_DRAINED: u64 = 64 * 1024;
const TEXT: &str = "This port speaks HTTPS: the address begins with https://\n";

/// What is said, and who is to know of tokens.
#[derive(Default)]
pub(super) struct Astray {
    /// A page that leads to the configured host, if there is one.
    page: Option<String>,
    app: Option<App>,
}

impl Astray {
    /// `address` is that of the catalog, as the operator configured it: nothing of the request,
    /// which anybody between may have written, stands in the answer.
    pub fn new(address: Option<&str>, app: App) -> Self {
        let page = |address| {
            format!(
                "<!DOCTYPE html>\n<html lang=\"en\"><title>HTTPS is needed</title>\n\
                 <p>This port speaks HTTPS: <a href=\"{address}\">{address}</a></p></html>\n"
            )
        };
        Self {
            page: address.map(page),
            app: Some(app),
        }
    }

    /// Answers, and ends the connection.
    pub async fn lead(&self, stream: &mut TcpStream) {
        let head = head(stream).await;
        let said = stream.write_all(self.answer().as_bytes()).await;
        let is_said = said.is_ok() && stream.shutdown().await.is_ok();
        // Behind the answer, which so takes as long for a token of ours as for any other.
        if let (Some(app), Some(token)) = (&self.app, exposed::token_in(&head)) {
            app.expose_token(token).await;
        }
        if is_said {
            // Closed with bytes unread, the connection would be reset, and the answer lost on its
            // way.
            let mut rest = stream.take(MOST_DRAINED);
            let mut sink = tokio::io::sink();
            let _ = timeout(PATIENCE, tokio::io::copy(&mut rest, &mut sink)).await;
        }
    }

    fn answer(&self) -> String {
        let plain = Bare::plain(StatusCode::BAD_REQUEST, TEXT);
        let bare = match &self.page {
            Some(page) => Bare {
                kind: "text/html; charset=utf-8",
                body: page,
                ..plain
            },
            None => plain,
        };
        bare.whole(&headers::as_text())
    }
}

/// What comes of a head in a while.
async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::with_capacity(1024);
    let reading = async {
        let mut seen = 0;
        while bytes.len() < LARGEST_HEAD && matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
            let new = bytes.get(seen..).unwrap_or_default();
            if new.windows(4).any(|end| end == b"\r\n\r\n") {
                return;
            }
            seen = bytes.len().saturating_sub(3);
        }
    };
    let _ = timeout(PATIENCE, reading).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
