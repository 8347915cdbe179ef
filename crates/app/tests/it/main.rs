//! The use cases with a real database, a real runner process and real scripts. Time is set by the
//! test and chance is seeded; only the runner has a clock of its own.
#![forbid(unsafe_code)]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails may as well fail there"
)]

mod accepting;
mod accounts;
mod audit_log;
mod character;
mod credentials;
mod endings;
mod history;
mod house;
mod late_pipe;
mod left_behind;
mod named_outside;
mod own_account;
mod permission;
mod queue;
mod requests;
mod runner_death;
mod scripts;
mod secrets;
mod sessions;
mod simulation;
mod stage;
mod takeover;
mod throttle;
mod timing;
mod tokens;
mod waiting;
mod withheld;
mod world;
