//! Files that others could change, or that would run with rights of their own (W31, W32).

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use rustix::fs::{XattrFlags, removexattr, setxattr};
use rustix::io::Errno;

use crate::folder::{ScriptFolder, shell};

const LIST: &str = "system.posix_acl_access";
const CAPABILITY: &str = "security.capability";

/// `cap_net_bind_service=ep`, as `setcap` writes it.
const BIND_SERVICE: &[u8] = &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A list that lets uid 7777 do this, beside what the mode 0755 says.
fn list(permissions: u8) -> Vec<u8> {
    let entry = |tag: u8, permissions: u8, number: u32| {
        let mut bytes = vec![tag, 0, permissions, 0];
        bytes.extend(number.to_le_bytes());
        bytes
    };
    let nobody = u32::MAX;
    let entries = [
        vec![2, 0, 0, 0],
        entry(1, 7, nobody),
        entry(2, permissions, 7777),
        entry(4, 5, nobody),
        entry(16, permissions | 5, nobody),
        entry(32, 5, nobody),
    ];
    entries.concat()
}

/// False, with the reason printed, where this cannot be set here.
fn set(folder: &ScriptFolder, file: &str, name: &str, value: &[u8]) -> bool {
    let done = setxattr(folder.path(file), name, value, XattrFlags::empty());
    if let Err(errno @ (Errno::OPNOTSUPP | Errno::PERM)) = done {
        println!("skipped: {name} cannot be set here: {errno}");
        return false;
    }
    done.expect("set");
    true
}

/// The only mistake, in one text.
fn mistake(folder: &ScriptFolder) -> String {
    let problems = folder.check().problems;
    let [only] = &problems[..] else {
        unreachable!("one mistake, not {problems:?}");
    };
    only.to_string()
}

#[test]
fn w31_a_script_with_capabilities_is_a_mistake() {
    let folder = ScriptFolder::with(&[("ops/a.sh", &shell(""))]);
    assert_eq!(folder.names(), ["ops/a"]);
    if !set(&folder, "ops/a.sh", CAPABILITY, BIND_SERVICE) {
        return;
    }
    let said = mistake(&folder);
    assert!(
        said.contains("has capabilities") && said.contains("`setcap -r ops/a.sh`"),
        "{said}"
    );
    removexattr(folder.path("ops/a.sh"), CAPABILITY).expect("removed");
    assert_eq!(folder.names(), ["ops/a"]);
}

#[test]
fn w31_a_file_that_a_list_lets_somebody_change_is_a_mistake_be_it_script_or_definition() {
    let files = [
        ("a.sh", shell("")),
        ("b.stagedoor.toml", "command = ['ls']\n".to_owned()),
        ("_folder.stagedoor.toml", "title = 'T'\n".to_owned()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let folder = ScriptFolder::with(&files);
    let all = folder.names();
    assert_eq!(all.len(), 2);
    for (file, _) in files {
        if !set(&folder, file, LIST, &list(7)) {
            return;
        }
        let said = mistake(&folder);
        assert!(
            said.contains("uid 7777") && said.contains(&format!("`setfacl -b {file}`")),
            "{said}"
        );
        assert!(folder.names().len() < 2, "{file}");
        // To read is no harm.
        assert!(set(&folder, file, LIST, &list(5)));
        assert_eq!(folder.names(), all);
    }
}

#[test]
fn w32_a_definition_that_every_account_may_change_is_not_followed() {
    let folder = ScriptFolder::with(&[
        (
            "several.stagedoor.toml",
            "[[script]]\nname = 'x'\ncommand = ['ls']\n[[script]]\nname = 'y'\ncommand = ['ls']\n",
        ),
        ("_folder.stagedoor.toml", "title = 'T'\n"),
    ]);
    let all = folder.names();
    assert_eq!(all.len(), 2);
    for file in ["several.stagedoor.toml", "_folder.stagedoor.toml"] {
        let mode =
            |mode| set_permissions(folder.path(file), Permissions::from_mode(mode)).expect("set");
        mode(0o646);
        let said = mistake(&folder);
        assert!(
            said.contains("never followed") && said.contains(&format!("`chmod o-w {file}`")),
            "{said}"
        );
        assert!(folder.names().is_empty(), "{file}");
        // The group is the operator's own matter; the check of the installation tells of it.
        mode(0o664);
        assert_eq!(folder.names(), all, "{file}");
    }
}
