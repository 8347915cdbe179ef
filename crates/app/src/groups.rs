//! Groups exist by being named: with accounts, in grants, in the `access` of scripts. Here is who
//! names them, and what names nobody.

use std::collections::BTreeSet;

use stagedoor_catalog::Snapshot;
use stagedoor_domain::access::{Gives, Grant, Grants, Origin, Who};
use stagedoor_domain::name::GroupName;
use stagedoor_domain::pattern::ScriptPattern;

use crate::app::App;

impl App {
    /// [`idle_grants`] of now; without the members where the store does not answer.
    pub async fn idle_grants(&self, scripts: &Snapshot) -> Vec<String> {
        let users = self.inner.store.list_users().await.ok();
        // On the first day nobody is in any group, and nobody needs to be told.
        let users = users.filter(|users| !users.is_empty());
        let inhabited = users.map(|users| {
            let groups = users.into_iter().flat_map(|record| record.user.groups);
            groups.collect()
        });
        idle_grants(&self.grants(), scripts, inhabited.as_ref())
    }
}

/// Where a group is named in a file: a rename does not reach there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    /// The group.
    pub group: GroupName,
    /// File and line, in words.
    pub place: String,
}

/// Every group that stagedoor.toml and scripts name, with the place.
pub fn mentions(grants: &Grants, scripts: &Snapshot) -> BTreeSet<Mention> {
    let in_file = grants.0.iter().filter_map(|grant| match &grant.origin {
        Origin::File(_) => Some(Mention {
            group: grant.group.clone(),
            place: grant.origin.to_string(),
        }),
        Origin::Stored(_) => None,
    });
    let rules = scripts.scripts().flat_map(|script| &script.access.rules);
    let in_scripts = rules.flat_map(|rule| {
        let place = &rule.place;
        let groups = rule.who.iter().filter_map(|who| match who {
            Who::Group(group) => Some(group.clone()),
            Who::User(_) => None,
        });
        groups.map(|group| Mention {
            group,
            place: format!("`access` in {}, line {}", place.file, place.line),
        })
    });
    in_file.chain(in_scripts).collect()
}

/// Grants that give nobody anything, with the reason: a slip of the pen, mostly. `inhabited` are
/// the groups with members; none when nobody can tell.
pub fn idle_grants(
    grants: &Grants,
    scripts: &Snapshot,
    inhabited: Option<&BTreeSet<GroupName>>,
) -> Vec<String> {
    let why = |grant: &Grant| {
        let has_members = |groups: &BTreeSet<GroupName>| {
            groups.contains(&grant.group) || grant.group.as_str() == GroupName::EVERYONE
        };
        if inhabited.is_some_and(|groups| !has_members(groups)) {
            return Some(format!("nobody is in the group `{}`", grant.group));
        }
        let Gives::Scripts { scripts: of, .. } = &grant.gives else {
            return None;
        };
        // `*` means what will come, too.
        let names_none = |pattern: &&ScriptPattern| {
            *pattern != &ScriptPattern::All
                && !scripts.scripts().any(|script| pattern.covers(&script.name))
        };
        let pattern = of.iter().find(names_none)?;
        Some(format!("no script fits `{pattern}`"))
    };
    let said = |grant: &Grant| Some(format!("{}: {}", grant.origin, why(grant)?));
    grants.0.iter().filter_map(said).collect()
}
