//! The crate as the application sees it: real pipes, real processes, real files.
#![forbid(unsafe_code)]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails may as well fail there"
)]

mod full_disk;
mod hidden;
mod lines;
mod mending;
mod pump;
mod search;
mod shop;
mod tail;
mod takeover;
