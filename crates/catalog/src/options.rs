//! What the catalog is told from outside.

use std::sync::Arc;
use std::time::Duration;

use stagedoor_domain::sandbox::Permit;
use stagedoor_domain::time::Clock;

/// How a catalog is read.
#[derive(Clone)]
pub struct Options {
    /// Publish executables without a definition, to `admins` only.
    pub all: bool,
    /// Timeout of scripts that say nothing; none means that they may run for ever.
    pub timeout: Option<Duration>,
    /// Stop grace of scripts that say nothing.
    pub stop_grace: Duration,
    /// Folders in which bare names of commands and interpreters are looked for: what the runner
    /// gives to scripts as `PATH`.
    pub search_path: Vec<String>,
    /// What the operator lets definitions ask for.
    pub permits: Vec<Permit>,
    /// Spaces out looks at folders that cannot be watched.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// The defaults: one hour, ten seconds, the usual folders.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let folders = [
            "/usr/local/sbin",
            "/usr/local/bin",
            "/usr/sbin",
            "/usr/bin",
            "/sbin",
            "/bin",
        ];
        Self {
            all: false,
            timeout: Some(Duration::from_hours(1)),
            stop_grace: Duration::from_secs(10),
            search_path: folders.map(str::to_owned).to_vec(),
            permits: Vec::new(),
            clock,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("all", &self.all)
            .field("timeout", &self.timeout)
            .field("stop_grace", &self.stop_grace)
            .field("search_path", &self.search_path)
            .field("permits", &self.permits)
            .finish_non_exhaustive()
    }
}
