//! `PATH` of scripts: fixed, and for nobody to change who runs as one of them (W4).

use std::path::Path;

use rustix::fs::Stat;

use super::accounts::Accounts;
use super::log;
use crate::account::Account;

/// Where programs are looked for, unless a definition says otherwise.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Tells of folders in it that others could put a program into. Scripts are started all the same: it is
/// the machine's own matter, and most of them use no program from there.
pub(super) fn warn(accounts: &Accounts) {
    for folder in PATH.split(':').map(Path::new) {
        // One that is not there, or that is another one's second name, harms nobody.
        let stat = rustix::fs::stat(folder).ok();
        if let Some(fault) = stat.and_then(|stat| fault(folder, &stat, accounts.strangers())) {
            log::warn(format_args!("{fault}"));
        }
    }
}

fn fault<'a>(
    folder: &Path,
    stat: &Stat,
    mut strangers: impl Iterator<Item = (&'a str, &'a Account)>,
) -> Option<String> {
    let shown = folder.display();
    if stat.st_mode & 0o002 != 0 {
        return Some(format!(
            "every account of this machine may put programs into {shown}, where scripts look for theirs: run chmod o-w {shown}"
        ));
    }
    let (name, account) = strangers.find(|(_, account)| account.can_change(stat))?;
    let mend = if stat.st_uid == account.uid {
        "chown root"
    } else {
        "chmod g-w"
    };
    Some(format!(
        "`{name}` (uid {}), as which scripts run, may put programs into {shown}, where scripts look for theirs: run {mend} {shown}",
        account.uid
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w4_a_folder_that_scripts_or_all_may_write_is_told_with_the_mend() {
        let backup = Account {
            groups: vec![34, 50],
            ..Account::alone(34)
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut stat = rustix::fs::stat(folder.path()).expect("there");
        let mut said = |mode: u32, uid, gid| {
            (stat.st_mode, stat.st_uid, stat.st_gid) = (0o040_000 | mode, uid, gid);
            fault(Path::new("/bin"), &stat, [("backup", &backup)].into_iter())
        };
        for (mode, uid, gid, mend) in [
            (0o757, 0, 0, "chmod o-w /bin"),
            (0o1777, 0, 0, "chmod o-w /bin"),
            (0o755, 34, 0, "chown root /bin"),
            (0o2775, 0, 50, "chmod g-w /bin"),
        ] {
            let said = said(mode, uid, gid).expect("a fault");
            assert!(said.ends_with(mend), "{said}");
        }
        for (mode, uid, gid) in [
            (0o755, 0, 0),
            (0o2775, 0, 51),
            (0o755, 0, 50),
            (0o755, 1000, 0),
        ] {
            assert_eq!(said(mode, uid, gid), None, "{mode:o} {uid} {gid}");
        }
    }
}
