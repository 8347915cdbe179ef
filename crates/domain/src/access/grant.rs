//! What says that somebody may: a script's `access`, and grants.

use std::fmt;

use super::{User, Verb, Verbs, Who};
use crate::name::GroupName;
use crate::pattern::{ScriptPattern, say_patterns};

/// A place in a file that a person wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// As it is shown.
    pub file: String,
    /// From 1.
    pub line: usize,
}

/// A verb of a script's `access`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    /// What.
    pub verb: Verb,
    /// Who may.
    pub who: Vec<Who>,
    /// In the script's definition, or in its folder's.
    pub place: Place,
}

impl fmt::Display for AccessRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who: Vec<String> = self.who.iter().map(ToString::to_string).collect();
        write!(f, "{} = {}", self.verb.word(), who.join(", "))
    }
}

/// A script's own `access`, the folder's already merged in, verb by verb.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Verb and who.
    pub rules: Vec<AccessRule>,
}

/// Where a grant stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In stagedoor.toml.
    File(Place),
    /// In the store, under this number.
    Stored(i64),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(place) => write!(f, "the grant in {}, line {}", place.file, place.line),
            Self::Stored(id) => write!(f, "grant {id}"),
        }
    }
}

/// What a grant gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gives {
    /// Something with scripts.
    Scripts {
        /// Which.
        scripts: Vec<ScriptPattern>,
        /// What.
        may: Verbs,
    },
    /// The pages below `/admin`, and `/metrics`.
    Admin,
}

impl Gives {
    /// In words, with the group that it is given to.
    pub fn said_to(&self, group: &GroupName) -> String {
        match self {
            Gives::Scripts { scripts, may } => {
                format!("{group} may {may}: {}", say_patterns(scripts, ", "))
            }
            Gives::Admin => format!("{group} may administer"),
        }
    }
}

impl Gives {
    /// Does the other one give nothing beside this?
    fn covers(&self, other: &Gives) -> bool {
        match (self, other) {
            (Gives::Admin, Gives::Admin) => true,
            (
                Gives::Scripts { scripts, may },
                Gives::Scripts {
                    scripts: wanted,
                    may: verbs,
                },
            ) => {
                let has = |one: &ScriptPattern| scripts.iter().any(|all| all.includes(one));
                verbs.iter().all(|verb| may.meets(verb.given_by())) && wanted.iter().all(has)
            }
            _ => false,
        }
    }
}

/// What a group may, in stagedoor.toml or in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub group: GroupName,
    /// What.
    pub gives: Gives,
    /// Where it stands.
    pub origin: Origin,
}

impl Grant {
    /// Does the other one give nobody anything beside this?
    pub fn covers(&self, other: &Grant) -> bool {
        let is_for_all = self.group.as_str() == GroupName::EVERYONE;
        (is_for_all || self.group == other.group) && self.gives.covers(&other.gives)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.gives.said_to(&self.group))
    }
}

/// All grants that apply beside the scripts' own `access`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(pub Vec<Grant>);

impl Grants {
    /// Those that mean this user.
    pub(super) fn of<'a>(&'a self, user: &User) -> impl Iterator<Item = &'a Grant> {
        self.0.iter().filter(move |grant| user.is_in(&grant.group))
    }
}
