//! Finding the runner, or starting one.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::io::unix::AsyncFd;

use super::missing::Missing;
use super::{Reports, Runner};
use crate::account::Account;
use crate::process::READY;
use crate::process::settings::RunnerArgs;
use crate::protocol::{FromRunner, ToRunner, VERSION};
use crate::wire;

/// How long a runner may take to say hello.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no runner to talk to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No runner listens at this path.
    #[error("no runner listens at {}", .0.display())]
    Nobody(PathBuf),
    /// A runner of another version still holds runs.
    #[error(
        "the runner speaks version {theirs} of its protocol, this server {ours}, and it still holds {held} runs: let the earlier version of stagedoor finish them"
    )]
    OtherVersion {
        /// The runner's.
        theirs: u32,
        /// This server's.
        ours: u32,
        /// Attempts it holds.
        held: u32,
    },
    /// A runner with another folder or account still holds runs.
    #[error(
        "another folder of scripts (or the same path after it was replaced), or other accounts, were served with this state directory, and {held} runs of that time still go on: wait until they have ended, end them with `kill {pid}`, or use another state directory"
    )]
    OtherSettings {
        /// The runner's process; TERM ends its runs.
        pid: u32,
        /// Attempts it holds.
        held: u32,
    },
    /// The runner was started and says why it ended.
    #[error("the runner could not start: {0}")]
    Refused(String),
    /// The system did not allow it.
    #[error("the runner could not be reached: {0}")]
    System(#[from] io::Error),
}

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
    /// Scripts may run as root.
    pub allow_root_scripts: bool,
    /// The account that the server will run as.
    pub server_uid: Option<u32>,
}

impl RunnerOptions {
    fn args(&self) -> io::Result<RunnerArgs> {
        Ok(RunnerArgs {
            socket: std::path::absolute(&self.socket)?,
            root: std::path::absolute(&self.root)?,
            root_on_stdin: true,
            scratch: std::path::absolute(&self.scratch)?,
            account: self.run_account.clone(),
            allow_root_scripts: self.allow_root_scripts,
            server_uid: self.server_uid,
        })
    }
}

/// A runner that has said hello. Made before the server gives up its privileges and before its
/// runtime exists.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    version: u32,
    held: u32,
    settings: Vec<String>,
}

impl Runner {
    /// Connects to a runner that someone else starts. Waits at most a few seconds.
    pub fn connect(socket: &Path) -> Result<Connection, ConnectError> {
        let connection = Connection::open(socket)?;
        connection.expect_version()?;
        Ok(connection)
    }

    /// Connects to the runner that holds runs of an earlier server, else starts `binary runner …`.
    ///
    /// A runner that holds nothing is replaced, so that a new binary and new settings count.
    pub fn ensure(binary: &Path, options: &RunnerOptions) -> Result<Connection, ConnectError> {
        let args = options.args()?;
        match Connection::open(&args.socket) {
            Ok(connection) if connection.held > 0 => {
                connection.expect_version()?;
                connection.expect_settings(&args, &options.root_dir)?;
                return Ok(connection);
            }
            // It ends on its own; the new one waits for that.
            Ok(connection) => connection.dismiss()?,
            Err(ConnectError::Nobody(_)) => {}
            Err(error) => return Err(error),
        }
        launch(binary, &args, &options.root_dir)?;
        Self::connect(&args.socket)
    }
}

impl Connection {
    fn open(path: &Path) -> Result<Self, ConnectError> {
        let kind = SocketType::SEQPACKET;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
                .map_err(io::Error::from)?;
        let (address, _folder) = wire::address(path)?;
        rustix::net::connect(&socket, &address).map_err(|errno| match errno {
            rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED => {
                ConnectError::Nobody(path.to_owned())
            }
            errno => ConnectError::System(errno.into()),
        })?;
        greet(socket).map_err(|error| match error.kind() {
            // It ended while we knocked.
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => ConnectError::Nobody(path.to_owned()),
            _ => ConnectError::System(error),
        })
    }

    /// How many attempts the runner holds from an earlier server; all of them will be reported.
    pub fn held(&self) -> u32 {
        self.held
    }

    /// The runner's process, for the log.
    pub fn pid(&self) -> Option<u32> {
        let peer = rustix::net::sockopt::socket_peercred(&self.socket).ok()?;
        Some(peer.pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// The handle and the reports. To be called inside the runtime.
    pub fn attach(self) -> io::Result<(Runner, Reports)> {
        rustix::io::ioctl_fionbio(&self.socket, true)?;
        // SAFETY: an `OwnedFd` is open and stays the same descriptor; the `AsyncFd` owns it, and is
        // only ever borrowed behind the `Arc`.
        let socket = Arc::new(unsafe { AsyncFd::register(self.socket) }?);
        let reports = Reports {
            socket: socket.clone(),
            buffer: vec![0; wire::LARGEST_PACKET],
            missing: Missing::default(),
        };
        Ok((Runner { socket }, reports))
    }

    fn expect_version(&self) -> Result<(), ConnectError> {
        if self.version == VERSION {
            return Ok(());
        }
        let (theirs, held) = (self.version, self.held);
        Err(ConnectError::OtherVersion {
            theirs,
            ours: VERSION,
            held,
        })
    }

    fn expect_settings(&self, args: &RunnerArgs, root: &OwnedFd) -> Result<(), ConnectError> {
        let stat = rustix::fs::fstat(root).map_err(io::Error::from)?;
        if self.settings == args.identity((stat.st_dev, stat.st_ino)) {
            return Ok(());
        }
        Err(ConnectError::OtherSettings {
            pid: self.pid().unwrap_or_default(),
            held: self.held,
        })
    }

    /// Says goodbye and waits until the runner has hung up, though not for ever.
    fn dismiss(self) -> io::Result<()> {
        let mut buffer = vec![0; wire::LARGEST_PACKET];
        set_socket_timeout(&self.socket, Timeout::Recv, Some(PATIENCE))?;
        // A runner that is gone already needs no goodbye.
        let _ = wire::send(&self.socket, &wire::encode(&ToRunner::Bye)?, &[]);
        while wire::receive(&self.socket, &mut buffer).is_ok_and(|received| received.length > 0) {}
        Ok(())
    }
}

/// Says hello and reads the answer, which comes before anything else.
fn greet(socket: OwnedFd) -> io::Result<Connection> {
    let peer = rustix::net::sockopt::socket_peercred(&socket)?.uid;
    if !peer.is_root() && peer != rustix::process::geteuid() {
        return Err(io::Error::other("another account listens there"));
    }
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    wire::send(
        &socket,
        &wire::encode(&ToRunner::Hello { version: VERSION })?,
        &[],
    )?;
    let mut buffer = vec![0; wire::LARGEST_PACKET];
    let length = wire::receive(&socket, &mut buffer)?.length;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    set_socket_timeout(&socket, Timeout::Recv, None)?;
    match wire::decode(buffer.get(..length).unwrap_or_default())? {
        FromRunner::Welcome {
            version,
            held,
            settings,
        } => Ok(Connection {
            socket,
            version,
            held,
            settings,
        }),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Starts the runner and waits until it listens. It outlives this process.
fn launch(binary: &Path, args: &RunnerArgs, root: &OwnedFd) -> Result<(), ConnectError> {
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
