//! The runner: the one process that starts scripts, the protocol it speaks, and the server's
//! handle to it.
//!
//! The runner is a small single-threaded process of its own, so that forking is cheap and safe,
//! so that the server can be forbidden to execute anything, and so that a run outlives a server
//! that dies or is upgraded. It keeps the pipe ends and the exit record of every attempt until the
//! server says `forget`; whoever connects next is handed all of them.
//!
//! It knows nothing of HTTP, of users or of the store. Unsafe code stands in `account`, in `process`
//! below `signals`, `child`, `departure`, `launch`, `stack`, `raw`, `keeper` and `sandbox`, and in one line
//! each of `handle/link` and `memory`.

pub mod account;
pub mod confine;
pub mod denied;
mod filter;
pub mod handle;
pub mod memory;
pub mod process;
pub mod protocol;
mod wire;

pub use account::Account;
pub use confine::{ConfineError, Confined, confine};
pub use handle::{
    ConnectError, Connection, Report, Reports, Runner, RunnerOptions, SendError, Started,
};
pub use process::preview::{Hides, PREVIEW_WORD, Preview, preview, serve_preview};
pub use process::serve_runner;
pub use process::settings::{Permitted, RunnerArgs};
#[doc(hidden)]
pub use process::simulation;
pub use protocol::{ExitRecord, Plan, Refusal, StopKind};
