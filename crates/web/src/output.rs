//! The output of a run, for whoever may read it.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures_util::stream;
use stagedoor_app::app::App;
use stagedoor_app::view::RunView;
use stagedoor_catalog::Snapshot;
use stagedoor_domain::access::User;
use stagedoor_domain::id::RunId;
use stagedoor_domain::script::OutputFormat;
use stagedoor_output::{Stream, View};

use crate::problem::Problem;

/// Bytes that are read at once: what one reader holds in memory.
const CHUNK: u64 = 64 << 10;

/// How the output of this run is shown: as its script says now. Of one that is gone, as text.
pub(crate) fn format(scripts: &Snapshot, run: &RunView) -> OutputFormat {
    let script = scripts.get(&run.script);
    script.map_or(OutputFormat::Text, |script| script.output_format)
}

/// A run that this user may read, and what `what` makes of its output. The inner error is that
/// the output could not be read.
///
/// # Errors
/// There is no such run for this user, or the store could not say.
pub(crate) async fn look<T: Send + 'static>(
    app: &App,
    user: &User,
    id: RunId,
    what: impl FnOnce(View) -> io::Result<T> + Send + 'static,
) -> Result<(RunView, io::Result<T>), Problem> {
    let (permit, run) = app.readable(user, id).await?;
    let made = app.look(permit, &run, what).await;
    Ok((run, made))
}

/// These bytes of one stream. Reads each chunk on a thread where blocking is allowed, when the client has taken the last.
pub(crate) fn body(view: Arc<View>, stream: Stream, bytes: Range<u64>) -> Body {
    Body::from_stream(stream::try_unfold(bytes.start, move |at| {
        let view = Arc::clone(&view);
        let end = bytes.end.min(at.saturating_add(CHUNK));
        async move {
            if at >= end {
                return Ok::<_, std::io::Error>(None);
            }
            let chunk = tokio::task::spawn_blocking(move || view.read(stream, at..end));
            let chunk = chunk.await.map_err(std::io::Error::other)??;
            if chunk.is_empty() {
                // The segment is shorter than it was: its run was removed meanwhile.
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let next = at.saturating_add(chunk.len() as u64);
            Ok(Some((Bytes::from(chunk), next)))
        }
    }))
}
