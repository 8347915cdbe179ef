//! The runner as a real process, with real scripts. Every test holds for root and for an ordinary
//! user; started as root, `accounts` runs all of them again as uid 65534.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic when something is wrong, and measure real time on real processes"
)]

mod accounts;
mod arrival;
mod confined;
mod descriptors;
mod earlier;
mod endings;
mod hidden;
mod house;
mod marks;
mod processors;
mod refusals;
mod run_as;
mod sandbox;
mod scratch;
mod shares;
mod silent;
mod stubborn;
mod takeover;
mod tree;
mod versions;
