//! What every handler can reach.

use stagedoor_app::app::App;
use tokio_util::sync::CancellationToken;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState {
    /// The use cases.
    pub app: App,
    /// Cancelled when the server begins to drain: long answers (live streams) end then.
    pub shutdown: CancellationToken,
}
