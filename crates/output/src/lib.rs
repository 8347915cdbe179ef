//! What scripts print: moved, kept, and shown as lines.
//!
//! The server's pump threads splice each pipe into a *segment*, a file that holds one
//! stream of one attempt byte for byte; its size is the truth, so a new server goes on
//! where the old one ended. A *chunk index* beside the two segments orders them as they
//! were read. Everything that people see (lines, colours, search, the live tail) is made
//! from these files when someone looks, so a run that nobody watches costs nothing more.
//! Values that are to be hidden of a run are stars for whoever looks, and in the files once
//! [`Outputs::mask`] was called.
//!
//! This crate must not know HTTP, users, permissions or the store. Methods of [`View`]
//! read files: call them where blocking is allowed.
#![forbid(unsafe_code)]

mod chunk_log;
mod escape;
mod folder;
mod hidden;
mod index;
mod indexes;
mod line;
mod live;
mod mask;
mod needles;
mod outputs;
mod paint;
mod pump;
mod record;
mod search;
mod split;
mod stream;
mod style;
mod tail;
mod view;
mod walk;

pub use line::{Line, Span};
pub use outputs::{NotTaken, Outputs, PumpEvent};
pub use pump::is_shortage;
pub use search::{Found, Hit, MAX_QUERY};
pub use stream::{Selection, Stream};
pub use style::Style;
pub use tail::{TAIL_LINES, Tail};
pub use view::{Lines, MAX_LINES, MAX_READ, View};
