//! Starting a runner.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ConnectError;
use crate::account::Account;
use crate::process::READY;
use crate::process::settings::{Permitted, RunnerArgs};

/// What a runner is started with.
pub struct RunnerOptions {
    /// Where it listens; a relative path is made absolute.
    pub socket: PathBuf,
    /// The path of the catalog's root.
    pub root: PathBuf,
    /// The catalog's root, opened.
    pub root_dir: OwnedFd,
    /// See [`RunnerArgs::scratch`].
    pub scratch: PathBuf,
    /// Who scripts run as; needs root.
    pub run_account: Option<Account>,
    /// Which other accounts a definition may name; needs root.
    pub others: Vec<Permitted>,
    /// Scripts may run as root.
    pub allow_root_scripts: bool,
    /// The operator permits that scripts go without a sandbox.
    pub some_go_without: bool,
    /// See [`RunnerArgs::hidden`].
    pub hidden: Vec<PathBuf>,
    /// The account that the server will run as.
    pub server_uid: Option<u32>,
}

impl RunnerOptions {
    pub(crate) fn args(&self) -> io::Result<RunnerArgs> {
        Ok(RunnerArgs {
            socket: std::path::absolute(&self.socket)?,
            root: std::path::absolute(&self.root)?,
            root_on_stdin: true,
            scratch: std::path::absolute(&self.scratch)?,
            account: self.run_account.clone(),
            others: self.others.clone(),
            allow_root_scripts: self.allow_root_scripts,
            some_go_without: self.some_go_without,
            hidden: self
                .hidden
                .iter()
                .map(std::path::absolute)
                .collect::<io::Result<_>>()?,
            server_uid: self.server_uid,
        })
    }
}

/// Starts the runner and waits until it listens. It outlives this process.
pub(super) fn launch(binary: &Path, args: &RunnerArgs, root: &OwnedFd) -> Result<(), ConnectError> {
    let (ready, theirs) = io::pipe()?;
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the server starts its runner"
    )]
    let mut command = Command::new(binary);
    command
        .arg("runner")
        .args(args.to_argv())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(root.try_clone()?))
        .stdout(Stdio::from(OwnedFd::from(theirs)));
    let child = command.spawn()?;
    // It keeps the write end of the pipe, which would never close.
    drop(command);
    // Not waited for: it ends after this process, or this process ends because of it.
    drop(child);
    let mut said = Vec::new();
    io::Read::read_to_end(&mut { ready }, &mut said)?;
    if said == READY {
        return Ok(());
    }
    Err(ConnectError::Refused(
        String::from_utf8_lossy(&said).trim().to_owned(),
    ))
}
