//! Landlock: what a script may reach of files, ports and other processes, whatever its account may.
//!
//! Each script has a domain of its own, also where nothing but the reach to other processes is
//! restricted: two runs of one account can then neither signal nor trace each other, nor read each
//! other's memory and environment.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use stagedoor_domain::sandbox::{Measure, Network, Sandbox};

use crate::process::executable::say;
use crate::protocol::Refusal;

/// What a program needs to read before it does anything of its own.
pub(in crate::process) const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
    "/etc",
    "/proc",
    "/dev",
    "/sys/devices/system/cpu",
    "/run/systemd/resolve",
];
/// Devices that hold nothing.
const DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
];

/// Rights on files that every kernel with file sizes in its rules knows.
pub(in crate::process) const FILES: ABI = ABI::V3;

/// What the kernel at hand can restrict.
pub(super) struct Domains {
    /// To signal, trace or be reached by abstract sockets; kept for every script that needs no more.
    scopes: Option<Rc<OwnedFd>>,
    /// In the place of that on older kernels: every domain closes the way into processes outside of it.
    apart: Option<Rc<OwnedFd>>,
    files: bool,
    ports: bool,
    system: Vec<OwnedFd>,
    devices: Vec<OwnedFd>,
}

/// Folders of one attempt.
pub(super) struct Own<'a> {
    /// Where its script stands.
    pub(super) script: BorrowedFd<'a>,
    /// Where it begins, if not there.
    pub(super) working_directory: Option<&'a Path>,
    /// What was made for it.
    pub(super) scratch: &'a Path,
}

impl Domains {
    /// Asks the kernel.
    pub(super) fn open() -> Self {
        Self {
            scopes: created(scopes()),
            apart: created(harmless()),
            files: files(AccessFs::from_all(FILES))
                .and_then(Ruleset::create)
                .is_ok(),
            ports: ports().and_then(Ruleset::create).is_ok(),
            system: SYSTEM
                .iter()
                .filter_map(|path| look(Path::new(path)).ok())
                .collect(),
            devices: DEVICES
                .iter()
                .filter_map(|path| look(Path::new(path)).ok())
                .collect(),
        }
    }

    /// What holds for every script above `none`.
    pub(super) fn common(&self) -> Option<&Rc<OwnedFd>> {
        self.scopes.as_ref().or(self.apart.as_ref())
    }

    /// What it takes to hold this measure, if that is not here.
    pub(super) fn lacks(&self, measure: Measure) -> Option<String> {
        let (is_here, since) = match measure {
            Measure::Processes => (self.scopes.is_some(), "6.12"),
            Measure::Read | Measure::Write => (self.files, "6.2"),
            _ => (self.ports, "6.7"),
        };
        (!is_here).then(|| {
            format!(
                "this needs Landlock as Linux {since} has it, switched on when the kernel starts"
            )
        })
    }

    /// A ruleset of this script's own, if it asks for more than all do.
    pub(super) fn of(&self, sandbox: &Sandbox, own: &Own<'_>) -> Result<Option<OwnedFd>, Refusal> {
        let reads = sandbox.read.as_deref().filter(|_| self.files);
        let writes = sandbox.write.as_deref().filter(|_| self.files);
        let connects = match &sandbox.network {
            Network::Ports(ports) if self.ports => Some(ports.as_slice()),
            _ => None,
        };
        if reads.is_none() && writes.is_none() && connects.is_none() {
            return Ok(None);
        }
        let mut rules = self.ruleset(reads.is_some(), writes.is_some(), connects.is_some());
        let rules = rules.as_mut().map_err(|error| fault(error))?;
        self.add_paths(rules, reads, writes, own)?;
        for port in connects.unwrap_or_default() {
            let port = NetPort::new(*port, AccessNet::ConnectTcp);
            rules.add_rule(port).map_err(|error| fault(&error))?;
        }
        let rules = rules
            .try_clone()
            .map_err(|error| Refusal::Resources(error.to_string()))?;
        Ok(rules.into())
    }

    fn ruleset(
        &self,
        reads: bool,
        writes: bool,
        connects: bool,
    ) -> Result<RulesetCreated, RulesetError> {
        let mut rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let mut handled = BitFlags::<AccessFs>::EMPTY;
        if reads {
            handled |= AccessFs::from_read(FILES);
        }
        if writes {
            handled |= AccessFs::from_write(FILES);
        } else if reads {
            // Else every rename to another folder would be refused.
            handled |= AccessFs::Refer;
        }
        if !handled.is_empty() {
            rules = rules.handle_access(handled)?;
        }
        if connects {
            rules = rules.handle_access(AccessNet::from_all(ABI::V4))?;
        }
        if self.scopes.is_some() {
            rules = with_scopes(rules)?;
        }
        rules.create()
    }

    fn add_paths(
        &self,
        rules: &mut RulesetCreated,
        reads: Option<&[String]>,
        writes: Option<&[String]>,
        own: &Own<'_>,
    ) -> Result<(), Refusal> {
        let read = reads.map_or(BitFlags::EMPTY, |_| AccessFs::from_read(FILES));
        let write = writes.map_or(BitFlags::EMPTY, |_| AccessFs::from_write(FILES));
        let mut allow = |fd: BorrowedFd<'_>, rights: BitFlags<AccessFs>| {
            let rights = if is_folder(fd) {
                rights
            } else {
                rights & AccessFs::from_file(FILES)
            };
            if rights.is_empty() {
                return Ok(());
            }
            let rule = PathBeneath::new(fd, rights);
            rules
                .add_rule(rule)
                .map(|_| ())
                .map_err(|error| fault(&error))
        };
        for fd in &self.system {
            allow(fd.as_fd(), read)?;
        }
        for fd in &self.devices {
            allow(fd.as_fd(), read | write)?;
        }
        allow(own.script, read)?;
        if writes.is_none() && reads.is_some() {
            let all = look(Path::new("/")).map_err(|errno| Refusal::Resources(say(errno)))?;
            allow(all.as_fd(), AccessFs::Refer.into())?;
        }
        if let Some(folder) = own.working_directory {
            allow(named(folder, "working_directory")?.as_fd(), read)?;
        }
        allow(
            named(own.scratch, "its private folder")?.as_fd(),
            read | write,
        )?;
        for path in reads.unwrap_or_default() {
            allow(named(Path::new(path), "sandbox.read")?.as_fd(), read)?;
        }
        for path in writes.unwrap_or_default() {
            allow(
                named(Path::new(path), "sandbox.write")?.as_fd(),
                read | write,
            )?;
        }
        Ok(())
    }
}

/// None where the kernel has no such ruleset.
fn created(rules: Result<Ruleset, RulesetError>) -> Option<Rc<OwnedFd>> {
    let ruleset: Option<OwnedFd> = rules.and_then(Ruleset::create).ok()?.into();
    ruleset.map(Rc::new)
}

fn scopes() -> Result<Ruleset, RulesetError> {
    with_scopes(Ruleset::default().set_compatibility(CompatLevel::HardRequirement))
}

/// Takes a right away that no script has: only root makes devices.
fn harmless() -> Result<Ruleset, RulesetError> {
    files(AccessFs::MakeBlock.into())
}

/// Restricts the reach to other processes, too.
pub(in crate::process) fn with_scopes(rules: Ruleset) -> Result<Ruleset, RulesetError> {
    rules.scope(Scope::from_all(ABI::V6))
}

fn files(rights: BitFlags<AccessFs>) -> Result<Ruleset, RulesetError> {
    let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    hard.handle_access(rights)
}

fn ports() -> Result<Ruleset, RulesetError> {
    let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    hard.handle_access(AccessNet::from_all(ABI::V4))
}

/// A folder or file, not by a link.
fn look(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// One that a definition names: it must be there, and no link, which somebody could turn.
fn named(path: &Path, key: &str) -> Result<OwnedFd, Refusal> {
    let refuse = |why: &str| {
        Refusal::Confinement(format!(
            "`{}` of `{key}` {why}: correct the script's definition",
            path.display()
        ))
    };
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT => refuse("does not exist"),
        errno => refuse(&format!("cannot be opened ({})", say(errno))),
    })?;
    if file_type(&opened) == Some(FileType::Symlink) {
        return Err(refuse(
            "is a symbolic link, and only what it leads to can be named",
        ));
    }
    Ok(opened)
}

fn is_folder(fd: BorrowedFd<'_>) -> bool {
    file_type(fd) == Some(FileType::Directory)
}

/// What an opened file is; none where it cannot be told.
pub(in crate::process) fn file_type(fd: impl AsFd) -> Option<FileType> {
    let stat = rustix::fs::fstat(fd).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}

fn fault(error: &RulesetError) -> Refusal {
    Refusal::Resources(format!(
        "the system could not restrict the script's reach: {error}"
    ))
}
