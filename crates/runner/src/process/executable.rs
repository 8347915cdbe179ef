//! Opens what a plan names, below the root and without following a link, and checks that it is
//! what was asked for and that nobody else could have changed it.

mod trust;

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use stagedoor_domain::script::Launch;

use self::trust::What;
use super::accounts::{Accounts, RunAs};
use super::child::Program;
use crate::account::Account;
use crate::protocol::{Plan, Refusal};

/// Where scripts are, and who must not be able to change them.
pub(super) struct Root {
    /// Opened before any privilege was dropped.
    pub(super) dir: OwnedFd,
    /// For a shebang file that starts in another working directory.
    pub(super) path: std::path::PathBuf,
    pub(super) accounts: Accounts,
}

impl Root {
    /// Whether the path of the script's folder still leads to the folder that was opened.
    pub(super) fn leads_to(&self, executable: &Executable, plan: &Plan) -> bool {
        let place = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
        let path = self.path.join(&plan.folder);
        let by_path = rustix::fs::stat(&path).map(place);
        let opened = rustix::fs::fstat(&executable.directory).map(place);
        matches!((by_path, opened), (Ok(one), Ok(other)) if one == other)
    }

    /// Whether what was checked is what runs, or why not; none where nothing was checked.
    pub(super) fn pins(&self, executable: &Executable, plan: &Plan) -> Option<Result<(), String>> {
        plan.fingerprint?;
        let is_opened = matches!(executable.program, Program::Opened(_));
        Some(if is_opened || self.accounts.all_are_strangers() {
            Ok(())
        } else {
            Err("one account does everything here, so a script could change another one between its check and its start".to_owned())
        })
    }
}

/// Whether the account is kept from `path` by a folder above it. One that cannot be looked at
/// counts as closed: the root is used by its descriptor, and its path may have gone.
pub(super) fn is_hidden(path: &Path, account: &Account) -> bool {
    let may_enter =
        |folder: &Path| rustix::fs::stat(folder).is_ok_and(|stat| account.can_enter(&stat));
    !path.ancestors().skip(1).all(may_enter)
}

/// An opened folder, what is executed, and the first words of argv.
pub(super) struct Executable {
    pub(super) directory: Rc<OwnedFd>,
    /// A shebang file, an interpreter and a command that is no binary of the catalog are opened by the kernel, by
    /// their path.
    pub(super) program: Program,
    pub(super) argv: Vec<CString>,
}

const BELOW: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens and checks what the plan names.
pub(super) fn open(plan: &Plan, root: &Root, who: &RunAs) -> Result<Executable, Refusal> {
    match &plan.launch {
        Launch::Command { argv } => command(plan, argv, root, who),
        Launch::File { file, interpreter } => script(plan, file, interpreter, root, who),
    }
}

fn command(plan: &Plan, argv: &[String], root: &Root, who: &RunAs) -> Result<Executable, Refusal> {
    let mut argv = argv
        .iter()
        .map(|word| c_string(word))
        .collect::<Result<Vec<_>, _>>()?;
    let program = argv
        .first_mut()
        .filter(|word| word.to_bytes().starts_with(b"/"));
    let program = program.ok_or_else(|| {
        Refusal::Unsafe("the command is not an absolute path: correct its definition".into())
    })?;
    let mut checked = None;
    if plan.fingerprint.is_some() {
        checked = Some(check_program(program, plan, root)?);
        if who.is_hidden && plan.working_directory.is_none() {
            *program = from_within(program, &plan.folder, root)?;
        }
    }
    let program = match checked {
        Some(opened) if !has_shebang(opened.as_fd()) => Program::Opened(opened),
        _ => Program::Path(program.clone()),
    };
    Ok(Executable {
        directory: Rc::new(open_folder(&plan.folder, root, |_, _| Ok(()))?),
        program,
        argv,
    })
}

/// A program of the catalog is checked as a script is, in the folder that holds it.
fn check_program(program: &CString, plan: &Plan, root: &Root) -> Result<OwnedFd, Refusal> {
    let path = Path::new(std::ffi::OsStr::from_bytes(program.to_bytes()));
    let below = path.strip_prefix(&root.path).ok();
    let below = below.and_then(Path::to_str).ok_or_else(|| {
        Refusal::Unsafe("the command is not in the folder of scripts any more: look at its definition, then run it again".into())
    })?;
    let (folder, file) = below.rsplit_once('/').unwrap_or(("", below));
    let (_, opened) = open_checked(folder, file, false, plan, root)?;
    Ok(opened)
}

/// A program of the catalog, by a way that its account may go; see [`script`].
fn from_within(program: &CString, folder: &str, root: &Root) -> Result<CString, Refusal> {
    let path = Path::new(std::ffi::OsStr::from_bytes(program.to_bytes()));
    match path.strip_prefix(root.path.join(folder)) {
        Ok(below) => c_string(&format!("/proc/self/cwd/{}", below.display())),
        Err(_) => Ok(program.clone()),
    }
}

fn script(
    plan: &Plan,
    file: &str,
    interpreter: &[String],
    root: &Root,
    who: &RunAs,
) -> Result<Executable, Refusal> {
    let (directory, opened) =
        open_checked(&plan.folder, file, !interpreter.is_empty(), plan, root)?;
    let location = match plan.working_directory {
        // Some interpreters (Python) make the path they are given absolute before they open it.
        // Where that way is closed, this one leads to the same file.
        None if who.is_hidden => c_string(&format!("/proc/self/cwd/{file}"))?,
        None => c_string(&format!("./{file}"))?,
        Some(_) => absolute(&root.path, &plan.folder, file)?,
    };
    let mut argv = interpreter
        .iter()
        .map(|word| c_string(word))
        .collect::<Result<Vec<_>, _>>()?;
    let program = match argv.first() {
        Some(program) if !program.to_bytes().starts_with(b"/") => {
            return Err(Refusal::Unsafe(
                "the interpreter is not an absolute path: correct its definition".into(),
            ));
        }
        Some(program) => Program::Path(program.clone()),
        None if has_shebang(opened.as_fd()) => Program::Path(location.clone()),
        None => Program::Opened(opened),
    };
    argv.push(location);
    Ok(Executable {
        directory: Rc::new(directory),
        program,
        argv,
    })
}

/// A folder and a file in it that is the plan's, and that nobody else can change.
fn open_checked(
    folder: &str,
    file: &str,
    interpreted: bool,
    plan: &Plan,
    root: &Root,
) -> Result<(OwnedFd, OwnedFd), Refusal> {
    let accounts = &root.accounts;
    let unchangeable =
        |opened: BorrowedFd<'_>, path: &str| trust::check_folder(opened, path, accounts);
    let directory = open_folder(folder, root, unchangeable)?;
    let opened = open_file(&directory, file)?;
    let what = What::File(folder, file);
    trust::check_file(
        opened.as_fd(),
        what,
        plan.fingerprint,
        interpreted,
        accounts,
    )?;
    Ok((directory, opened))
}

/// Opens the folder part by part; no part may be a link. Each folder is shown to `check`, with its path.
fn open_folder(
    folder: &str,
    root: &Root,
    check: impl Fn(BorrowedFd<'_>, &str) -> Result<(), Refusal>,
) -> Result<OwnedFd, Refusal> {
    let refuse = |errno: Errno| {
        let shown = if folder.is_empty() { "." } else { folder };
        Refusal::Folder(format!(
            "the script's folder `{shown}` cannot be opened: {}",
            say(errno)
        ))
    };
    let flags = BELOW | OFlags::DIRECTORY;
    let mut dir = rustix::fs::openat(&root.dir, c".", flags, Mode::empty()).map_err(refuse)?;
    check(dir.as_fd(), "")?;
    let mut end = 0;
    for part in folder.split('/').filter(|_| !folder.is_empty()) {
        if matches!(part, "" | "." | "..") {
            return Err(refuse(Errno::INVAL));
        }
        dir = rustix::fs::openat(&dir, part, flags, Mode::empty()).map_err(refuse)?;
        end += part.len();
        check(dir.as_fd(), folder.get(..end).unwrap_or(folder))?;
        // Behind the slash.
        end += 1;
    }
    Ok(dir)
}

fn open_file(directory: &OwnedFd, file: &str) -> Result<OwnedFd, Refusal> {
    if matches!(file, "" | "." | "..") || file.contains(['/', '\0']) {
        return Err(Refusal::Unsafe(format!(
            "`{file}` is not the name of a file in its folder"
        )));
    }
    rustix::fs::openat(directory, file, BELOW, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT => Refusal::Gone,
        errno => Refusal::Folder(file_error(errno)),
    })
}

/// A path below the root; of the folder itself if `file` is empty.
pub(super) fn absolute(root: &Path, folder: &str, file: &str) -> Result<CString, Refusal> {
    let path = root.join(folder).join(file);
    CString::new(path.as_os_str().as_bytes()).map_err(|_| nul())
}

/// Whether the file that was opened begins as a script. One that cannot be read is no script: its
/// interpreter could not read it either.
fn has_shebang(opened: BorrowedFd<'_>) -> bool {
    let path = format!("/proc/self/fd/{}", opened.as_raw_fd());
    let begins = || -> rustix::io::Result<bool> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty())?;
        let mut start = [0; 2];
        let read = rustix::io::pread(&file, &mut start, 0)?;
        Ok(read == 2 && start == *b"#!")
    };
    begins().unwrap_or(false)
}

/// The beginning of the file up to the first line end, as far as the kernel looks.
pub(super) fn first_line(directory: BorrowedFd<'_>, file: &str) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, file, flags, Mode::empty()).ok()?;
    let mut line = vec![0; 256];
    let read = rustix::io::pread(&file, &mut line, 0).ok()?;
    line.truncate(read);
    if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
        line.truncate(end);
    }
    Some(line)
}

pub(super) fn c_string(text: &str) -> Result<CString, Refusal> {
    CString::new(text).map_err(|_| nul())
}

pub(super) fn nul() -> Refusal {
    Refusal::Unsafe(
        "an argument or a variable has a NUL byte, which no process can be given".into(),
    )
}

fn file_error(errno: Errno) -> String {
    format!("the script's file cannot be opened: {}", say(errno))
}

/// An errno in words, without the number that `io::Error` adds.
pub(super) fn say(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_a_file_in_its_folder_is_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ok"), "#!/bin/sh\necho\n").expect("written");
        let dir = OwnedFd::from(std::fs::File::open(folder.path()).expect("opened"));
        assert!(open_file(&dir, "ok").is_ok());
        assert_eq!(
            first_line(dir.as_fd(), "ok").as_deref(),
            Some(&b"#!/bin/sh"[..])
        );
        assert_eq!(open_file(&dir, "gone").err(), Some(Refusal::Gone));
        for name in ["", ".", "..", "../ok", "/bin/sh", "ok\0"] {
            assert!(
                matches!(open_file(&dir, name), Err(Refusal::Unsafe(_))),
                "{name:?}"
            );
        }
    }

    #[test]
    fn an_errno_is_said_in_words() {
        assert_eq!(say(Errno::NOENT), "no such file or directory");
    }
}
