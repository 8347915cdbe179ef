//! The web door as its clients see it: over a socket, with real scripts behind it.

mod api_arguments;
mod api_events;
mod api_output;
mod api_runs;
mod client;
mod form_arguments;
mod scripts;
mod server;
