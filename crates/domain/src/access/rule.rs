//! Which rule permits: the one place where permission is decided, and what explains it.

use std::fmt;

use crate::access::verb::{Actions, Verb};
use crate::access::{Access, AccessRule, Gives, Grant, Grants, RunFacts, User};
use crate::name::ScriptName;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Wish<'a> {
    /// Something with a script.
    Script {
        /// What.
        verb: Verb,
        /// With which.
        name: &'a ScriptName,
        /// Its `access`, if it exists.
        access: Option<&'a Access>,
    },
    /// Something with a run.
    Run {
        /// [`Verb::Output`] to read it, [`Verb::Stop`] to stop it.
        verb: Verb,
        /// Which.
        run: RunFacts<'a>,
    },
    /// To administer the server.
    Admin,
}

/// Why somebody may: the first rule that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule<'a> {
    /// A member of `admins`.
    Admins,
    /// They started the run.
    Starter,
    /// The script's `access`.
    Access(&'a AccessRule),
    /// A grant.
    Grant(&'a Grant),
}

/// The rule by which this user may, or none. Nothing else decides: every check asks this, and so
/// does whoever explains.
pub fn deciding_rule<'a>(user: &User, wish: Wish<'a>, grants: &'a Grants) -> Option<Rule<'a>> {
    if user
        .scope()
        .is_some_and(|scope| !scope_allows(scope, user, wish))
    {
        return None;
    }
    if user.is_in_admins() {
        return Some(Rule::Admins);
    }
    match wish {
        Wish::Run { run, .. } if run.started_by == user.id => Some(Rule::Starter),
        Wish::Run { verb, run } => of_script(user, verb, run.script_name, run.access, grants),
        Wish::Script { verb, name, access } => of_script(user, verb, name, access, grants),
        Wish::Admin if user.is_named_outside() => None,
        Wish::Admin => grants
            .of(user)
            .find(|grant| matches!(grant.gives, Gives::Admin))
            .map(Rule::Grant),
    }
}

/// The only thing that takes away: the scope of the token that was sent.
fn scope_allows(scope: &crate::access::Scope, user: &User, wish: Wish<'_>) -> bool {
    match wish {
        Wish::Script { verb, name, .. } => scope.allows(verb, name),
        Wish::Run { verb, run } if run.started_by == user.id => {
            scope.allows_own(verb, run.script_name)
        }
        Wish::Run { verb, run } => scope.allows(verb, run.script_name),
        Wish::Admin => scope.actions.admin,
    }
}

fn of_script<'a>(
    user: &User,
    verb: Verb,
    name: &ScriptName,
    access: Option<&'a Access>,
    grants: &'a Grants,
) -> Option<Rule<'a>> {
    let given_by = verb.given_by();
    let own = access.and_then(|access| {
        let mut rules = access.rules.iter();
        rules.find(|rule| {
            given_by.iter().any(|verb| verb == rule.verb) && rule.who.iter().any(|w| w.is(user))
        })
    });
    own.map(Rule::Access).or_else(|| {
        let gives = |grant: &&Grant| match &grant.gives {
            Gives::Scripts { scripts, may } => {
                may.meets(given_by) && scripts.iter().any(|pattern| pattern.covers(name))
            }
            Gives::Admin => false,
        };
        grants.of(user).find(gives).map(Rule::Grant)
    })
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admins => f.write_str("a member of `admins` may do everything"),
            Self::Starter => f.write_str("who started a run may read and stop it"),
            Self::Access(rule) => write!(
                f,
                "`access` in {}, line {}: {rule}",
                rule.place.file, rule.place.line
            ),
            Self::Grant(grant) => write!(f, "{}: {grant}", grant.origin),
        }
    }
}

/// What can be asked for in words: a verb, or `admin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// With a script.
    Verb(Verb),
    /// To administer.
    Admin,
}

impl Action {
    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        if word == Actions::ADMIN {
            return Some(Self::Admin);
        }
        Verb::parse(word).map(Self::Verb)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Verb(verb) => verb.word(),
            Self::Admin => Actions::ADMIN,
        }
    }
}
