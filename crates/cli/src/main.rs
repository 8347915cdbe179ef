//! The binary `stagedoor`: reads the command line, wires the parts together, decides nothing.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use stagedoor_runner::{PREVIEW_WORD, RunnerArgs};

// First: its macros print for all that follow.
#[macro_use]
mod terminal;

mod accounts;
mod announce;
mod args;
mod ask;
mod audit_log;
mod blocked;
mod check;
mod database;
mod grants;
mod groups;
mod keys;
mod listen;
mod logging;
mod may;
mod people;
mod rights;
mod secrets;
mod serve;
mod sign_in_command;
mod signals;
mod state;
mod system;
mod tokens;

/// It worked.
pub const EXIT_OK: u8 = 0;
/// It did not work, and the message says why; or `check` found errors.
pub const EXIT_FAILED: u8 = 1;
/// The command line is wrong; `clap` uses the same code.
pub const EXIT_USAGE: u8 = 2;
/// The process that starts scripts ended.
pub const EXIT_RUNNER_GONE: u8 = 70;

fn main() -> ExitCode {
    // The runner is this binary too. It must not have a second thread, so it leaves here.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "runner") {
        return runner(words);
    }
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misread(&error),
    };
    match run(arguments) {
        Ok(_) if !terminal::all_is_said() => {
            eprintln!(
                "stagedoor: it was done, but not all that there is to say could be written to standard output"
            );
            ExitCode::from(EXIT_FAILED)
        }
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("stagedoor: {error:#}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Says what is wrong with the command line; where something is missing, with the command's example.
fn misread(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.kind() == ErrorKind::MissingRequiredArgument {
        let words = std::env::args().skip(1);
        if let Some(example) = args::example(words) {
            eprintln!("\n{example}");
        }
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(EXIT_USAGE))
}

/// The process that starts scripts, or looks how it would; started by `serve` and `check`, not by people.
fn runner(words: impl Iterator<Item = OsString>) -> ExitCode {
    let mut words = words.peekable();
    let looks_only = words.next_if(|word| word == PREVIEW_WORD).is_some();
    match RunnerArgs::parse(words) {
        Ok(args) if looks_only => stagedoor_runner::serve_preview(args),
        Ok(args) => stagedoor_runner::serve_runner(args),
        Err(error) => {
            eprintln!("stagedoor: {error}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn run(arguments: args::Arguments) -> anyhow::Result<u8> {
    match arguments.command {
        args::Command::Serve(options) => serve::serve(&options),
        args::Command::Check(options) => check::check(&options),
        args::Command::Routes { json } => {
            check::routes(json)?;
            Ok(EXIT_OK)
        }
        args::Command::User { state, command } => people::user(&state, command),
        args::Command::Group {
            state,
            folder,
            command,
        } => groups::group(&state, &folder, command),
        args::Command::Grant {
            state,
            folder,
            command,
        } => grants::grant(&state, &folder, command),
        args::Command::May {
            state,
            folder,
            question,
        } => may::may(&state, &folder, &question),
        args::Command::Secret {
            state,
            folder,
            command,
        } => secrets::secret(&state, &folder, &command),
        args::Command::Token { state, command } => tokens::token(&state, command),
        args::Command::Blocked { state, command } => blocked::blocked(&state, &command),
        args::Command::AuditLog { state, command } => audit_log::run(&state, command),
        args::Command::Keys { state, command } => keys::keys(&state, &command),
    }
}
