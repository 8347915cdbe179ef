//! What an author has written about a script, beyond its description.

use stagedoor_catalog::Docs;
use stagedoor_domain::access::MayView;

use crate::app::App;

impl App {
    /// The text that the script's `docs` names, as it is on disk now; none when there is none.
    /// The proof says that the caller may know the script.
    pub async fn docs(&self, permit: MayView<'_>) -> Option<Docs> {
        permit.script().docs.as_ref()?;
        let (catalog, script) = (self.inner.catalog.clone(), permit.script().clone());
        let read = tokio::task::spawn_blocking(move || catalog.read_docs(&script));
        read.await.ok().flatten()
    }
}
