//! The log on standard error: text on a terminal, JSON lines otherwise.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Starts logging. `STAGEDOOR_LOG` chooses what is logged: `info` when unset.
pub fn start(filter: Option<&str>, no_color: bool) {
    let filter =
        EnvFilter::try_new(filter.unwrap_or("info")).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    if std::io::stderr().is_terminal() {
        builder.with_ansi(!no_color).compact().init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
