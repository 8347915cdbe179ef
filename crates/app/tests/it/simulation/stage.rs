//! What all seeds have in common: scripts, people, and settings with narrow limits.

use std::path::Path;
use std::sync::Arc;

use stagedoor_app::app::Options;
use stagedoor_app::password::Hasher;
use stagedoor_catalog::Catalog;
use stagedoor_domain::access::{Grants, User};
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_domain::queue::Capacity;
use stagedoor_domain::time::Timestamp;
use stagedoor_store::in_line::Disk;
use stagedoor_store::{NewUser, Store};
use tempfile::TempDir;

use super::clients::{IDEMPOTENT, SCRIPTS};
use super::gate::Open;
use crate::world::{FakeClock, Seeded};

/// Made once, because making it costs more than a seed.
pub struct Stage {
    pub catalog: Catalog,
    pub users: Arc<[User]>,
    /// To be copied.
    pub disk: Disk,
    pub hasher: Hasher,
    _folder: TempDir,
}

impl Stage {
    pub fn build() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in SCRIPTS {
            write_script(folder.path(), name);
        }
        let options = stagedoor_catalog::Options::new(Arc::new(FakeClock::new()));
        let catalog = Catalog::open_path(folder.path(), options).expect("a catalog");
        assert!(catalog.snapshot().broken().is_empty());
        let disk = Disk::blank().expect("a database");
        Self {
            catalog,
            users: users(&disk),
            disk,
            hasher: Hasher::new(&Seeded::new()),
            _folder: folder,
        }
    }
}

fn write_script(folder: &Path, name: &str) {
    let own = match name {
        _ if IDEMPOTENT.contains(&name) => "# idempotent = true\n",
        "timed" => "# timeout = \"2s\"\n",
        "narrow" => "# limits = { running = 1, queued = 2 }\n",
        _ => "",
    };
    let secret = match name {
        "trusted" => "# [[param]]\n# name = \"key\"\n# secret = true\n",
        _ => "",
    };
    let text = format!(
        "#!/bin/sh\n# /// stagedoor\n# access = {{ run = [\"everyone\"] }}\n# stop_grace = \"1s\"\n{own}\
         # [[param]]\n# name = \"word\"\n{secret}# ///\n"
    );
    let path = folder.join(format!("{name}.sh"));
    std::fs::write(&path, text).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("made executable");
}

pub fn options() -> Options {
    Options {
        capacity: Capacity {
            running: 3,
            starting: 2,
            queued: 4,
            queued_per_user: 3,
        },
        output_cap: 64 << 20,
        session: stagedoor_config::Session::default(),
        sign_in: stagedoor_app::throttle::Limits::default(),
        external: None,
        keep_audit_log: None,
        grants: Arc::new(Grants::default()),
        environment: stagedoor_config::Environment::default(),
    }
}

/// People who are known to the store.
fn users(disk: &Disk) -> Arc<[User]> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let (store, serving) = Store::in_line(disk, Arc::new(Open));
    let added = async {
        tokio::spawn(serving);
        let mut users = Vec::new();
        for (name, groups) in [("root", vec!["admins"]), ("ann", vec![]), ("bob", vec![])] {
            let groups = groups
                .into_iter()
                .map(|group| GroupName::parse(group).expect("a name"))
                .collect();
            let new = NewUser {
                name: UserName::parse(name).expect("a name"),
                password_hash: "none".to_owned(),
                groups,
            };
            let id = store
                .add_user(new.clone(), Timestamp::from_millis(0))
                .await
                .expect("added");
            users.push(User::new(id, new.name, new.groups));
        }
        users
    };
    runtime.block_on(added).into()
}
