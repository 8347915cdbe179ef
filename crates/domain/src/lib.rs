//! The words of Stagedoor as types, and its rules as pure functions.
//!
//! Nothing here does I/O, waits, or asks for the time: clocks and chance are
//! arguments. Every door (page, API, command line, schedule) uses these rules,
//! so a rule that stands here holds everywhere.
#![forbid(unsafe_code)]

pub mod access;
pub mod acl;
pub mod arguments;
pub mod audit;
pub mod id;
pub mod invocation;
pub mod name;
pub mod network;
pub mod param;
pub mod pattern;
pub mod plain;
pub mod quantity;
pub mod queue;
pub mod run;
pub mod sandbox;
pub mod script;
pub mod secret;
pub mod time;
