//! What every handler can reach.

use std::ops::Deref;
use std::sync::Arc;

use stagedoor_app::app::App;
use tokio_util::sync::CancellationToken;

use crate::base_path::BasePath;
use crate::debugging::Debugging;
use crate::policy_reports::PolicyReports;
use crate::site::Site;

/// Cheap to clone: the router does so some times for each request.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Reachable>);

/// What it leads to.
pub(crate) struct Reachable {
    /// The use cases.
    pub app: App,
    /// Before every address that a browser is given.
    pub base: BasePath,
    /// Where people find this server.
    pub site: Site,
    /// Cancelled when the server begins to drain: long answers (live streams) end then.
    pub shutdown: CancellationToken,
    /// Who sees the causes of failures.
    pub debugging: Option<Debugging>,
    /// What browsers reported of our pages.
    pub policy_reports: PolicyReports,
}

impl AppState {
    pub fn new(
        app: App,
        (base, site): (BasePath, Site),
        shutdown: CancellationToken,
        debugging: Option<Debugging>,
    ) -> Self {
        let reachable = Reachable {
            app,
            base,
            site,
            shutdown,
            debugging,
            policy_reports: PolicyReports::default(),
        };
        Self(Arc::new(reachable))
    }
}

impl Deref for AppState {
    type Target = Reachable;
    fn deref(&self) -> &Reachable {
        &self.0
    }
}
