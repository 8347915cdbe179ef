//! The product from outside: rules of the tree, and the whole program as its users meet it.

#![forbid(unsafe_code)]

#[cfg(test)]
mod administration;
#[cfg(test)]
mod advice;
#[cfg(test)]
mod asvs;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod audit_log;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod checked_as;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod confinement;
#[cfg(test)]
mod cookie_keys;
#[cfg(test)]
mod crawl;
#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod disguises;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod explained;
#[cfg(test)]
mod exposure;
#[cfg(test)]
mod external;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod faults_disk;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod form;
#[cfg(test)]
mod framed;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_lines;
#[cfg(test)]
mod hostile_places;
#[cfg(test)]
mod hostile_texts;
#[cfg(test)]
mod http;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod journeys;
#[cfg(test)]
mod kill_loops;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod masked;
#[cfg(test)]
mod odd_requests;
#[cfg(test)]
mod own_account;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod permission;
#[cfg(test)]
mod person;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod policy_over_https;
#[cfg(test)]
mod preface;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod program;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod redirect;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod robot;
#[cfg(test)]
mod run_as;
#[cfg(test)]
mod sandboxed;
#[cfg(test)]
mod secret_keys;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod secure;
#[cfg(test)]
mod small_disk;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod stubborn;
#[cfg(test)]
mod throttle;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod unpublished;
#[cfg(test)]
mod unread;
#[cfg(test)]
mod writable;
