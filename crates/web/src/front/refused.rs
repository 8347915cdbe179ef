//! What is said to a client whose request could not be read.

use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::bare::Bare;
use super::framing::{Asked, Refusal};

/// How long a client may take to receive the last words, and again to stop sending.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most bytes that are still read, for a reset would take the answer from who has not read it.
const MOST_DRAINED: usize = 256 * 1024;

/// Writes the answer. Nothing depends on whether it arrives.
pub(super) async fn answer<S: AsyncWrite + Unpin>(
    stream: &mut S,
    refusal: Refusal,
    asked: Asked,
    headers: &str,
) {
    let text = text(refusal, asked, headers);
    let _ = timeout(PATIENCE, stream.write_all(text.as_bytes())).await;
}

/// Says that nothing more comes.
pub(super) async fn shut<S: AsyncWrite + Unpin>(stream: &mut S) {
    let _ = timeout(PATIENCE, stream.shutdown()).await;
}

/// Reads a little of what still comes, so that the client can read what was written.
pub(super) async fn drain<S: AsyncRead + Unpin>(stream: &mut S) {
    let reading = async {
        let mut piece = [0; 1024];
        let mut all = 0;
        while all < MOST_DRAINED {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(more) => all += more,
            }
        }
    };
    let _ = timeout(PATIENCE, reading).await;
}

/// The whole answer.
fn text(refusal: Refusal, asked: Asked, headers: &str) -> String {
    let Refusal { status, reason } = refusal;
    let (kind, body) = if asked.is_api {
        let title = status.canonical_reason().unwrap_or("Refused");
        let code = status.as_u16();
        // Reasons hold nothing that JSON would have to escape.
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{code},"detail":"{reason}"}}"#
        );
        ("application/problem+json", body)
    } else {
        ("text/plain; charset=utf-8", format!("{reason}\n"))
    };
    // Which address it was does not matter: none takes such a method.
    let lines = if status == StatusCode::METHOD_NOT_ALLOWED {
        "allow: GET, HEAD, POST, OPTIONS\r\n"
    } else {
        ""
    };
    let bare = Bare {
        status,
        kind,
        lines,
        body: &body,
    };
    if asked.is_head {
        bare.head(headers)
    } else {
        bare.whole(headers)
    }
}
