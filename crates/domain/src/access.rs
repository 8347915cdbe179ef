//! Who may do what. Permission is a value that only the checks here can make.
//!
//! Grants and a script's `access` add up; nothing subtracts but the scope of a token. Deny by
//! default.

mod grant;
mod rule;
mod scope;
#[cfg(test)]
mod tests;
mod verb;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::id::UserId;
use crate::name::{GroupName, ScriptName, UserName};
use crate::pattern::ScriptPattern;
use crate::script::Script;

pub use grant::{Access, AccessRule, Gives, Grant, Grants, Origin, Place};
pub use rule::{Action, Rule, Wish, deciding_rule};
pub use scope::Scope;
pub use verb::{Actions, BadAction, Verb, Verbs};

/// Who acts: a signed-in person, or a token of theirs, which may less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id in the store.
    pub id: UserId,
    /// The name to sign in with.
    pub name: UserName,
    /// The groups, without the built-in `everyone`.
    pub groups: BTreeSet<GroupName>,
    /// Private, so that whoever has a user of a token cannot take the scope off.
    scope: Option<Arc<Scope>>,
    /// Somebody else than this server says which groups they are in.
    is_named_outside: bool,
}

impl User {
    /// A person, who may all that the rules give.
    pub fn new(id: UserId, name: UserName, groups: BTreeSet<GroupName>) -> Self {
        Self {
            id,
            name,
            groups,
            scope: None,
            is_named_outside: false,
        }
    }

    /// The same user, where somebody else than this server says which groups they are in. By that
    /// nobody administers: neither `admins` nor a grant of `admin` counts for them.
    #[must_use]
    pub fn named_outside(self) -> Self {
        Self {
            is_named_outside: true,
            ..self
        }
    }

    /// The same user, where the operator says that whoever names their groups may name administrators.
    #[must_use]
    pub fn trusted(self) -> Self {
        Self {
            is_named_outside: false,
            ..self
        }
    }

    /// Do their groups make them no administrator, whatever those are?
    pub fn is_named_outside(&self) -> bool {
        self.is_named_outside
    }

    /// The same user as one of their tokens acts.
    #[must_use]
    pub fn within(self, scope: Scope) -> Self {
        Self {
            scope: Some(Arc::new(scope)),
            ..self
        }
    }

    /// What a token may at most; none for a person.
    pub fn scope(&self) -> Option<&Scope> {
        self.scope.as_deref()
    }

    /// A member of `admins`: as a person they may do everything, and their tokens what their
    /// scopes say. Whether somebody may administer says [`may_admin`].
    pub fn is_in_admins(&self) -> bool {
        !self.is_named_outside && self.groups.iter().any(|g| g.as_str() == GroupName::ADMINS)
    }

    /// Are they in this group? Everybody is in `everyone`.
    pub fn is_in(&self, group: &GroupName) -> bool {
        group.as_str() == GroupName::EVERYONE || self.groups.contains(group)
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

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Group(group) => group.fmt(f),
            Who::User(name) => write!(f, "user:{name}"),
        }
    }
}

/// Not permitted. What one may not view does not exist, so this looks like an unknown name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not permitted")]
pub struct Denied;

/// Proof that the user may see the script.
#[derive(Debug, Clone, Copy)]
pub struct MayView<'a> {
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
pub struct MayRead(());

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
accessors!(MayRun, MayStop, MayAdmin);

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

fn may(user: &User, wish: Wish<'_>, grants: &Grants) -> Result<(), Denied> {
    match deciding_rule(user, wish, grants) {
        Some(_) => Ok(()),
        None => Err(Denied),
    }
}

fn of_script(verb: Verb, script: &Script) -> Wish<'_> {
    Wish::Script {
        verb,
        name: &script.name,
        access: Some(&script.access),
    }
}

/// May this user see that the script exists?
pub fn may_view<'a>(
    user: &User,
    script: &'a Script,
    grants: &Grants,
) -> Result<MayView<'a>, Denied> {
    may(user, of_script(Verb::View, script), grants).map(|()| MayView { script })
}

/// May this user start the script?
pub fn may_run<'a>(
    user: &'a User,
    script: &'a Arc<Script>,
    grants: &Grants,
) -> Result<MayRun<'a>, Denied> {
    may(user, of_script(Verb::Run, script), grants).map(|()| MayRun { user, script })
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
pub fn may_read(user: &User, run: RunFacts<'_>, grants: &Grants) -> Result<MayRead, Denied> {
    let verb = Verb::Output;
    may(user, Wish::Run { verb, run }, grants).map(|()| MayRead(()))
}

/// May this user stop the run? Who started a run always may.
pub fn may_stop<'a>(
    user: &'a User,
    run: RunFacts<'_>,
    grants: &Grants,
) -> Result<MayStop<'a>, Denied> {
    let verb = Verb::Stop;
    may(user, Wish::Run { verb, run }, grants).map(|()| MayStop { user })
}

/// May this user see every run, also those of scripts that are gone?
pub fn may_read_all(user: &User, grants: &Grants) -> bool {
    let verb = Verb::Output;
    let gives = |grant: &Grant| match &grant.gives {
        Gives::Scripts { scripts, may } => {
            may.meets(verb.given_by()) && scripts.contains(&ScriptPattern::All)
        }
        Gives::Admin => false,
    };
    let is_within = user.scope().is_none_or(|scope| scope.allows_all(verb));
    is_within && (user.is_in_admins() || grants.of(user).any(gives))
}

/// May this user see all runs that they started themselves, also those of scripts that are gone?
pub fn may_read_all_own(user: &User) -> bool {
    let all = |scope: &Scope| scope.allows_all(Verb::Output) || scope.allows_all(Verb::Run);
    user.scope().is_none_or(all)
}

/// Of which scripts may this user see the runs that they started themselves?
pub fn may_read_own(user: &User, name: &ScriptName) -> bool {
    user.scope()
        .is_none_or(|scope| scope.allows_own(Verb::Output, name))
}

/// May this user administer the server?
pub fn may_admin<'a>(user: &'a User, grants: &Grants) -> Result<MayAdmin<'a>, Denied> {
    may(user, Wish::Admin, grants).map(|()| MayAdmin { user })
}
