//! Where this runner's cgroups can bound memory and processes, and share the processors out: in its own hierarchy, if it may hand
//! those down, or in the hierarchies of the first version of cgroups.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Others;
use crate::process::cgroup::controls::Kind;
use crate::process::cgroup::pids_in;
use rustix::io::Errno;

const CPU: &str = "cpu";
/// All kinds, and what the kernel calls them.
const KINDS: [(Kind, &str); 3] = [
    (Kind::Memory, "memory"),
    (Kind::Processes, "pids"),
    (Kind::Processor, CPU),
];

/// How a kind is bounded.
pub(super) enum Where {
    /// In the attempt's own cgroup.
    Unified,
    /// In a cgroup below this one, made for this alone.
    Apart(PathBuf),
}

/// Those of [`KINDS`] that can be bounded below `base`, a cgroup right below the one of this process.
pub(super) fn open(own: &Path, base: &Path, others: Others) -> Vec<(Kind, Where)> {
    let find = |(kind, word): (Kind, &str)| {
        let found = if hand_down(own, base, word, others) {
            Some(Where::Unified)
        } else {
            apart(base, word).map(Where::Apart)
        };
        found.map(|place| (kind, place))
    };
    KINDS.into_iter().filter_map(find).collect()
}

/// Removes what was made here.
pub(super) fn close(kinds: &[(Kind, Where)]) {
    for (_, place) in kinds {
        if let Where::Apart(base) = place {
            let _ = fs::remove_dir(base);
        }
    }
}

/// Switches a controller on for what is below `base`, which takes it being on for `base` itself.
fn hand_down(own: &Path, base: &Path, word: &str, others: Others) -> bool {
    has_word(&own.join("cgroup.controllers"), word)
        && (has_word(&own.join("cgroup.subtree_control"), word) || switch_on(own, word, others))
        && enable(base, word).is_ok()
}

fn enable(cgroup: &Path, word: &str) -> io::Result<()> {
    fs::write(cgroup.join("cgroup.subtree_control"), format!("+{word}"))
}

/// The kernel lets a cgroup with processes hand nothing down. They are moved one step down where the
/// cgroup is ours: this process is alone in it with its parent, or the service manager has said so.
fn switch_on(own: &Path, word: &str, others: Others) -> bool {
    match enable(own, word) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::BUSY) => {}
        done => return done.is_ok(),
    }
    let pids = pids_in(own);
    // With the server that has started it.
    let ours = [Some(rustix::process::getpid()), rustix::process::getppid()];
    let is_ours = pids.iter().all(|pid| ours.contains(&Some(*pid)));
    if others == Others::Left || (!is_ours && !is_delegated(own)) {
        return false;
    }
    let main = own.join(MAIN);
    // It may be there since an earlier start.
    let _ = fs::create_dir(&main);
    for pid in pids {
        // One that has ended meanwhile needs no place.
        let _ = fs::write(main.join("cgroup.procs"), pid.as_raw_nonzero().to_string());
    }
    enable(own, word).is_ok()
}

/// Where the processes of a cgroup go that hands controllers down.
pub(super) const MAIN: &str = "stagedoor-main";

/// What systemd notes on a cgroup with `Delegate=yes`.
fn is_delegated(cgroup: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0_u8; 8];
        let length = rustix::fs::getxattr(cgroup, *name, &mut value[..]);
        length.is_ok_and(|length| value.get(..length) == Some(b"1"))
    })
}

fn has_word(file: &Path, word: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().any(|known| known == word)
}

/// A cgroup of this runner in the hierarchy of one kind.
fn apart(base: &Path, word: &str) -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (kinds, path) = rest.split_once(':')?;
        kinds.split(',').any(|kind| kind == word).then_some(path)
    })?;
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    let mount = mounts
        .split(|byte| *byte == b'\n')
        .find_map(|line| below_mount(line, own, "cgroup", Some(word)))?;
    let folder = mount.join(base.file_name()?);
    // It may be there since a runner that was killed.
    let _ = fs::create_dir(&folder);
    rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).ok()?;
    if word == CPU {
        // All scripts together are one among the single processes there; so they get a share for each
        // processor that they could use. Where the kernel takes no such number they have less.
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let _ = fs::write(folder.join("cpu.shares"), (1024 * processors).to_string());
    }
    for stale in crate::process::cgroup::folders_in(&folder) {
        let _ = fs::remove_dir(stale);
    }
    Some(folder)
}

/// Where this cgroup is, if this line of `mountinfo` mounts a hierarchy of this type that holds it and
/// counts this kind.
pub(super) fn below_mount(
    line: &[u8],
    own: &str,
    of_type: &str,
    word: Option<&str>,
) -> Option<PathBuf> {
    let mut words = line.split(|byte| *byte == b' ');
    let (root, point) = (words.nth(3)?, words.next()?);
    let mut after = words.skip_while(|word| *word != b"-").skip(1);
    let (found, options) = (after.next()?, after.nth(1)?);
    let counts = |word: &str| {
        options
            .split(|byte| *byte == b',')
            .any(|option| option == word.as_bytes())
    };
    if found != of_type.as_bytes() || !word.is_none_or(counts) {
        return None;
    }
    let below = Path::new(own).strip_prefix(OsStr::from_bytes(root)).ok()?;
    Some(Path::new(OsStr::from_bytes(point)).join(below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::process::Command;

    /// A controller that this machine has in its second hierarchy, and the root of that.
    fn at_hand() -> Option<(PathBuf, String)> {
        let mounts = fs::read("/proc/self/mountinfo").ok()?;
        let root = mounts
            .split(|byte| *byte == b'\n')
            .find_map(|line| below_mount(line, "/", "cgroup2", None))?;
        let is_mine = fs::metadata(&root).ok()?.uid() == rustix::process::geteuid().as_raw();
        let all = fs::read_to_string(root.join("cgroup.controllers")).ok()?;
        let word = all.split_whitespace().last()?.to_owned();
        (is_mine && enable(&root, &word).is_ok()).then_some((root, word))
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "somebody has to be in the cgroup"
    )]
    fn a_cgroup_hands_a_controller_down_when_it_is_ours_and_not_when_others_are_in_it() {
        let Some((root, word)) = at_hand() else {
            return println!(
                "skipped: no controller of the second hierarchy can be handed down here"
            );
        };
        let own = root.join(format!("stagedoor-test-{}", std::process::id()));
        let base = own.join("base");
        fs::create_dir_all(&base).expect("made");
        let mut other = Command::new("/bin/sleep")
            .arg("60")
            .spawn()
            .expect("a process");
        fs::write(own.join("cgroup.procs"), other.id().to_string()).expect("joined");
        assert!(
            !hand_down(&own, &base, &word, Others::Moved),
            "somebody else's"
        );
        assert_eq!(pids_in(&own).len(), 1, "who was left where it was");
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&own, "user.delegate", b"1", flags).expect("set");
        assert!(!hand_down(&own, &base, &word, Others::Left));
        assert_eq!(pids_in(&own).len(), 1, "somebody only looked");
        let handed = hand_down(&own, &base, &word, Others::Moved);
        let moved = pids_in(&own.join(MAIN)).len();
        let again = hand_down(&own, &base, &word, Others::Moved);
        let _ = other.kill();
        let _ = other.wait();
        let has = has_word(&base.join("cgroup.subtree_control"), &word);
        for folder in [&base, &own.join(MAIN), &own] {
            let _ = fs::remove_dir(folder);
        }
        assert!(handed && again && has, "{word}: {handed} {again} {has}");
        assert_eq!(moved, 1);
    }

    #[test]
    fn a_controller_that_is_not_there_is_not_handed_down() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!hand_down(
            folder.path(),
            &folder.path().join("base"),
            "memory",
            Others::Moved
        ));
    }
}
