//! A request's body that must keep arriving.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// How long nothing may arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a body ended too early.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// The client sent nothing for a while.
    #[error("the request's body did not arrive in time")]
    TooSlow,
    /// The connection failed.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

/// The body with its timer, which runs only while a handler waits for bytes.
pub(super) struct Timed<B> {
    body: B,
    patience: Option<Pin<Box<Sleep>>>,
}

impl<B> Timed<B> {
    /// Wraps it.
    pub fn new(body: B) -> Self {
        Self {
            body,
            patience: None,
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
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.patience = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)));
        }
        let patience = self
            .patience
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        patience
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

/// For the router.
pub(super) fn timed(body: hyper::body::Incoming) -> axum::body::Body {
    axum::body::Body::new(Timed::new(body).map_err(axum::Error::new))
}
