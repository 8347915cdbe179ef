//! Groups exist by being named: with accounts, in grants, in the `access` of scripts. Here is who
//! names them, and what names nobody.

use std::collections::{BTreeMap, BTreeSet};

use stagedoor_catalog::Snapshot;
use stagedoor_domain::access::{Gives, Grant, Grants, Origin, User, Who};
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_domain::pattern::ScriptPattern;
use stagedoor_store::{StoreError, UserRecord};

use crate::administer::Admin;
use crate::app::App;

impl App {
    /// [`known_groups`] of now.
    pub async fn groups(
        &self,
        by: Admin<'_>,
        scripts: &Snapshot,
    ) -> Result<BTreeMap<GroupName, KnownGroup>, StoreError> {
        let users = self.accounts(by).await?;
        Ok(known_groups(users, &self.grants(), scripts))
    }

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

/// A group: who is in it, and what names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownGroup {
    /// By name; of `everyone` nobody, because everybody is in it.
    pub members: Vec<UserName>,
    /// Grants, and `access` of scripts, in words.
    pub places: Vec<String>,
}

/// Every group that anything names.
pub fn known_groups(
    users: Vec<UserRecord>,
    grants: &Grants,
    scripts: &Snapshot,
) -> BTreeMap<GroupName, KnownGroup> {
    let mut groups: BTreeMap<GroupName, KnownGroup> = BTreeMap::new();
    for User {
        name, groups: of, ..
    } in users.into_iter().map(|record| record.user)
    {
        for group in of {
            groups.entry(group).or_default().members.push(name.clone());
        }
    }
    let stored = grants.0.iter().filter_map(|grant| match grant.origin {
        Origin::Stored(_) => Some((grant.group.clone(), grant.origin.to_string())),
        Origin::File(_) => None,
    });
    let files = mentions(grants, scripts).into_iter();
    for (group, place) in stored.chain(files.map(|mention| (mention.group, mention.place))) {
        groups.entry(group).or_default().places.push(place);
    }
    groups
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
    let said = |grant: &Grant| {
        let why = why_idle(grant, grants, Some(scripts), inhabited)?;
        Some(format!("{}: {why}", grant.origin))
    };
    grants.0.iter().filter_map(said).collect()
}

/// Why this one `among` all grants gives nobody anything, if it does not. Without `scripts` nobody
/// can tell whether there are such.
pub fn why_idle(
    grant: &Grant,
    among: &Grants,
    scripts: Option<&Snapshot>,
    inhabited: Option<&BTreeSet<GroupName>>,
) -> Option<String> {
    let has_members = |groups: &BTreeSet<GroupName>| {
        groups.contains(&grant.group) || grant.group.as_str() == GroupName::EVERYONE
    };
    if grant.group.as_str() == GroupName::ADMINS {
        return Some("members of `admins` may do everything already".to_owned());
    }
    if inhabited.is_some_and(|groups| !has_members(groups)) {
        return Some(format!("nobody is in the group `{}`", grant.group));
    }
    if let Some(pattern) = scripts.and_then(|scripts| fits_none(&grant.gives, scripts)) {
        return Some(format!("no script fits `{pattern}`"));
    }
    let other = covering(grant, among)?;
    Some(format!("{} gives all of it already: {other}", other.origin))
}

/// A pattern that means no script. `*` means what will come, too.
fn fits_none<'a>(gives: &'a Gives, scripts: &Snapshot) -> Option<&'a ScriptPattern> {
    let Gives::Scripts { scripts: of, .. } = gives else {
        return None;
    };
    of.iter().find(|pattern| {
        *pattern != &ScriptPattern::All
            && !scripts.scripts().any(|script| pattern.covers(&script.name))
    })
}

/// Another one that gives as much; of two that give the same, the first.
fn covering<'a>(grant: &Grant, among: &'a Grants) -> Option<&'a Grant> {
    let mut before = true;
    among.0.iter().find(|other| {
        if other.origin == grant.origin {
            before = false;
            return false;
        }
        other.covers(grant) && (before || !grant.covers(other))
    })
}
