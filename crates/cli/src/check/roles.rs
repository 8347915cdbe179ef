//! Which accounts of this machine scripts and server would have, and what is to be known of them before
//! a script runs as one.

use stagedoor_catalog::Snapshot;
use stagedoor_config::Settings;
use stagedoor_domain::sandbox::Permit;
use stagedoor_domain::script::Script;
use stagedoor_runner::Account;

use crate::accounts::Accounts;

/// Groups that give their members more than the files of a group.
const POWERFUL: [(&str, &str); 15] = [
    ("root", "has root's own group"),
    ("sudo", "may be let become root"),
    ("wheel", "may be let become root"),
    ("admin", "may be let become root"),
    ("docker", "can become root by starting a container"),
    ("lxd", "can become root by starting a container"),
    ("incus-admin", "can become root by starting a container"),
    ("libvirt", "can become root by starting a machine"),
    ("kvm", "can start machines"),
    (
        "disk",
        "can read and write every file, past all permissions",
    ),
    ("kmem", "can read the kernel's memory"),
    ("shadow", "can read the hashes of all passwords"),
    ("adm", "can read the machine's logs"),
    ("systemd-journal", "can read the machine's logs"),
    ("staff", "can change the programs in /usr/local"),
];

/// Who runs what, where `stagedoor serve` is started by the account that asks.
#[derive(Default)]
pub struct Roles {
    /// Every account that a script may run as, by its name, if that is not the one that starts the server;
    /// the usual one first.
    pub scripts: Vec<(String, Account)>,
    /// The server's own, likewise.
    pub server: Option<Account>,
}

impl Roles {
    /// As `serve` would have them. An error is why it would not start.
    pub fn of(settings: &Settings) -> anyhow::Result<Self> {
        let accounts = Accounts::choose(settings)?;
        let usual = accounts.scripts.map(|account| {
            let name = Account::name_of(account.uid).ok().flatten();
            (name.unwrap_or_else(|| account.uid.to_string()), account)
        });
        let others = accounts.others.into_iter();
        let others = others.filter_map(|other| Some((other.name, other.account?)));
        Ok(Self {
            scripts: usual.into_iter().chain(others).collect(),
            server: accounts.server,
        })
    }

    /// Whom this script runs as, by name, and what to become for that: nothing where the account that asks
    /// does everything. None where it cannot run at all.
    pub fn of_script(&self, script: &Script) -> Option<(String, Option<&Account>)> {
        if self.server.is_none() {
            let me = rustix::process::geteuid().as_raw();
            let name = Account::name_of(me).ok().flatten();
            let is_asked = script.run_as.is_some();
            return (!is_asked).then(|| (name.unwrap_or_else(|| me.to_string()), None));
        }
        // The usual one comes first.
        let (usual, others) = self.scripts.split_first()?;
        let found = match script.run_as.as_deref() {
            None => usual,
            Some(asked) => others.iter().find(|(name, _)| name == asked)?,
        };
        Some((found.0.clone(), Some(&found.1)))
    }

    /// Why scripts would not run as they say, and which accounts can do more than their author may think.
    pub fn warnings(&self, permits: &[Permit], scripts: &Snapshot) -> Vec<String> {
        let is_root = rustix::process::geteuid().is_root();
        let mut warnings = Vec::new();
        for script in scripts.scripts() {
            let Some(name) = script.run_as.as_deref() else {
                continue;
            };
            if !is_root {
                warnings.push(format!(
                    "`{}` is to run as `{name}`, which takes a server that was started as root: started by this account, it refuses every run of it",
                    script.name
                ));
            }
        }
        for name in Permit::accounts(permits) {
            if Account::named(name).is_ok_and(|found| found.is_none()) {
                warnings.push(format!(
                    "stagedoor.toml permits scripts to run as `{name}`, and this machine has no such account: their runs are refused; make it (useradd --system {name}), or take it out"
                ));
            }
        }
        for (name, account) in &self.scripts {
            warnings.extend(powers(name, account));
        }
        warnings
    }
}

fn powers(name: &str, account: &Account) -> Vec<String> {
    let is_member = |group: &str| {
        let gid = Account::group_named(group).ok().flatten();
        // An account's own group of that name is no power of its own.
        gid.is_some_and(|gid| {
            account.groups.contains(&gid) && !(group == name && gid == account.gid)
        })
    };
    let powers = POWERFUL.iter().filter(|(group, _)| is_member(group));
    powers
        .map(|(group, power)| {
            format!(
                "scripts run as `{name}`, which is in the group `{group}` and so {power}: take it out of the group (gpasswd -d {name} {group}) unless they need that"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member_of(group: &str) -> Account {
        let gid = Account::group_named(group).expect("a database");
        let gid = gid.expect("every Debian has it");
        Account {
            uid: 7501,
            gid: 7501,
            groups: vec![7501, gid],
        }
    }

    #[test]
    fn w43_membership_in_a_powerful_group_is_told_with_what_it_gives() {
        for (group, power) in [
            ("disk", "every file"),
            ("shadow", "hashes"),
            ("adm", "logs"),
        ] {
            let said = powers("deploy", &member_of(group));
            let [said] = &said[..] else {
                unreachable!("one warning, not {said:?}");
            };
            assert!(
                said.contains(power) && said.contains(&format!("gpasswd -d deploy {group}")),
                "{said}"
            );
        }
        assert!(powers("deploy", &member_of("users")).is_empty());
        let own = Account {
            gid: member_of("disk").groups.pop().expect("a group"),
            ..member_of("disk")
        };
        assert!(powers("disk", &own).is_empty());
        assert_eq!(powers("deploy", &own).len(), 1);
    }
}
