//! The runner as a process of its own, for the tests: `runner` and its options, nothing else. The
//! product's is a subcommand of `stagedoor`.

use std::process::ExitCode;

use stagedoor_runner::{RunnerArgs, serve_runner};

fn main() -> ExitCode {
    match RunnerArgs::parse(std::env::args_os().skip(2)) {
        Ok(args) => serve_runner(args),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
