//! Looking with the rights of another account: root reads everything, but the server that root starts
//! reads the folder as another account, and scripts run as a third.

use anyhow::Context as _;
use rustix::fs::{Gid, Uid};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
use stagedoor_runner::Account;

/// What this finds when it looks as the account; none is the account that asks. The rights are those of a
/// thread of its own, which ends with it.
pub fn looking_as<T: Send>(
    account: Option<&Account>,
    look: impl FnOnce() -> T + Send,
) -> anyhow::Result<T> {
    let Some(account) = account else {
        return Ok(look());
    };
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            put_on(account)?;
            Ok(look())
        });
        let seen: std::io::Result<T> = looking
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        seen.with_context(|| format!("could not look as the account {}", account.uid))
    })
}

/// Of this thread alone. The user last: the others need the rights that are gone with it.
fn put_on(account: &Account) -> std::io::Result<()> {
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    set_thread_groups(&groups)?;
    set_thread_gid(Gid::from_raw(account.gid))?;
    set_thread_uid(Uid::from_raw(account.uid))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_closed_to_the_account_is_closed_to_its_look_and_to_no_other() {
        if !rustix::process::geteuid().is_root() {
            return println!("skipped: only root can look as another account");
        }
        let dir = tempfile::tempdir().expect("a folder");
        let closed = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(dir.path(), closed).expect("chmod");
        let inside = dir.path().join("inside");
        std::fs::write(&inside, "").expect("written");
        let look = || std::fs::metadata(&inside).is_ok();
        let other = Account {
            uid: 65534,
            gid: 65534,
            groups: vec![65534],
        };
        assert!(looking_as(None, look).expect("looked"));
        assert!(!looking_as(Some(&other), look).expect("looked"));
        assert!(look(), "this thread is still root's");
    }
}
