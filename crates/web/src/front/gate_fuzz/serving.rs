//! One connection in memory: a client, the gate and hyper, on a clock that does not wait.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::header::CONNECTION;
use http::{HeaderMap, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};

use super::reference::Request;
use crate::front::connection::{Patience, http1_builder};
use crate::front::gated::Gated;
use crate::front::heads::Heads;
use crate::headers;

/// Far longer than all timers of a connection.
const HANG: Duration = Duration::from_hours(1);

/// What came of it.
pub(super) struct Served {
    /// What hyper made of the bytes.
    pub requests: Vec<Request>,
    /// All that the client read.
    pub output: Vec<u8>,
    /// The last request said that none follows.
    pub was_to_end: bool,
}

/// One answer.
pub(super) struct Answered {
    pub status: u16,
    pub is_ours: bool,
}

impl Served {
    /// In the order in which they came.
    pub fn answers(&self) -> Vec<Answered> {
        let text = String::from_utf8_lossy(&self.output);
        let parts = text.split("HTTP/1.").skip(1);
        // A body may name a version too.
        let answered = parts.filter_map(|part| {
            let status = part.get(2..5)?.parse().ok()?;
            let is_ours = part.contains("\r\nx-ours: 1\r\n")
                || part.contains("\r\nx-frame-options: DENY\r\n")
                || status == 100;
            Some(Answered { status, is_ours })
        });
        answered.collect()
    }
}

#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    was_to_end: bool,
}

/// Sends the bytes in these pieces; `is_narrow` has all of them pass through a small buffer.
pub(super) fn serve(bytes: &[u8], cuts: &[usize], is_narrow: bool) -> Result<Served, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (client, server) = duplex(if is_narrow { 61 } else { 64 * 1024 });
        let seen = Arc::default();
        let both = async { tokio::join!(client_of(client, bytes, cuts), server_of(server, &seen)) };
        let done = tokio::time::timeout(HANG, both).await;
        let (output, ()) = done.map_err(|_| "it hangs".to_owned())?;
        let seen = std::mem::take(&mut *seen.lock().expect("seen"));
        Ok(Served {
            requests: seen.requests,
            output,
            was_to_end: seen.was_to_end,
        })
    })
}

/// Sends, waits for a moment, and closes its side; what it read to the end.
async fn client_of(client: DuplexStream, bytes: &[u8], cuts: &[usize]) -> Vec<u8> {
    let (mut reader, mut writer) = split(client);
    let mut output = Vec::new();
    let sending = async {
        let mut from = 0;
        for end in cuts.iter().copied().chain([bytes.len()]) {
            if writer.write_all(&bytes[from..end]).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
            from = end;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _ = writer.shutdown().await;
    };
    let (_, ()) = tokio::join!(reader.read_to_end(&mut output), sending);
    output
}

async fn server_of(server: DuplexStream, seen: &Arc<Mutex<Seen>>) {
    let patience = Patience::default();
    let heads = Heads::new(patience.head);
    let mut gated = Gated::new(heads.watch(server), heads.clone());
    let service = service_fn(|request: http::Request<Incoming>| {
        let (answering, seen) = (heads.answering(), Arc::clone(seen));
        async move {
            let (parts, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .ok()
                .map(|body| body.to_bytes().to_vec());
            let mut seen = seen.lock().expect("seen");
            seen.was_to_end = parts.version == Version::HTTP_10 || says_close(&parts.headers);
            seen.requests.push(Request {
                method: parts.method.to_string(),
                target: target_of(&parts.uri),
                body,
            });
            let answer = Response::builder().header("x-ours", "1");
            let body = Body::from("ok").map_err(move |error| {
                let _until_now = &answering;
                error
            });
            Ok::<_, Infallible>(answer.body(body).expect("an answer"))
        }
    });
    // How it ends is seen in what the client got.
    let _ = http1_builder(patience)
        .serve_connection(TokioIo::new(&mut gated), service)
        .await;
    gated
        .finish(IpAddr::from(Ipv4Addr::LOCALHOST), headers::as_text)
        .await;
}

fn says_close(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONNECTION).iter();
    let mut texts = values.map(|value| value.as_bytes().to_ascii_lowercase());
    texts.any(|text| text.windows(5).any(|five| five == b"close"))
}

/// As it was sent, but for a path that stood empty.
fn target_of(uri: &http::Uri) -> String {
    uri.to_string()
}
