//! The use cases of Stagedoor: sign in, start a run, stop it, read it.
//!
//! Every door (page, API, command line) calls the same function here, so there is one
//! permission check and one place where a transaction begins and ends. This crate knows
//! neither HTTP nor SQL nor system calls.
#![forbid(unsafe_code)]

pub mod account;
pub mod administer;
pub mod app;
pub mod audit;
pub mod check_args;
pub mod confirm;
pub mod cookie_keys;
pub mod csrf;
pub mod docs;
pub mod external;
pub mod find;
pub mod groups;
pub mod keys;
pub mod may;
pub mod own_tokens;
pub mod password;
mod password_links;
pub mod people;
pub mod permissions;
pub mod ports;
pub mod scripts;
pub mod sealed;
pub mod secrets;
pub mod session_key;
pub mod sessions;
pub mod start_run;
pub mod stop_run;
pub mod throttle;
pub mod view;
pub mod watch;

mod carry_out;
mod cookies;
mod hide;
mod late;
mod let_go;
mod live;
mod prepare;
mod recover;
mod reports;
mod rights;
mod run_secrets;
mod sign_in;
mod to_the_end;
mod withheld;
