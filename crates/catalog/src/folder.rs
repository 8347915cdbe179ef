//! `_folder.stagedoor.toml`: a folder's texts, defaults for its scripts, shared parameters.

use stagedoor_config::document::{Problems, Table};

use crate::keys;

/// Name of the file.
pub(crate) const FILE: &str = "_folder.stagedoor.toml";

/// What a folder says about itself and its scripts.
#[derive(Debug, Clone, Default)]
pub(crate) struct FolderKeys {
    pub title: Option<String>,
    pub icon: Option<String>,
    pub order: i64,
    /// `[defaults]`.
    pub defaults: Option<Table>,
    /// Shared `[[param]]`.
    pub params: Vec<Table>,
}

impl FolderKeys {
    /// Reads the file. A wrong value in `[defaults]` is told with the scripts that inherit it; here
    /// it is only checked that the keys may stand there.
    pub fn read(table: &Table, problems: &mut Problems) -> Self {
        keys::check_folder(table, problems);
        let defaults = table
            .get("defaults")
            .and_then(|node| node.table("[defaults]", problems));
        if let Some(defaults) = defaults {
            keys::check_defaults(defaults, problems);
        }
        let params = table.tables("param", problems);
        for param in &params {
            keys::check_param(param, problems);
        }
        Self {
            title: table.text("title", problems),
            icon: table.text("icon", problems),
            order: table
                .get("order")
                .and_then(|n| n.integer(i64::MIN, i64::MAX, problems))
                .unwrap_or(0),
            defaults: defaults.cloned(),
            params: params.into_iter().cloned().collect(),
        }
    }
}

/// A script's own keys over the defaults of its folders: the nearest folder wins, key by key, and
/// so do `access`, `sandbox` and `limits` by theirs: who names a port takes no level of the folder away. Who
/// names a level says all of `sandbox` anew, else it would not mean what it is known for.
pub(crate) fn with_defaults<'a>(
    own: Table,
    nearest_first: impl Iterator<Item = &'a FolderKeys>,
) -> Table {
    nearest_first
        .filter_map(|folder| folder.defaults.as_ref())
        .fold(own, |keys, defaults| {
            let merged = MERGED.map(|key| (key, merged(key, &keys, defaults)));
            let mut keys = keys.over(defaults);
            for (key, entry) in merged {
                if let Some(entry) = entry {
                    keys.insert(key, entry);
                }
            }
            keys
        })
}

/// Tables of which each key has its own nearest folder.
const MERGED: [&str; 3] = ["access", "sandbox", "limits"];

fn merged(key: &str, own: &Table, defaults: &Table) -> Option<stagedoor_config::document::Entry> {
    use stagedoor_config::document::Value;
    let (mut own, theirs) = (own.entry(key)?.clone(), defaults.get(key)?);
    let (Value::Table(mine), Value::Table(theirs)) = (&own.node.value, &theirs.value) else {
        return None;
    };
    if key == "sandbox" && mine.get("level").is_some() {
        return None;
    }
    own.node.value = Value::Table(mine.clone().over(theirs));
    Some(own)
}
