//! A Landlock ruleset that allows everything but what is hidden. There is no rule that takes away
//! what stands below an allowed folder, so each folder beside the way to it is allowed instead.
//!
//! What this costs: in the folders on that way (`/` and `/home`, say), no file and no folder can be
//! made, renamed or removed by a script. What somebody else makes there is seen at the next start.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use landlock::{
    Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError,
};
use rustix::fs::{Dir, FileType, Mode, OFlags};

use crate::process::low;
use crate::process::sandbox::{FILES, file_type, with_scopes};
use crate::process::settings::RunnerArgs;

/// When the folders on the way changed last: seconds and nanoseconds.
type Changed = Vec<(i64, u64)>;

/// A ruleset, and how the folders on the way were when it was made.
pub(in crate::process) struct Domain {
    ruleset: Rc<OwnedFd>,
    made: Changed,
}

impl Domain {
    pub(super) fn ruleset(&self) -> &Rc<OwnedFd> {
        &self.ruleset
    }
}

/// Makes rulesets.
pub(super) struct Siblings {
    hidden: Vec<PathBuf>,
    /// All folders above what is hidden.
    way: Vec<PathBuf>,
}

impl Siblings {
    /// Tries whether the kernel takes such a ruleset.
    pub(super) fn open(state: &Path, args: &RunnerArgs) -> io::Result<Self> {
        let mut hidden = vec![state.canonicalize()?];
        // What stands among the scripts stays open: no script could make a file beside itself.
        let files = args
            .hidden
            .iter()
            .filter(|file| !file.starts_with(&args.root));
        for path in std::iter::once(&args.scratch).chain(files) {
            // A file may come later.
            let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
            let place = folder
                .zip(path.file_name())
                .map(|(folder, name)| folder.join(name));
            hidden
                .extend(place.filter(|place| !hidden.iter().any(|outer| place.starts_with(outer))));
        }
        let above = hidden.iter().flat_map(|path| path.ancestors().skip(1));
        let mut way: Vec<PathBuf> = above.map(Path::to_owned).collect();
        way.sort();
        way.dedup();
        let siblings = Self { hidden, way };
        Self::rules().map_err(io::Error::other)?;
        Ok(siblings)
    }

    /// Everything but what is hidden, and this folder.
    pub(super) fn around(&self, top: BorrowedFd<'_>) -> io::Result<Domain> {
        // Before anything is listed, so that what comes meanwhile is seen the next time.
        let made = self.changed();
        let mut rules = Self::rules().map_err(io::Error::other)?;
        for folder in &self.way {
            self.allow_in(folder, &mut rules)?;
        }
        (&mut rules)
            .add_rule(PathBeneath::new(top, rights()))
            .map_err(io::Error::other)?;
        let ruleset: Option<OwnedFd> = rules.into();
        let ruleset = ruleset.ok_or(io::ErrorKind::Unsupported)?;
        let ruleset = Rc::new(low::raise(ruleset));
        Ok(Domain { ruleset, made })
    }

    /// Whether nothing came or went on the way since.
    pub(super) fn is_current(&self, domain: &Domain) -> bool {
        self.changed() == domain.made
    }

    fn changed(&self) -> Changed {
        let stats = self.way.iter().map(rustix::fs::stat);
        stats
            .map(|stat| stat.map_or((0, 0), |stat| (stat.st_mtime, stat.st_mtime_nsec)))
            .collect()
    }

    fn rules() -> Result<RulesetCreated, RulesetError> {
        let files = || {
            let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
            hard.handle_access(rights())
        };
        // Kernels that cannot restrict the reach to processes can still do this.
        files().and_then(with_scopes).or_else(|_| files())?.create()
    }

    /// Allows what stands in a folder of the way beside the way. A link is allowed by what it leads to.
    fn allow_in(&self, folder: &Path, rules: &mut RulesetCreated) -> io::Result<()> {
        let listed = rustix::fs::open(folder, LISTED, Mode::empty());
        // One that this account cannot list has nothing for its scripts either, but what they know
        // by name; that stays closed.
        let Ok(listed) = listed else { return Ok(()) };
        for entry in Dir::read_from(&listed)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") || entry.file_type() == FileType::Symlink {
                continue;
            }
            let path = folder.join(OsStr::from_bytes(name.to_bytes()));
            if self.is_kept(&path) {
                continue;
            }
            // It may be gone, or be a mount point of somebody else.
            let Ok(opened) = rustix::fs::openat(&listed, name, SEEN, Mode::empty()) else {
                continue;
            };
            let rights = match file_type(&opened) {
                Some(FileType::Directory) => rights(),
                Some(FileType::Symlink) | None => continue,
                Some(_) => rights() & AccessFs::from_file(FILES),
            };
            rules
                .add_rule(PathBeneath::new(opened.as_fd(), rights))
                .map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Whether this is hidden, or on the way to it.
    fn is_kept(&self, path: &Path) -> bool {
        self.hidden.iter().any(|hidden| hidden == path) || self.way.iter().any(|way| way == path)
    }
}

const LISTED: OFlags = OFlags::DIRECTORY
    .union(OFlags::RDONLY)
    .union(OFlags::CLOEXEC);
const SEEN: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// To list is left open: it would be closed for `/`, too.
fn rights() -> BitFlags<AccessFs> {
    AccessFs::from_all(FILES) & !BitFlags::from(AccessFs::ReadDir)
}
