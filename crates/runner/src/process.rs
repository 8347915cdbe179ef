//! The runner as a process: what it settles once, before it serves.

mod accounts;
mod attempt;
mod attempts;
mod cgroup;
mod cgroups;
mod child;
mod clock;
mod connection;
mod departure;
mod environment;
mod executable;
mod explain;
mod hiding;
mod keeper;
mod launch;
mod listener;
mod log;
mod low;
mod machine;
mod members;
mod orders;
pub mod preview;
mod progress;
mod raw;
mod sandbox;
mod scratch;
mod search_path;
mod service;
pub mod settings;
mod signals;
#[doc(hidden)]
pub mod simulation;
mod stack;
mod start;
mod sweep;
mod tree;
mod unconfirmed;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use self::accounts::Accounts;
use self::cgroups::Others;
use self::clock::KernelClock;
use self::executable::Root;
use self::listener::Listener;
use self::sandbox::Kit;
use self::scratch::Scratch;
use self::service::Service;
use self::settings::RunnerArgs;
use self::start::Station;
use self::tree::Nursery;

/// What the runner writes to standard output once it listens; anything else is why it cannot.
pub(crate) const READY: &[u8] = b"ready\n";

/// The whole life of a runner. Standard output tells the server once whether it listens.
///
/// To be called first in its process: no thread may have been started, and no descriptor above
/// standard error may be owned by anything.
pub fn serve_runner(args: RunnerArgs) -> ExitCode {
    let service = prepare(args).and_then(|(service, null)| {
        announce(READY)?;
        release_streams(null)?;
        Ok(service)
    });
    match service.and_then(|mut service| service.serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever started it reads one of the two.
            let _ = announce(error.to_string().as_bytes());
            log::log(format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}

/// In this order, because each step relies on the ones above it.
fn prepare(args: RunnerArgs) -> io::Result<(Service, OwnedFd)> {
    let has_no_terminal = leave_others()?;
    let open_files = raise_open_files();
    let _low = low::block();
    let signals = signals::take()?;
    let (socket, server_uid) = (args.socket.clone(), args.server_uid);
    let (station, settings) = settle(args, has_no_terminal, Others::Moved, open_files)?;
    let null = station.null.try_clone()?;
    // Last, because whoever can connect is served.
    let listener = Listener::bind(&socket, server_uid)
        .map_err(|error| explained(&error, "socket", &socket))?;
    let clock = Arc::new(KernelClock);
    let stale = station.scratch.stale()?;
    let mut service = Service::new(Some(listener), signals, Box::new(station), clock, settings)?;
    service.watch_mounts()?;
    for name in stale {
        service.remove_scratch(name);
    }
    Ok((service, null))
}

/// What this process was given and what is inherited from it; whether it has no terminal.
fn leave_others() -> io::Result<bool> {
    // What the server's parent left open must not live as long as the runner.
    signals::close_inherited()?;
    // A signal to the server's terminal or process group must not reach the runner. It fails where
    // the runner leads a process group already, which a terminal may stand behind.
    let has_no_terminal = rustix::process::setsid().is_ok();
    // Its memory passes secrets on.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // What a script leaves behind becomes the runner's child, so that it can be ended.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    restrict()?;
    Ok(has_no_terminal)
}

/// All that a start needs, and what a server compares its settings with.
fn settle(
    args: RunnerArgs,
    has_no_terminal: bool,
    others: Others,
    open_files: Rlimit,
) -> io::Result<(Station, Vec<String>)> {
    let kit = Kit::open(args.some_go_without, open_files)?;
    let accounts = Accounts::open(&args)?;
    search_path::warn(&accounts);
    let shares = launch::shares(accounts.change())?;
    launch::check_departures(shares.memory)?;
    let root = open_root(&args)?;
    let stat = rustix::fs::fstat(&root)?;
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let settings = args.identity((stat.st_dev, stat.st_ino));
    let scratch = Scratch::open(&args, accounts.all())
        .map_err(|error| explained(&error, "scratch folder", &args.scratch))?;
    let are_strangers = accounts.all_are_strangers();
    let nursery = Nursery::open(&args.socket, are_strangers, has_no_terminal, others);
    let station = Station {
        root: Root {
            dir: root,
            path: args.root,
            accounts,
        },
        scratch,
        scripts: std::hash::RandomState::new(),
        null,
        kit,
        zone: environment::system_zone(),
        nursery,
        shares,
    };
    Ok((station, settings))
}

fn open_root(args: &RunnerArgs) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = if args.root_on_stdin {
        rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?
    } else {
        rustix::fs::open(&args.root, flags, Mode::empty())
            .map_err(|errno| explained(&errno.into(), "folder of scripts", &args.root))?
    };
    let stat = rustix::fs::fstat(&root)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        Ok(root)
    } else {
        Err(io::Error::other(
            "standard input is not the folder of scripts",
        ))
    }
}

/// What holds for the runner and, because it is inherited, for every script.
fn restrict() -> io::Result<()> {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    // Core files would keep secrets. A program that is given them through a pipe gets them at a limit of 0,
    // too; at 1 the kernel writes no file and starts no program. Who was given 0 may not raise it.
    let at_most = |bytes| Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    let limited = rustix::process::setrlimit(Resource::Core, at_most(1))
        .or_else(|_| rustix::process::setrlimit(Resource::Core, at_most(0)));
    Ok(limited?)
}

/// Up to a dozen descriptors are kept per attempt: its ends, its folder, its view, its cgroup and what
/// bounds it. Scripts get the limit that this process was given.
fn raise_open_files() -> Rlimit {
    let given = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: given.maximum,
        maximum: given.maximum,
    };
    // A lower limit means fewer attempts at once, which are refused with that reason.
    let _ = rustix::process::setrlimit(Resource::Nofile, raised);
    given
}

fn announce(text: &[u8]) -> io::Result<()> {
    rustix::io::write(rustix::stdio::stdout(), text)?;
    Ok(())
}

/// Standard input was the root, standard output the way to say "ready"; both stay occupied, so that
/// no descriptor of a script can get their numbers.
fn release_streams(null: impl AsFd) -> io::Result<()> {
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}

fn explained(error: &io::Error, what: &str, path: &std::path::Path) -> io::Error {
    io::Error::other(format!(
        "the {what} {} cannot be used: {error}",
        path.display()
    ))
}
