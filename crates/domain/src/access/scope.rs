//! What a token may at most. It takes away and never adds: the owner's rights at the time of use
//! are asked for as well.

use crate::access::verb::{Actions, Verb, Verbs};
use crate::name::ScriptName;
use crate::pattern::ScriptPattern;

/// What a token may at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// With scripts, and whether it may administer.
    pub actions: Actions,
    /// With which scripts.
    pub scripts: Vec<ScriptPattern>,
}

impl Scope {
    /// Everything that its owner may with scripts; nothing of administration.
    pub fn all_scripts() -> Self {
        Self {
            actions: Actions {
                verbs: Verbs::ALL,
                admin: false,
            },
            scripts: vec![ScriptPattern::All],
        }
    }

    /// May it do one of these with this script? A verb is included by others as in grants.
    pub(super) fn allows(&self, verb: Verb, name: &ScriptName) -> bool {
        self.actions.verbs.meets(verb.given_by()) && self.covers(name)
    }

    /// The same for a run that its owner has started: what one may with one's own runs follows
    /// from `run`.
    pub(super) fn allows_own(&self, verb: Verb, name: &ScriptName) -> bool {
        self.allows(verb, name) || self.allows(Verb::Run, name)
    }

    /// May it do this with every script, known or not?
    pub(super) fn allows_all(&self, verb: Verb) -> bool {
        self.actions.verbs.meets(verb.given_by()) && self.scripts.contains(&ScriptPattern::All)
    }

    fn covers(&self, name: &ScriptName) -> bool {
        self.scripts.iter().any(|pattern| pattern.covers(name))
    }
}
