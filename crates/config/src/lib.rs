//! Settings, and the reading of TOML that points at its errors.
//!
//! [`document`] turns a TOML text into values that remember where they stand, so that every error
//! can name file, line and column and show a caret; the catalog reads definitions with it too.
//! Everything else here makes [`Settings`] from defaults, `stagedoor.toml`, the environment and
//! flags, in this order. Nothing here opens sockets or knows what the settings are used for.
#![forbid(unsafe_code)]

mod account;
mod changes;
mod debug;
pub mod document;
mod environment;
mod front;
mod grants;
mod hosts;
mod layers;
mod listen;
mod load;
mod permits;
mod session;
mod settings;
mod sign_in;
mod state;

pub use account::run_as;
pub use changes::Changes;
pub use debug::Debug;
pub use environment::Environment;
pub use front::{Hsts, Proxy, Tls};
pub use listen::Listen;
pub use load::{ConfigError, Sources, load};
pub use permits::sandbox_level;
pub use session::{Session, SessionAddress};
pub use settings::{Limits, Settings};
pub use sign_in::{SignIn, SignInCommand};
pub use stagedoor_domain::network::{BadNetwork, Network};
pub use state::{NoState, state_directory};

/// What the command line sets; it wins over everything else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--listen`, each an address; none when not given.
    pub listen: Vec<String>,
    /// `--config`.
    pub config: Option<std::path::PathBuf>,
    /// `--state`.
    pub state: Option<std::path::PathBuf>,
}
