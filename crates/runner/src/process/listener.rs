//! The socket that the server connects to, and who may.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, FlockOperation, Gid, Mode, OFlags, Uid};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::Pid;

use super::low;
use super::members::{self, Above};
use crate::wire;

/// How long a new runner waits for the one before it to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the parents of who connects are looked up.
const TRIES: usize = 16;

/// The listening socket. While it lives, no other runner listens at its path.
pub(super) struct Listener {
    /// For epoll.
    pub(super) socket: OwnedFd,
    path: PathBuf,
    /// Beside the runner's own account and root.
    server_uid: Option<u32>,
    /// Held by the lock on it.
    _lock: OwnedFd,
}

impl Listener {
    /// Listens at this path, in the place of a runner that is gone.
    pub(super) fn bind(path: &Path, server_uid: Option<u32>) -> io::Result<Self> {
        let lock = lock(&path.with_extension("lock"))?;
        remove_stale(path)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        // The socket's own mode becomes the file's, so there is no moment with a wider one.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        let (address, _folder) = wire::address(path)?;
        rustix::net::bind(&socket, &address)?;
        if let Some(uid) = server_uid.filter(|_| rustix::process::geteuid().is_root()) {
            give(path, uid)?;
        }
        rustix::net::listen(&socket, 16)?;
        Ok(Self {
            socket,
            path: path.to_owned(),
            server_uid,
            _lock: lock,
        })
    }

    /// The next connection; none when nobody waits, or who waits is not allowed.
    pub(super) fn accept(&self) -> Option<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::accept_with(&self.socket, flags).ok()?;
        let credentials = rustix::net::sockopt::socket_peercred(&socket).ok()?;
        let (peer, pid) = (credentials.uid.as_raw(), credentials.pid);
        let own = rustix::process::geteuid().as_raw();
        if !may_connect(peer, own, self.server_uid) {
            super::log::warn(format_args!("refused a connection of uid {peer}"));
            return None;
        }
        if !is_apart(pid, rustix::process::getpid()) {
            // Who has gone is no danger, and can be told nothing.
            if rustix::process::test_kill_process(pid).is_ok() {
                super::log::warn(format_args!("refused a connection of a script, pid {pid}"));
            }
            return None;
        }
        Some(low::raise(socket))
    }
}

/// Whether this process is not below the other one. What a script starts stays below the runner, which
/// adopts all orphans, so no server is there; and one that has ended meanwhile is none either.
fn is_apart(process: Pid, above: Pid) -> bool {
    // A parent may end while this looks; a script that has its own end all the time is refused.
    (0..TRIES)
        .find_map(|_| follow(process, above))
        .unwrap_or(false)
}

/// None where the line of parents broke off.
fn follow(process: Pid, above: Pid) -> Option<bool> {
    let mut pid = process;
    while pid != above {
        match members::above(pid) {
            Some(Above::Parent(parent)) => pid = parent,
            // The first process, or one whose parent is outside of this namespace.
            Some(Above::Nothing) => return Some(true),
            None if pid == process => return Some(false),
            None => return None,
        }
    }
    Some(false)
}

/// No name is left behind: who finds none starts a runner instead of connecting.
impl Drop for Listener {
    fn drop(&mut self) {
        // Should it stay, the next runner removes it.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn may_connect(peer: u32, own: u32, server: Option<u32>) -> bool {
    peer == own || peer == 0 || (own == 0 && server == Some(peer))
}

fn lock(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
    let step = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    while rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if waited > PATIENCE {
            return Err(io::Error::other(
                "another runner listens there and does not end",
            ));
        }
        std::thread::sleep(step);
        waited += step;
    }
    Ok(file)
}

/// The lock is ours, so a socket that lies here belongs to nobody. Anything else stays.
fn remove_stale(path: &Path) -> io::Result<()> {
    match rustix::fs::lstat(path) {
        Err(rustix::io::Errno::NOENT) => Ok(()),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Socket => {
            std::fs::remove_file(path)
        }
        Ok(_) => Err(io::Error::other(format!(
            "{} is not a socket; move it away",
            path.display()
        ))),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes a server that is not root the owner. The folder may be that server's own, so what is given
/// away must be the very socket that was just made.
fn give(path: &Path, uid: u32) -> io::Result<()> {
    let file = rustix::fs::open(
        path,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let stat = rustix::fs::fstat(&file)?;
    let ours = FileType::from_raw_mode(stat.st_mode) == FileType::Socket
        && stat.st_nlink == 1
        && stat.st_uid == 0;
    if !ours {
        return Err(io::Error::other(format!("{} was replaced", path.display())));
    }
    let (uid, gid) = (Some(Uid::from_raw(uid)), None::<Gid>);
    Ok(rustix::fs::chownat(
        &file,
        c"",
        uid,
        gid,
        AtFlags::EMPTY_PATH,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_runners_own_account_and_root_may_connect_and_a_root_runners_server() {
        assert!(may_connect(1000, 1000, None));
        assert!(may_connect(0, 1000, None));
        assert!(may_connect(7373, 0, Some(7373)));
        assert!(!may_connect(7373, 0, None));
        assert!(!may_connect(7374, 0, Some(7373)));
        assert!(
            !may_connect(7373, 1000, Some(7373)),
            "only a root runner has another server"
        );
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a process that this one has made"
    )]
    fn who_connects_is_not_below_the_runner() {
        let own = rustix::process::getpid();
        let mut shell = std::process::Command::new("/bin/sh")
            .args(["-c", "sleep 60 & wait"])
            .spawn()
            .expect("a shell");
        let child = Pid::from_child(&shell);
        assert!(!is_apart(child, own) && !is_apart(own, own));
        let parent = rustix::process::getppid().expect("a parent");
        assert!(is_apart(own, child) && is_apart(parent, own));
        let _ = shell.kill();
        let _ = shell.wait();
        assert!(!is_apart(child, own), "it is not there any more");
    }

    #[test]
    fn the_socket_is_for_its_owner_alone_and_takes_the_place_of_a_dead_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("runner.sock");
        let listener = Listener::bind(&path, None).expect("bound");
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(listener);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket left behind"));
        assert!(Listener::bind(&path, None).is_ok());
    }

    #[test]
    fn a_file_in_the_place_of_the_socket_is_not_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("runner.sock");
        std::fs::write(&path, "mine").expect("written");
        assert!(Listener::bind(&path, None).is_err());
        assert!(path.exists());
    }
}
