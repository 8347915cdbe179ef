//! Who may do what. Permission is a value that only the checks here can make.
//!
//! Grants and a script's `access` add up; nothing subtracts. Deny by default.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::UserId;
use crate::name::{GroupName, ScriptName, UserName};
use crate::script::Script;

/// Who acts: a signed-in person, or the owner of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id in the store.
    pub id: UserId,
    /// The name to sign in with.
    pub name: UserName,
    /// The groups, without the built-in `everyone`.
    pub groups: BTreeSet<GroupName>,
}

impl User {
    /// A member of `admins` may do everything.
    pub fn is_admin(&self) -> bool {
        self.groups.iter().any(|g| g.as_str() == GroupName::ADMINS)
    }

    fn is_in(&self, group: &GroupName) -> bool {
        group.as_str() == GroupName::EVERYONE || self.groups.contains(group)
    }
}

/// What can be done with a script and its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// See that it exists.
    View,
    /// Start it; includes `view`.
    Run,
    /// Stop other people's runs.
    Stop,
    /// See other people's output.
    Output,
    /// Run it by schedule; includes `run`.
    Schedule,
}

impl Verb {
    /// Every verb with its word.
    pub const ALL: [(&'static str, Verb); 5] = [
        ("view", Verb::View),
        ("run", Verb::Run),
        ("stop", Verb::Stop),
        ("output", Verb::Output),
        ("schedule", Verb::Schedule),
    ];

    /// The verbs that include this one, itself among them.
    fn given_by(self) -> &'static [Verb] {
        match self {
            Verb::View => &[Verb::View, Verb::Run, Verb::Schedule],
            Verb::Run => &[Verb::Run, Verb::Schedule],
            Verb::Stop => &[Verb::Stop],
            Verb::Output => &[Verb::Output],
            Verb::Schedule => &[Verb::Schedule],
        }
    }
}

/// Someone named in `access`: a group, or `user:ann`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Every member.
    Group(GroupName),
    /// One user.
    User(UserName),
}

impl Who {
    fn is(&self, user: &User) -> bool {
        match self {
            Who::Group(group) => user.is_in(group),
            Who::User(name) => user.name == *name,
        }
    }
}

/// A script's own `access`, the folder's already merged in, verb by verb.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Verb and who.
    pub rules: Vec<(Verb, Vec<Who>)>,
}

/// A `[[grant]]` of stagedoor.toml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub group: GroupName,
    /// Exact names, `folder/*` (everything below), or `*`.
    pub scripts: Vec<String>,
    /// What.
    pub may: Vec<Verb>,
}

impl Grant {
    fn covers(&self, name: &ScriptName) -> bool {
        self.scripts
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => name.as_str().starts_with(prefix),
                None => name.as_str() == pattern,
            })
    }
}

/// All grants that apply beside the scripts' own `access`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(pub Vec<Grant>);

/// Not permitted. What one may not view does not exist, so this looks like an unknown name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not permitted")]
pub struct Denied;

/// Proof that the user may see the script.
#[derive(Debug, Clone, Copy)]
pub struct MayView<'a> {
    user: &'a User,
    script: &'a Script,
}

/// Proof that the user may run the script.
#[derive(Debug, Clone, Copy)]
pub struct MayRun<'a> {
    user: &'a User,
    script: &'a Arc<Script>,
}

/// Proof that the user may stop the run.
#[derive(Debug, Clone, Copy)]
pub struct MayStop<'a> {
    user: &'a User,
}

/// Proof that the user may see the run and its output.
#[derive(Debug, Clone, Copy)]
pub struct MayRead<'a> {
    user: &'a User,
}

/// Proof that the user administers this server.
#[derive(Debug, Clone, Copy)]
pub struct MayAdmin<'a> {
    user: &'a User,
}

macro_rules! accessors {
    ($($proof:ident),*) => { $(impl<'a> $proof<'a> {
        /// Who was permitted.
        pub fn user(&self) -> &'a User { self.user }
    })* };
}
accessors!(MayView, MayRun, MayStop, MayRead, MayAdmin);

impl<'a> MayView<'a> {
    /// What may be seen.
    pub fn script(&self) -> &'a Script {
        self.script
    }
}

impl<'a> MayRun<'a> {
    /// What may be run; shared, because a run keeps it.
    pub fn script(&self) -> &'a Arc<Script> {
        self.script
    }
}

fn allowed(
    user: &User,
    name: &ScriptName,
    access: Option<&Access>,
    grants: &Grants,
    verb: Verb,
) -> bool {
    let given_by = verb.given_by();
    user.is_admin()
        || access.is_some_and(|access| {
            access
                .rules
                .iter()
                .any(|(v, who)| given_by.contains(v) && who.iter().any(|w| w.is(user)))
        })
        || grants.0.iter().any(|grant| {
            user.is_in(&grant.group)
                && grant.covers(name)
                && grant.may.iter().any(|v| given_by.contains(v))
        })
}

/// May this user see that the script exists?
pub fn may_view<'a>(
    user: &'a User,
    script: &'a Script,
    grants: &Grants,
) -> Result<MayView<'a>, Denied> {
    allowed(user, &script.name, Some(&script.access), grants, Verb::View)
        .then_some(MayView { user, script })
        .ok_or(Denied)
}

/// May this user start the script?
pub fn may_run<'a>(
    user: &'a User,
    script: &'a Arc<Script>,
    grants: &Grants,
) -> Result<MayRun<'a>, Denied> {
    allowed(user, &script.name, Some(&script.access), grants, Verb::Run)
        .then_some(MayRun { user, script })
        .ok_or(Denied)
}

/// The facts about a run that decide who may read and stop it. The script may be gone meanwhile:
/// then only grants, its starter and admins count.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// Who started it.
    pub started_by: UserId,
    /// Of which script.
    pub script_name: &'a ScriptName,
    /// The script's `access` as it is now, if it still exists.
    pub access: Option<&'a Access>,
}

/// May this user see the run and its output? Who started a run always may.
pub fn may_read<'a>(
    user: &'a User,
    run: RunFacts<'_>,
    grants: &Grants,
) -> Result<MayRead<'a>, Denied> {
    (user.id == run.started_by || allowed(user, run.script_name, run.access, grants, Verb::Output))
        .then_some(MayRead { user })
        .ok_or(Denied)
}

/// May this user stop the run? Who started a run always may.
pub fn may_stop<'a>(
    user: &'a User,
    run: RunFacts<'_>,
    grants: &Grants,
) -> Result<MayStop<'a>, Denied> {
    (user.id == run.started_by || allowed(user, run.script_name, run.access, grants, Verb::Stop))
        .then_some(MayStop { user })
        .ok_or(Denied)
}

/// May this user administer the server?
pub fn may_admin(user: &User) -> Result<MayAdmin<'_>, Denied> {
    user.is_admin().then_some(MayAdmin { user }).ok_or(Denied)
}
