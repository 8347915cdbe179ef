//! The output of a run, for whoever may read it.

use std::io;

use stagedoor_app::app::App;
use stagedoor_app::view::RunView;
use stagedoor_domain::access::User;
use stagedoor_domain::id::RunId;
use stagedoor_output::View;

use crate::problem::Problem;

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
