//! Finding the runner, or starting one.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::identity;
use super::launch::{RunnerOptions, launch};
use super::link::{Link, Socket};
use super::{Reports, Runner};
use crate::process::settings::RunnerArgs;
use crate::protocol::{EARLIEST, FromRunner, ToRunner, VERSION};
use crate::wire;

/// How long a runner may take to say hello.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no runner to talk to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No runner listens at this path.
    #[error("no runner listens at {}", .0.display())]
    Nobody(PathBuf),
    /// A runner of a version that this server does not know still holds runs.
    #[error(
        "the runner speaks version {theirs} of its protocol, this server knows {EARLIEST} to {ours}, and the runner still holds {held} runs: start the version of stagedoor that began them, let it serve until they have ended, then start this one"
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

/// A runner that has said hello. Made before the server gives up its privileges and before its
/// runtime exists.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    welcome: Welcome,
    /// Which runner was there when this server looked: this one, or the one it replaces.
    found: Option<String>,
    knows_all: bool,
}

/// What the runner said.
#[derive(Debug)]
struct Welcome {
    version: u32,
    held: u32,
    settings: Vec<String>,
}

impl Welcome {
    fn read(packet: &[u8]) -> io::Result<Self> {
        match wire::decode(packet)? {
            FromRunner::Welcome {
                version,
                held,
                settings,
            } => Ok(Self {
                version,
                held,
                settings,
            }),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
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
        let found = match Connection::open(&args.socket) {
            Ok(mut connection) if connection.welcome.held > 0 => {
                connection.expect_version()?;
                connection.expect_settings(&args, &options.root_dir)?;
                connection.found = connection.identity();
                return Ok(connection);
            }
            // It ends on its own; the new one waits for that.
            Ok(connection) => {
                let found = connection.identity();
                connection.dismiss()?;
                found
            }
            Err(ConnectError::Nobody(_)) => None,
            Err(error) => return Err(error),
        };
        launch(binary, &args, &options.root_dir)?;
        let mut connection = Self::connect(&args.socket)?;
        connection.found = found;
        Ok(connection)
    }

    fn on(link: Arc<dyn Link>, version: u32) -> (Self, Reports) {
        let reports = Reports::new(Arc::clone(&link));
        (Self { link, version }, reports)
    }

    /// The handle and the reports over another link than a socket, once the runner at its other end
    /// has said hello, and how many attempts it holds. `knows_all`: see [`Reports::knows_all`].
    #[doc(hidden)]
    pub async fn over(link: Arc<dyn Link>, knows_all: bool) -> io::Result<(Self, Reports, u32)> {
        link.send(&hello()?, &[]).await?;
        let mut buffer = vec![0; wire::LARGEST_PACKET];
        let length = link.receive(&mut buffer).await?.length;
        let welcome = Welcome::read(buffer.get(..length).unwrap_or_default())?;
        let (runner, mut reports) = Self::on(link, welcome.version);
        reports.knows_all = knows_all;
        Ok((runner, reports, welcome.held))
    }
}

impl Connection {
    fn open(path: &Path) -> Result<Self, ConnectError> {
        let kind = SocketType::SEQPACKET;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
                .map_err(io::Error::from)?;
        let (address, _folder) = wire::address(path)?;
        // Whoever listens and accepts nobody must not hold up the start for ever.
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE)).map_err(io::Error::from)?;
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
        self.welcome.held
    }

    /// The runner's process, for the log.
    pub fn pid(&self) -> Option<u32> {
        let peer = rustix::net::sockopt::socket_peercred(&self.socket).ok()?;
        Some(peer.pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// Which process the runner is. A number may be used again; this never is.
    pub fn identity(&self) -> Option<String> {
        identity::of_process(self.pid()?)
    }

    /// Says which runner the earlier server had. If it is the one that was found here, then nothing
    /// was handed to another one meanwhile: see [`Reports::knows_all`].
    #[must_use]
    pub fn after(mut self, earlier: Option<&str>) -> Self {
        self.knows_all = earlier.is_some() && earlier == self.found.as_deref();
        self
    }

    /// See [`Reports::knows_all`].
    pub fn knows_all(&self) -> bool {
        self.knows_all
    }

    /// The handle and the reports. To be called inside the runtime.
    pub fn attach(self) -> io::Result<(Runner, Reports)> {
        let link = Arc::new(Socket::new(self.socket)?);
        let (runner, mut reports) = Runner::on(link, self.welcome.version);
        reports.knows_all = self.knows_all;
        Ok((runner, reports))
    }

    fn expect_version(&self) -> Result<(), ConnectError> {
        let (theirs, held) = (self.welcome.version, self.welcome.held);
        if (EARLIEST..=VERSION).contains(&theirs) {
            return Ok(());
        }
        Err(ConnectError::OtherVersion {
            theirs,
            ours: VERSION,
            held,
        })
    }

    fn expect_settings(&self, args: &RunnerArgs, root: &OwnedFd) -> Result<(), ConnectError> {
        let stat = rustix::fs::fstat(root).map_err(io::Error::from)?;
        if self.welcome.settings == args.identity((stat.st_dev, stat.st_ino)) {
            return Ok(());
        }
        Err(ConnectError::OtherSettings {
            pid: self.pid().unwrap_or_default(),
            held: self.welcome.held,
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

fn hello() -> io::Result<Vec<u8>> {
    wire::encode(&ToRunner::Hello { version: VERSION })
}

/// Says hello and reads the answer, which comes before anything else.
fn greet(socket: OwnedFd) -> io::Result<Connection> {
    let peer = rustix::net::sockopt::socket_peercred(&socket)?;
    let (pid, uid) = (peer.pid.as_raw_nonzero(), peer.uid);
    if !uid.is_root() && uid != rustix::process::geteuid() {
        return Err(io::Error::other(format!(
            "process {pid} of uid {uid} listens there, which is not this server's runner; end it and remove the socket, or use another state directory"
        )));
    }
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    wire::send(&socket, &hello()?, &[])?;
    let mut buffer = vec![0; wire::LARGEST_PACKET];
    let received = wire::receive(&socket, &mut buffer).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other(format!(
            "process {pid} listens there and does not answer; if it is stopped, let it go on with `kill -CONT {pid}`, else end it"
        )),
        _ => error,
    })?;
    let length = received.length;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    set_socket_timeout(&socket, Timeout::Recv, None)?;
    Ok(Connection {
        socket,
        welcome: Welcome::read(buffer.get(..length).unwrap_or_default())?,
        found: None,
        knows_all: false,
    })
}
