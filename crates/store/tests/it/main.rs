//! What every store has to do, by its public interface only, and what this one does with its files.

mod audit;
mod audit_file;
mod audit_pages;
mod audit_retention;
mod audit_tampering;
mod disk;
mod durability;
mod failures;
mod fence;
mod history;
mod password_links;
mod permission;
mod runs;
mod secrets;
mod sessions;
mod setup;
mod tokens;
mod users;
mod world;
