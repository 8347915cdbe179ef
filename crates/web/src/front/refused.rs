//! What is said to a client whose request could not be read, and to the log.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use super::framing::{Asked, Refusal};

/// How long a client may take to receive the last words, and again to stop sending.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most bytes that are still read, for a reset would take the answer from who has not read it.
const MOST_DRAINED: usize = 256 * 1024;
/// Most lines of the log in one second.
const MOST_LINES: u32 = 10;
const A_SECOND: Duration = Duration::from_secs(1);

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
    let title = status.canonical_reason().unwrap_or("Refused");
    let code = status.as_u16();
    let (kind, body) = if asked.is_api {
        // Reasons hold nothing that JSON would have to escape.
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{code},"detail":"{reason}"}}"#
        );
        ("application/problem+json", body)
    } else {
        ("text/plain; charset=utf-8", format!("{reason}\n"))
    };
    let allow = if status == StatusCode::METHOD_NOT_ALLOWED {
        "allow: GET, HEAD, POST\r\n"
    } else {
        ""
    };
    let length = body.len();
    let shown = if asked.is_head { "" } else { &body };
    format!(
        "HTTP/1.1 {code} {title}\r\nconnection: close\r\ncontent-type: {kind}\r\n\
         content-length: {length}\r\n{allow}{headers}\r\n{shown}"
    )
}

/// One line that says why; when there are many, most of them only for who looks closely.
pub(super) fn log(peer: IpAddr, refusal: Refusal) {
    static LINES: Mutex<Lines> = Mutex::new(Lines {
        since: None,
        count: 0,
    });
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let is_shown = lines.take(Instant::now());
    drop(lines);
    if is_shown {
        tracing::info!(%peer, %refusal, "a request could not be read");
    } else {
        tracing::debug!(%peer, %refusal, "a request could not be read");
    }
}

/// Lines of the log in this second.
struct Lines {
    since: Option<Instant>,
    count: u32,
}

impl Lines {
    /// Whether there is room for one more.
    fn take(&mut self, now: Instant) -> bool {
        let is_new = self
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= A_SECOND);
        if is_new {
            (self.since, self.count) = (Some(now), 0);
        }
        self.count += 1;
        self.count <= MOST_LINES
    }
}
