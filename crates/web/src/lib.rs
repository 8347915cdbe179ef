//! The web door: the HTTP gate, the pages and the API.
//!
//! Requests come in through [`serve`], pass the gate (`front`), find their route in one table
//! (`routes`) whose classes of access and of protection against cross-site requests are kept by
//! `guard`, and reach a handler that calls one use case of `stagedoor_app`. This crate knows
//! neither SQL nor processes.
#![forbid(unsafe_code)]

mod api;
mod assets;
mod base_path;
mod cookies;
mod debugging;
mod front;
mod guard;
mod headers;
mod language;
mod output;
mod pages;
mod policy_reports;
mod problem;
pub mod routes;
mod safe_form;
mod session;
mod site;
mod state;
mod tls;
mod user_agent;

pub use front::{Doors, ServeError, WebOptions, serve};
pub use tls::{Certificates, Keepers, TlsError};

// For the benchmark alone.
#[doc(hidden)]
pub use front::Framing;
