//! A request's body that must keep arriving, and be whole in time.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use http::StatusCode;
use http::header::{CONNECTION, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::problem::Problem;

/// Why a body ended too early.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    /// The client sent nothing for a while, or too little for too long.
    #[error("the request's body did not arrive in time")]
    TooSlow,
    /// The connection failed.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

/// The body with its timer, which runs only while a handler waits for bytes.
struct Timed<B> {
    body: B,
    /// How long nothing may arrive.
    patience: Duration,
    /// How long all of it may take, from the first time that it is asked for.
    whole: Duration,
    due: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Body for Timed<B>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let now = Instant::now();
        let whole = self.whole;
        let due = *self.due.get_or_insert_with(|| now + whole);
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)));
        }
        let end = due.min(now + self.patience);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        timer
            .as_mut()
            .poll(cx)
            .map(|()| Some(Err(BodyError::TooSlow)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// For the router; `patience` is how long nothing may arrive, `whole` how long all may take: else
/// a byte now and then would hold a connection for hours.
pub(super) fn timed(
    body: hyper::body::Incoming,
    patience: Duration,
    whole: Duration,
) -> axum::body::Body {
    let timed = Timed {
        body,
        patience,
        whole,
        due: None,
        timer: None,
    };
    axum::body::Body::new(timed.map_err(axum::Error::new))
}

/// Reads a whole body of a request.
///
/// # Errors
/// It is too large, arrives too slowly (408) or not at all.
pub(crate) async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let read = Bytes::from_request(request, state).await;
    read.map_err(|rejection| refused(&rejection))
}

/// Reads a whole body of a request where far less is taken than elsewhere.
///
/// # Errors
/// As [`whole`].
pub(crate) async fn up_to(most: usize, mut request: Request) -> Result<Bytes, Problem> {
    DefaultBodyLimit::max(most).apply(&mut request);
    let read = Bytes::from_request(request, &()).await;
    read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The request is too large; at most {most} bytes are taken here."),
        ),
        _ => refused(&rejection),
    })
}

/// The reason lies some causes deep.
fn is_too_slow(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(BodyError::TooSlow))
        || error.source().is_some_and(is_too_slow)
}

fn refused(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::too_large();
    }
    let (status, what) = if is_too_slow(rejection) {
        (StatusCode::REQUEST_TIMEOUT, "in time")
    } else {
        (StatusCode::BAD_REQUEST, "whole")
    };
    let detail = format!("The request did not arrive {what}. Nothing was changed.");
    // What is still under way would be taken for the next request.
    Problem::new(status, detail).with_header(CONNECTION, HeaderValue::from_static("close"))
}
