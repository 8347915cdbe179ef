//! `stagedoor may` and its page: may somebody do something, and which rule says so.

use stagedoor_catalog::Snapshot;
use stagedoor_domain::access::{Action, Grants, Verb, Wish, deciding_rule};
use stagedoor_domain::name::ScriptName;
use stagedoor_store::UserRecord;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Something with a script.
    Script(Verb, ScriptName),
    /// To administer.
    Admin,
}

/// The answer, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Yes or no.
    pub may: bool,
    /// The rule that decides, or what is missing.
    pub why: String,
}

impl Question {
    /// From what somebody has written: for all but `admin`, a script is needed.
    pub fn new(action: Action, script: Option<ScriptName>) -> Option<Self> {
        match (action, script) {
            (Action::Verb(verb), Some(script)) => Some(Self::Script(verb, script)),
            (Action::Admin, None) => Some(Self::Admin),
            (Action::Verb(_), None) | (Action::Admin, Some(_)) => None,
        }
    }

    /// The answer for a person, signed in. Their tokens may no more than that.
    pub fn answer(&self, of: &UserRecord, scripts: &Snapshot, grants: &Grants) -> Answer {
        let no = |why: String| Answer { may: false, why };
        if of.disabled {
            return no(format!("{} is disabled and cannot sign in", of.user.name));
        }
        let wish = match self {
            Self::Admin => Wish::Admin,
            Self::Script(verb, name) => match scripts.get(name) {
                Some(script) => Wish::Script {
                    verb: *verb,
                    name,
                    access: Some(&script.access),
                },
                None => return no(format!("there is no script `{name}`")),
            },
        };
        match deciding_rule(&of.user, wish, grants) {
            Some(rule) => Answer {
                may: true,
                why: rule.to_string(),
            },
            None if *self == Self::Admin && of.user.is_named_outside() => no(
                "their groups come from `sign_in.command`, which may not name administrators"
                    .to_owned(),
            ),
            None => no("no grant and no `access` gives it".to_owned()),
        }
    }
}
