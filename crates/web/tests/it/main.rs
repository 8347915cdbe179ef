//! The web door as its clients see it: over a socket, with real scripts behind it.

#[cfg(test)]
mod api_arguments;
#[cfg(test)]
mod api_events;
#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod api_output;
#[cfg(test)]
mod api_queue;
#[cfg(test)]
mod api_runs;
#[cfg(test)]
mod api_tokens;
#[cfg(test)]
mod audit_log;
#[cfg(test)]
mod base_path;
#[cfg(test)]
mod canonical;
#[cfg(test)]
mod client;
#[cfg(test)]
mod confirm;
#[cfg(test)]
mod csrf;
#[cfg(test)]
mod csrf_log_in;
#[cfg(test)]
mod debugging;
#[cfg(test)]
mod form_arguments;
#[cfg(test)]
mod front;
#[cfg(test)]
mod hidden;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod page_admin;
#[cfg(test)]
mod page_blocked;
#[cfg(test)]
mod page_broken;
#[cfg(test)]
mod page_framed;
#[cfg(test)]
mod page_history;
#[cfg(test)]
mod page_queue;
#[cfg(test)]
mod page_rights;
#[cfg(test)]
mod page_search;
mod page_secrets;
#[cfg(test)]
mod page_texts;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod policy_reports;
#[cfg(test)]
mod proxied;
#[cfg(test)]
mod scripts;
#[cfg(test)]
mod server;
#[cfg(test)]
mod stopping;
