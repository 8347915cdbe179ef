//! A request's body that must keep arriving, and be whole in time.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::response::Response;
use http::StatusCode;
use http::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::LARGEST_BODY;
use super::connection::Patience;
use super::held::Share;
use crate::problem::{Problem, SOON};

/// Tells this problem from others with the same status.
const TOO_MUCH: &str = "too_much_at_once";

/// Why a body ended too early.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    /// The client sent nothing for a while, or too little for too long.
    #[error("the request's body did not arrive in time")]
    TooSlow,
    /// See [`super::held`].
    #[error("the requests of this connection hold too much")]
    TooMuch,
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
    share: Option<Arc<Share>>,
    /// The connection's requests have too much: so many bytes were thrown away since.
    lost: Option<usize>,
}

/// What becomes of a piece.
enum Piece {
    Given,
    Lost,
    TooMuch,
}

impl<B: Body> Timed<B> {
    /// What has a length counts whole from its beginning: else many that come together would all
    /// get some of what there is, and none enough.
    fn reserve(&mut self) {
        if let Some(length) = self.body.size_hint().exact()
            && let Some(share) = self.share.take()
            && !share.reserve(length)
        {
            self.lost = Some(0);
        }
    }

    /// What is too much is read all the same: a client that still sends may not see the answer.
    fn judge(&mut self, frame: &Frame<Bytes>) -> Piece {
        let size = frame.data_ref().map_or(0, Bytes::len);
        let fits = |share: &Arc<Share>| share.take(size);
        if self.lost.is_none() && self.share.as_ref().is_none_or(fits) {
            return Piece::Given;
        }
        let lost = self.lost.get_or_insert(0);
        *lost = lost.saturating_add(size);
        if *lost > LARGEST_BODY {
            Piece::TooMuch
        } else {
            Piece::Lost
        }
    }
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
        if self.due.is_none() {
            self.reserve();
        }
        let due = *self.due.get_or_insert_with(|| now + whole);
        while let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.timer = None;
            let Some(frame) = frame.transpose()? else {
                let end = self.lost.map(|_| Err(BodyError::TooMuch));
                return Poll::Ready(end);
            };
            match self.judge(&frame) {
                Piece::Given => return Poll::Ready(Some(Ok(frame))),
                Piece::Lost => {}
                Piece::TooMuch => return Poll::Ready(Some(Err(BodyError::TooMuch))),
            }
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
        self.lost.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// For the router. `patience.whole_body` counts too: else a byte now and then would hold a
/// connection for hours. Whoever gives a `share` keeps it for as long as what was read is needed.
pub(super) fn timed(
    body: hyper::body::Incoming,
    patience: Patience,
    share: Option<Arc<Share>>,
) -> axum::body::Body {
    // Nothing is to come, as of most requests: no timer, and no memory for one.
    if body.is_end_stream() {
        return axum::body::Body::empty();
    }
    let timed = Timed {
        body,
        patience: patience.body,
        whole: patience.whole_body,
        due: None,
        timer: None,
        share,
        lost: None,
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
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The request is too large; at most {most} bytes are taken here."),
        )
    };
    // One that says so is not waited for, and takes no room from others on the connection.
    if request.body().size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    DefaultBodyLimit::max(most).apply(&mut request);
    let read = Bytes::from_request(request, &()).await;
    read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => refused(&rejection),
    })
}

/// The reason lies some causes deep.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a BodyError> {
    let here = error.downcast_ref();
    here.or_else(|| error.source().and_then(cause))
}

fn refused(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::too_large();
    }
    let (status, what) = match cause(rejection) {
        Some(BodyError::TooSlow) => (StatusCode::REQUEST_TIMEOUT, "in time"),
        Some(BodyError::TooMuch) => return too_much(),
        Some(BodyError::Broken(_)) | None => (StatusCode::BAD_REQUEST, "whole"),
    };
    let detail = format!("The request did not arrive {what}. Nothing was changed.");
    // What is still under way would be taken for the next request.
    Problem::new(status, detail).with_header(CONNECTION, HeaderValue::from_static("close"))
}

fn too_much() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "Too much is sent on this connection at once. Nothing was changed; send fewer of such \
         large requests at a time.",
    )
    .with_code(TOO_MUCH)
    .with_header(RETRY_AFTER, SOON)
}

/// Why a body was not read to its end, of an answer that says so.
pub(super) fn fault(response: &Response) -> Option<&'static str> {
    let is_too_much = || {
        let problem = response.extensions().get::<Problem>();
        problem.is_some_and(|problem| problem.code() == Some(TOO_MUCH))
    };
    match response.status() {
        StatusCode::REQUEST_TIMEOUT => Some("its body did not come in time"),
        StatusCode::TOO_MANY_REQUESTS if is_too_much() => {
            Some("the requests of its connection hold too much")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::held::Held;
    use futures_util::FutureExt as _;

    /// A body that says how long it is, and of which nothing comes.
    struct Promised(u64);

    impl Body for Promised {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            Poll::Pending
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0)
        }
    }

    fn promised(length: u64, share: &Arc<Share>) -> Request {
        let timed = Timed {
            body: Promised(length),
            patience: Duration::from_mins(1),
            whole: Duration::from_mins(1),
            due: None,
            timer: None,
            share: Some(Arc::clone(share)),
            lost: None,
        };
        Request::new(axum::body::Body::new(timed.map_err(axum::Error::new)))
    }

    #[tokio::test]
    async fn b7_a_body_that_says_it_is_too_large_is_refused_at_once_and_takes_no_room() {
        const MOST: usize = 64 << 10;
        let whole = 4 << 20;
        for (length, is_refused) in [(1 << 20, true), (MOST + 1, true), (MOST, false)] {
            let held = Held::default();
            let share = held.share();
            let mut reading = Box::pin(up_to(MOST, promised(length as u64, &share)));
            let answer = (&mut reading).now_or_never();
            let refused = answer.map(|read| read.expect_err("nothing came").status());
            let expected = is_refused.then_some(StatusCode::PAYLOAD_TOO_LARGE);
            assert_eq!(refused, expected, "{length}");
            assert_eq!(held.share().take(whole), is_refused, "{length}");
        }
    }
}
