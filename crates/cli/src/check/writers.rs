//! Who can change a place beside root and its owner, and how that is mended.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{FileType, Stat};
use stagedoor_catalog::harmless_text;
use stagedoor_domain::acl;
use stagedoor_runner::Account;

use super::places::Kind;
use super::roles::Roles;

const STICKY: u32 = 0o1000;
const GROUP_MAY_WRITE: u32 = 0o020;
const OTHERS_MAY_WRITE: u32 = 0o002;
/// The longest value that the kernel gives an extended attribute.
const LONGEST: usize = 64 << 10;

/// Whom one place is judged by.
pub struct Judge<'a> {
    pub roles: &'a Roles,
    /// Who owns the folder that is served. He and root may own what is above scripts.
    pub owner: u32,
}

impl Judge<'_> {
    /// What is wrong with this place, with the command that mends it.
    pub fn faults(&self, path: &Path, kind: Kind) -> Vec<String> {
        match rustix::fs::stat(path) {
            Ok(stat) => self.judge(path, kind, &stat, list_of(path).as_deref()),
            // What cannot be seen is told by who wants to use it.
            Err(_) => Vec::new(),
        }
    }

    fn judge(&self, path: &Path, kind: Kind, stat: &Stat, list: Option<&[u8]>) -> Vec<String> {
        let shown = shown(path);
        let writer = list.and_then(|list| acl::writer(list, stat.st_uid));
        let by_bits = by_bits(stat, kind, writer.is_some(), &shown);
        let by_list = writer.map(|writer| {
            format!("an access control list lets {writer} change {shown}: run `setfacl -b {shown}`")
        });
        let by_account = self.by_account(stat, &shown, by_bits.is_some());
        let by_owner = (kind == Kind::Own && is_folder(stat))
            .then(|| self.by_owner(stat, &shown))
            .flatten();
        let owner = by_account.or(by_owner);
        by_bits.into_iter().chain(by_list).chain(owner).collect()
    }

    /// An account that scripts, or the server, run as: none of them is to change what the others run.
    fn by_account(&self, stat: &Stat, shown: &str, knows_bits: bool) -> Option<String> {
        let can = |account: &Account| {
            stat.st_uid == account.uid || (!knows_bits && account.can_change(stat))
        };
        let scripts = self.roles.scripts.iter();
        let script = scripts.clone().find(|(_, account)| can(account));
        let server = self.roles.server.as_ref().filter(|account| can(account));
        let (who, uid) = match (script, server) {
            (Some((name, account)), _) => (
                format!("`{name}` (uid {}), as which scripts run,", account.uid),
                account.uid,
            ),
            (None, Some(account)) => (
                format!("uid {}, as which the server runs,", account.uid),
                account.uid,
            ),
            (None, None) => return None,
        };
        let mend = if stat.st_uid == uid {
            "chown root"
        } else {
            "chmod g-w"
        };
        Some(format!("{who} can change {shown}: run `{mend} {shown}`"))
    }

    fn by_owner(&self, stat: &Stat, shown: &str) -> Option<String> {
        let uid = stat.st_uid;
        (uid != 0 && uid != self.owner).then(|| {
            format!(
                "uid {uid}, who owns {shown}, can replace what is in it: run `chown root {shown}`"
            )
        })
    }
}

/// The bits of the group are a list's mask where there is one, and for the machine's own places the
/// machine's own matter.
fn by_bits(stat: &Stat, kind: Kind, has_list: bool, shown: &str) -> Option<String> {
    let all = stat.st_mode & OTHERS_MAY_WRITE != 0;
    let group = stat.st_mode & GROUP_MAY_WRITE != 0 && kind == Kind::Own && !has_list;
    let (who, bits) = match (all, group) {
        (true, _) if is_folder(stat) && stat.st_mode & STICKY != 0 => {
            return Some(format!(
                "every account of this machine may put files into {shown}, below which scripts or their programs lie: move them to a folder that only root can write, such as /srv/scripts"
            ));
        }
        (true, true) => ("every account of this machine".to_owned(), "go-w"),
        (true, false) => ("every account of this machine".to_owned(), "o-w"),
        (false, true) => (format!("everybody in the group {}", stat.st_gid), "g-w"),
        (false, false) => return None,
    };
    Some(format!(
        "{who} may change {shown}: run `chmod {bits} {shown}`"
    ))
}

fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn list_of(path: &Path) -> Option<Vec<u8>> {
    rustix::fs::getxattr_query(path, acl::ATTRIBUTE).ok()?;
    let mut value = vec![0; LONGEST];
    let length = rustix::fs::getxattr(path, acl::ATTRIBUTE, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

/// As a shell reads it, and as a terminal shows it.
fn shown(path: &Path) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+:@%".contains(byte);
    let text = harmless_text(&path.to_string_lossy());
    if path.as_os_str().as_bytes().iter().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    /// A place of this mode that this owner has; `list` is its access control list.
    fn faults(mode: u32, uid: u32, gid: u32, kind: Kind, list: Option<&[u8]>) -> Vec<String> {
        let roles = Roles {
            scripts: vec![("backup".into(), account(34, &[34, 50]))],
            server: Some(account(7373, &[7373])),
        };
        let judge = Judge {
            roles: &roles,
            owner: 1000,
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut stat = rustix::fs::stat(folder.path()).expect("there");
        (stat.st_mode, stat.st_uid, stat.st_gid) = (mode, uid, gid);
        judge.judge(Path::new("/srv/x"), kind, &stat, list)
    }

    fn account(uid: u32, groups: &[u32]) -> Account {
        Account {
            uid,
            gid: uid,
            groups: groups.to_vec(),
        }
    }

    const FILE: u32 = 0o100_000;
    const FOLDER: u32 = 0o040_000;

    #[test]
    fn w32_what_the_group_or_all_may_write_is_told_with_the_command() {
        for (mode, command) in [
            (FILE | 0o646, "`chmod o-w /srv/x`"),
            (FILE | 0o664, "`chmod g-w /srv/x`"),
            (FOLDER | 0o757, "`chmod o-w /srv/x`"),
            (FOLDER | 0o775, "`chmod g-w /srv/x`"),
            (FOLDER | 0o1777, "move them"),
        ] {
            let said = faults(mode, 0, 0, Kind::Own, None).join("\n");
            assert!(said.contains(command), "{mode:o}: {said}");
        }
        let both = faults(FILE | 0o666, 0, 0, Kind::Own, None);
        assert_eq!(both.len(), 1, "{both:?}");
        assert!(both.concat().contains("`chmod go-w /srv/x`"), "{both:?}");
        for mode in [0o400, 0o500, 0o100, 0o755, 0o644, 0o440] {
            assert!(
                faults(FILE | mode, 0, 0, Kind::Own, None).is_empty(),
                "{mode:o}"
            );
        }
        // Who wrote a script owns it.
        assert!(faults(FILE | 0o755, 1001, 0, Kind::Own, None).is_empty());
    }

    #[test]
    fn w35_a_folder_belongs_to_root_or_to_whom_the_scripts_are() {
        for (uid, is_fine) in [
            (0, true),
            (1000, true),
            (1001, false),
            (34, false),
            (7373, false),
        ] {
            let said = faults(FOLDER | 0o755, uid, 0, Kind::Own, None);
            assert_eq!(said.is_empty(), is_fine, "{uid}: {said:?}");
            assert!(
                is_fine || said.concat().contains("`chown root /srv/x`"),
                "{said:?}"
            );
        }
    }

    #[test]
    fn w4_no_script_changes_a_program_and_a_group_of_the_machine_may() {
        // Debian's own group for /usr/local, and a member of it.
        assert!(faults(FOLDER | 0o2775, 0, 51, Kind::Machine, None).is_empty());
        let said = faults(FOLDER | 0o2775, 0, 50, Kind::Machine, None).join("\n");
        assert!(
            said.contains("`backup` (uid 34)") && said.contains("chmod g-w"),
            "{said}"
        );
        let said = faults(FILE | 0o755, 34, 0, Kind::Machine, None).join("\n");
        assert!(said.contains("`chown root /srv/x`"), "{said}");
        let said = faults(FILE | 0o757, 0, 0, Kind::Machine, None);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(faults(FILE | 0o755, 1001, 1001, Kind::Machine, None).is_empty());
    }

    #[test]
    fn w31_a_list_that_names_somebody_is_told_instead_of_the_group() {
        let list = |number: u8| {
            let (user, mask) = (
                [2, 0, 6, 0, number, 0, 0, 0],
                [16, 0, 7, 0, 255, 255, 255, 255],
            );
            [&[2, 0, 0, 0][..], &user, &mask].concat()
        };
        let said = faults(FILE | 0o775, 0, 0, Kind::Own, Some(&list(99)));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said.concat().contains("uid 99") && said.concat().contains("setfacl -b"),
            "{said:?}"
        );
        let said = faults(FILE | 0o755, 0, 0, Kind::Own, Some(&list(0)));
        assert!(said.is_empty(), "{said:?}");
    }

    #[test]
    fn what_is_there_is_looked_at_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a b.sh");
        std::fs::write(&path, "x").expect("written");
        let judge = Judge {
            roles: &Roles::default(),
            owner: 0,
        };
        set_permissions(&path, Permissions::from_mode(0o757)).expect("set");
        let said = judge.faults(&path, Kind::Own).join("\n");
        assert!(
            said.contains("chmod o-w '/") && said.contains("a b.sh'"),
            "{said}"
        );
        set_permissions(&path, Permissions::from_mode(0o755)).expect("set");
        assert!(judge.faults(&path, Kind::Own).is_empty());
        assert!(
            judge
                .faults(&folder.path().join("gone"), Kind::Own)
                .is_empty()
        );
    }
}
