//! The requests of one HTTP/2 connection, as far as time is concerned: a connection without one
//! ends after a while, and so does one whose client leaves an answer lying. Neither shows on the
//! stream below, where such a client may well answer pings.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::seat::Busy;

/// Shared by the connection and its requests.
#[derive(Clone)]
pub(super) struct Streams(Arc<Mutex<Open>>);

struct Open {
    next: u64,
    /// Each request that is answered: since when its answer waits for the client to take more;
    /// none while the answer is being made.
    answers: HashMap<u64, Option<Instant>>,
    /// When the connection ends if no request comes.
    quiet_until: Instant,
    patience: Duration,
}

/// How a connection stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may go on.
    Good,
    /// There has been no request for too long.
    Idle,
    /// An answer has not been taken for too long.
    Stalled,
}

/// One request, until its answer is over.
pub(super) struct Answer {
    streams: Streams,
    id: u64,
    _busy: Busy,
}

struct Watched {
    body: Body,
    answer: Answer,
}

impl Streams {
    /// Of a connection that begins now: `first` is how long its first request may take to come,
    /// `patience` how long it may be without one later, and how long an answer may lie.
    pub fn new(first: Duration, patience: Duration) -> Self {
        Self(Arc::new(Mutex::new(Open {
            next: 0,
            answers: HashMap::new(),
            quiet_until: Instant::now() + first,
            patience,
        })))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has come.
    pub fn begin(&self, busy: Busy) -> Answer {
        let mut open = self.open();
        let id = open.next;
        open.next += 1;
        open.answers.insert(id, None);
        Answer {
            streams: self.clone(),
            id,
            _busy: busy,
        }
    }

    /// When to judge next.
    pub fn due(&self) -> Instant {
        let open = self.open();
        if open.answers.is_empty() {
            return open.quiet_until;
        }
        let oldest = open.answers.values().flatten().min();
        oldest.copied().unwrap_or_else(Instant::now) + open.patience
    }

    /// How it stands now.
    pub fn judge(&self, now: Instant) -> Verdict {
        let open = self.open();
        let has_waited = |since: &Instant| now.duration_since(*since) >= open.patience;
        if open.answers.is_empty() && now >= open.quiet_until {
            Verdict::Idle
        } else if open.answers.values().flatten().any(has_waited) {
            Verdict::Stalled
        } else {
            Verdict::Good
        }
    }

    /// From now on a connection without requests may last so long.
    pub fn extend(&self, time: Duration) {
        self.open().quiet_until = Instant::now() + time;
    }
}

impl Answer {
    /// The answer is over when the client has taken the body.
    pub fn watch(self, body: Body) -> Body {
        self.set(Some(Instant::now()));
        Body::new(Watched { body, answer: self })
    }

    fn set(&self, waits_since: Option<Instant>) {
        if let Some(answer) = self.streams.open().answers.get_mut(&self.id) {
            *answer = waits_since;
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        open.answers.remove(&self.id);
        if open.answers.is_empty() {
            open.quiet_until = Instant::now() + open.patience;
        }
    }
}

/// hyper asks for a piece when the client has room for more.
impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let piece = Pin::new(&mut self.body).poll_frame(cx);
        self.answer.set(piece.is_ready().then(Instant::now));
        piece
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::seat::Seat;
    use http_body_util::BodyExt as _;

    const FIRST: Duration = Duration::from_secs(10);
    const PATIENCE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_requests_is_idle_at_last() {
        let streams = Streams::new(FIRST, PATIENCE);
        assert_eq!(streams.due(), Instant::now() + FIRST);
        assert_eq!(streams.judge(Instant::now()), Verdict::Good);
        assert_eq!(streams.judge(Instant::now() + FIRST), Verdict::Idle);
        let answer = streams.begin(Arc::<Seat>::default().begin());
        tokio::time::sleep(PATIENCE * 2).await;
        assert_eq!(
            streams.judge(Instant::now()),
            Verdict::Good,
            "it is answered"
        );
        drop(answer);
        assert_eq!(streams.due(), Instant::now() + PATIENCE);
        assert_eq!(streams.judge(Instant::now()), Verdict::Good);
        assert_eq!(streams.judge(Instant::now() + PATIENCE), Verdict::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_ends_the_connection_and_one_that_is_does_not() {
        let streams = Streams::new(FIRST, PATIENCE);
        let mut body = streams
            .begin(Arc::<Seat>::default().begin())
            .watch(Body::from("text"));
        tokio::time::sleep(PATIENCE / 2).await;
        assert_eq!(streams.judge(Instant::now()), Verdict::Good);
        let piece = body.frame().await.expect("a piece").expect("good");
        assert_eq!(piece.into_data().expect("data"), "text");
        tokio::time::sleep(PATIENCE * 3 / 4).await;
        assert_eq!(
            streams.judge(Instant::now()),
            Verdict::Good,
            "some was taken"
        );
        tokio::time::sleep(PATIENCE / 2).await;
        assert_eq!(streams.judge(Instant::now()), Verdict::Stalled);
        drop(body);
        assert_eq!(streams.judge(Instant::now()), Verdict::Good);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_with_nothing_to_say_yet_waits_for_nobody() {
        let streams = Streams::new(FIRST, PATIENCE);
        let silent = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let mut body = streams
            .begin(Arc::<Seat>::default().begin())
            .watch(Body::from_stream(silent));
        let asked = tokio::time::timeout(PATIENCE * 2, body.frame()).await;
        assert!(asked.is_err(), "there is nothing");
        assert_eq!(streams.judge(Instant::now()), Verdict::Good);
    }
}
