//! HTTP/2 on one connection, which spoke TLS and chose it there. Its requests look to the rest of
//! the server as those of HTTP/1.1 do.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::HOST;
use http::{HeaderValue, Request, StatusCode, Uri};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use super::DRAIN;
use super::body::timed;
use super::connection::{Door, LARGEST_HEAD, MOST_HEADERS};
use super::frames::Metered;
use super::held::Held;
use super::seat::Seat;
use super::streams::{Streams, Verdict};
use crate::problem::Problem;
use crate::session::Arrival;

/// Requests at once; the specification advises 100 (RFC 9113, 6.5.2).
const MOST_STREAMS: u32 = 100;
/// Requests that were taken back before anybody looked at them; more end the connection.
const MOST_RESETS: usize = 20;
/// Streams that we ended because of what the client sent; more end the connection.
const MOST_OWN_RESETS: usize = 64;
/// How much of a body a client may send before it is asked for.
const STREAM_WINDOW: u32 = 64 * 1024;
/// Of all bodies of a connection.
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// How much of an answer waits for a client that takes it slowly.
const SEND_BUFFER: usize = 64 * 1024;
/// A client that is silent is asked after this time, and given up after as much again.
const PING: Duration = Duration::from_secs(20);
/// How long a client without requests may take to go when it is told to.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves until the client or the shutdown ends it.
pub(super) async fn serve<S>(
    stream: S,
    door: Door,
    arrival: Arrival,
    seat: &Arc<Seat>,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let patience = door.patience;
    let streams = Streams::new(patience.head, patience.idle);
    let (desk, ours, held) = (door.desk, streams.clone(), Held::default());
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = ours.begin(seat.begin());
        let share = (!request.body().is_end_stream()).then(|| held.share());
        let mut request = request.map(|body| timed(body, patience, share.clone()));
        as_http_1(&mut request);
        request.extensions_mut().insert(arrival);
        let desk = desk.clone();
        async move {
            let response = match check_head(&request) {
                Ok(()) => desk.answer(request).await,
                Err(problem) => desk.refuse(request, problem).await,
            };
            drop(share);
            Ok::<_, Infallible>(response.map(|body| answer.watch(body)))
        }
    });
    let serving = builder().serve_connection(TokioIo::new(Metered::watch(stream)), service);
    tokio::pin!(serving);
    let mut is_ending = false;
    loop {
        tokio::select! {
            ended = serving.as_mut() => return ended,
            () = door.shutdown.cancelled(), if !is_ending => {}
            () = sleep_until(streams.due()) => match streams.judge(Instant::now()) {
                Verdict::Good => continue,
                Verdict::Idle if !is_ending => {}
                Verdict::Idle | Verdict::Stalled => return Ok(()),
            }
        }
        is_ending = true;
        // What is on its way to a slow client may arrive while the server drains.
        let is_over = door.shutdown.is_cancelled();
        streams.extend(if is_over { DRAIN } else { FAREWELL });
        serving.as_mut().graceful_shutdown();
    }
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    // Twice what we take: the library refuses without our headers, so that is left to us. Not more,
    // for a line that HPACK sends in a byte counts 34 here and takes 100 in memory, in each of a
    // hundred requests.
    let head = u32::try_from(2 * LARGEST_HEAD).unwrap_or(u32::MAX);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_pending_accept_reset_streams(MOST_RESETS)
        .max_local_error_reset_streams(MOST_OWN_RESETS)
        .max_header_list_size(head)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

/// As much as HTTP/1 may have, counted as it would be written there.
fn check_head(request: &Request<Body>) -> Result<(), Problem> {
    let lines = request.headers().iter();
    let lines = lines.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    let path = request.uri().path_and_query();
    let size = lines.sum::<usize>() + path.map_or(0, |path| path.as_str().len());
    if size <= LARGEST_HEAD && request.headers().len() <= MOST_HEADERS {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The head of the request is too large; at most 16 KiB and 100 lines are taken.",
    ))
}

/// `:authority` becomes the `Host` that the gate and the check of `Origin` look at, and the
/// address is the path alone. Where both are there and differ, both stay, and the gate refuses a
/// request with two.
fn as_http_1(request: &mut Request<Body>) {
    let uri = request.uri();
    if let Some(authority) = uri.authority() {
        let named = HeaderValue::from_str(authority.as_str());
        let path = uri.path_and_query().cloned();
        if let Ok(named) = named {
            let headers = request.headers_mut();
            let agrees = headers
                .get(HOST)
                .is_some_and(|host| host.as_bytes().eq_ignore_ascii_case(named.as_bytes()));
            if !agrees {
                headers.append(HOST, named);
            }
        }
        // CONNECT has no path, and stays as it is: nobody answers to it.
        if let Some(path) = path {
            *request.uri_mut() = Uri::from(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts_of(uri: &str, host: Option<&'static str>) -> (String, Vec<String>) {
        let mut request = Request::builder()
            .uri(uri)
            .body(Body::empty())
            .expect("a request");
        if let Some(host) = host {
            request
                .headers_mut()
                .insert(HOST, HeaderValue::from_static(host));
        }
        as_http_1(&mut request);
        let hosts = request.headers().get_all(HOST).iter();
        let hosts = hosts
            .map(|host| host.to_str().expect("text").to_owned())
            .collect();
        (request.uri().to_string(), hosts)
    }

    #[test]
    fn a_head_has_16_kib_and_100_lines_at_most() {
        let status = |lines: usize, size: usize| {
            let mut request = Request::new(Body::empty());
            for _ in 0..lines {
                let value = HeaderValue::from_str(&"x".repeat(size)).expect("a value");
                request.headers_mut().append("a", value);
            }
            check_head(&request)
                .err()
                .map(|problem| problem.status().as_u16())
        };
        assert_eq!((status(100, 100), status(101, 1)), (None, Some(431)));
        assert_eq!((status(1, 16_000), status(1, 16_384)), (None, Some(431)));
    }

    #[test]
    fn the_authority_is_the_host_and_two_that_differ_stay_two() {
        let uri = "https://example.org:8443/runs?x=1";
        let path = "/runs?x=1".to_owned();
        let one = vec!["example.org:8443".to_owned()];
        assert_eq!(hosts_of(uri, None), (path.clone(), one.clone()));
        assert_eq!(hosts_of(uri, Some("example.org:8443")), (path.clone(), one));
        let (_, both) = hosts_of(uri, Some("evil.example"));
        assert_eq!(both, ["evil.example", "example.org:8443"]);
        let (_, alone) = hosts_of("/runs", Some("example.org"));
        assert_eq!(alone, ["example.org"]);
    }
}
