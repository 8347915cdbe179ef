//! Whether the account that a script runs as gets to what is started: the folder, the file, the program.
//! A runner finds that out when it starts the script.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat};
use rustix::io::Errno;
use stagedoor_catalog::{Snapshot, closed_folder};
use stagedoor_domain::script::{Launch, Script};
use stagedoor_runner::denied;

use super::roles::Roles;
use super::sight::looking_as;

/// Why a run would come to nothing.
pub struct Fault {
    /// With the mend.
    pub why: String,
    /// It would not be started; else it would, and fail.
    pub is_refusal: bool,
}

impl Fault {
    /// It would not be started.
    pub fn refusal(why: String) -> Self {
        Self {
            why,
            is_refusal: true,
        }
    }
}

/// What is to be said of the scripts of this folder, whose path is absolute.
pub fn warnings(dir: &Path, roles: &Roles, scripts: &Snapshot) -> Vec<String> {
    let found = scripts.scripts().filter_map(|script| {
        let fault = fault(dir, roles, script)?;
        let what = if fault.is_refusal {
            "is refused"
        } else {
            "fails"
        };
        Some(format!(
            "each run of `{}` {what}: {}",
            script.name, fault.why
        ))
    });
    found.collect()
}

/// What keeps the script's account from starting it. What somebody else complains of is none.
pub fn fault(dir: &Path, roles: &Roles, script: &Script) -> Option<Fault> {
    let (name, account) = roles.of_script(script)?;
    let path = dir.join(&script.folder);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(&path, flags, Mode::empty()).ok()?;
    let start = Start {
        script,
        folder: folder.as_fd(),
        account: &name,
        shebang: shebang(&path, &script.launch),
        path,
    };
    looking_as(account, || start.fault()).ok().flatten()
}

/// The program that starts the file, if that is not one itself.
fn shebang(folder: &Path, launch: &Launch) -> Option<String> {
    let Launch::File { file, interpreter } = launch else {
        return None;
    };
    let mut head = Vec::new();
    let file = File::open(folder.join(file))
        .ok()
        .filter(|_| interpreter.is_empty())?;
    file.take(256).read_to_end(&mut head).ok()?;
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let word = str::from_utf8(line).ok()?.split_whitespace().next()?;
    Some(word.to_owned())
}

/// What is started, as its account sees it.
struct Start<'a> {
    script: &'a Script,
    /// Opened with more rights: the account need not get to it by its path.
    folder: BorrowedFd<'a>,
    path: PathBuf,
    account: &'a str,
    shebang: Option<String>,
}

impl Start<'_> {
    /// In the order of a start.
    fn fault(&self) -> Option<Fault> {
        let failed = |why| Fault {
            why,
            is_refusal: false,
        };
        if let Some(why) = self.place() {
            return Some(Fault::refusal(why));
        }
        match &self.script.launch {
            Launch::Command { argv } => self.command(argv.first()?).map(Fault::refusal),
            Launch::File { file, interpreter } => {
                let program = interpreter.first().or(self.shebang.as_ref());
                let executed = || interpreter.is_empty().then(|| self.not_executed(file));
                let started = || program.and_then(|program| self.program(program));
                let why = executed().flatten().or_else(started).map(Fault::refusal);
                let read = || program.and_then(|_| self.not_read(file)).map(failed);
                why.or_else(read)
            }
        }
    }

    fn place(&self) -> Option<String> {
        let Some(path) = &self.script.working_directory else {
            let shown = match self.script.folder.as_str() {
                "" => ".",
                folder => folder,
            };
            let entered = accessat(self.folder, ".", Access::EXEC_OK, AtFlags::empty());
            return entered.err().map(|_| denied::folder(shown, self.account));
        };
        let is_there = match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                accessat(CWD, path.as_str(), Access::EXEC_OK, AtFlags::empty()).err()?;
                true
            }
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
        };
        Some(denied::working_directory(path, self.account, is_there))
    }

    /// One that lies in the catalog is reached from its folder, where that is the working directory.
    fn command(&self, program: &str) -> Option<String> {
        let inside = Path::new(program).strip_prefix(&self.path).ok();
        let Some(inside) = inside.filter(|_| self.script.working_directory.is_none()) else {
            return self.program(program);
        };
        let found = accessat(self.folder, inside, Access::EXEC_OK, AtFlags::empty());
        let shown = || self.shown(&inside.display().to_string());
        found.err().map(|_| denied::file(&shown(), self.account))
    }

    /// Its own file, which the kernel is to start.
    fn not_executed(&self, file: &str) -> Option<String> {
        let may = self.access(file, Access::EXEC_OK);
        (may == Err(Errno::ACCESS)).then(|| denied::file(&self.shown(file), self.account))
    }

    /// Its own file, which its interpreter is to read.
    fn not_read(&self, file: &str) -> Option<String> {
        let (shown, account) = (self.shown(file), self.account);
        let may = self.access(file, Access::READ_OK);
        (may == Err(Errno::ACCESS)).then(|| {
            format!(
                "what starts the script may not read its file as the account `{account}`: let everybody (chmod o+r {shown}), or give it a group with that right that both `{account}` and the server's account are in (chgrp GROUP {shown})"
            )
        })
    }

    /// From where a run would look for it.
    fn access(&self, file: &str, what: Access) -> Result<(), Errno> {
        match self.script.working_directory {
            Some(_) => accessat(CWD, self.path.join(file), what, AtFlags::empty()),
            None => accessat(self.folder, file, what, AtFlags::empty()),
        }
    }

    fn program(&self, program: &str) -> Option<String> {
        let error = accessat(CWD, program, Access::EXEC_OK, AtFlags::empty()).err()?;
        let account = self.account;
        Some(match (error, closed_folder(program)) {
            (Errno::ACCESS, Some(folder)) => format!(
                "the account `{account}` may not reach `{program}`: `{folder}` is closed to it; name a program that lies outside of `{folder}`, or let every account pass (chmod o+x {folder})"
            ),
            (Errno::ACCESS, None) => format!(
                "the account `{account}` may not execute `{program}`: let it (chmod o+rx {program}), or name another program"
            ),
            (error, _) => format!(
                "`{program}`, which starts it, cannot be started: {}",
                io::Error::from(error)
            ),
        })
    }

    /// For a command that mends it.
    fn shown(&self, file: &str) -> String {
        match self.script.folder.as_str() {
            "" => file.to_owned(),
            folder => format!("{folder}/{file}"),
        }
    }
}
