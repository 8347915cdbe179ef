//! What can be done with a script and its runs.

use std::fmt;

use serde::{Deserialize, Serialize};

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

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Verb::View => "view",
            Verb::Run => "run",
            Verb::Stop => "stop",
            Verb::Output => "output",
            Verb::Schedule => "schedule",
        }
    }

    /// The verb of this word.
    pub fn parse(word: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == word);
        found.map(|(_, verb)| verb)
    }

    /// The verbs that include this one, itself among them.
    pub(super) fn given_by(self) -> Verbs {
        match self {
            Verb::View => Verbs::of(&[Verb::View, Verb::Run, Verb::Schedule]),
            Verb::Run => Verbs::of(&[Verb::Run, Verb::Schedule]),
            Verb::Stop | Verb::Output | Verb::Schedule => Verbs::of(&[self]),
        }
    }
}

/// A set of verbs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verbs(u8);

impl Verbs {
    /// All five.
    pub const ALL: Self = Self(0b1_1111);

    /// These.
    pub const fn of(verbs: &[Verb]) -> Self {
        let (mut bits, mut rest) = (0, verbs);
        while let [first, others @ ..] = rest {
            bits |= 1 << (*first as u8);
            rest = others;
        }
        Self(bits)
    }

    /// Is one of them among these?
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// None?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of [`Verb::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        let all = Verb::ALL.into_iter().map(|(_, verb)| verb);
        all.filter(move |verb| self.meets(Self::of(&[*verb])))
    }

    /// This verb too.
    pub fn insert(&mut self, verb: Verb) {
        self.0 |= Self::of(&[verb]).0;
    }
}

impl FromIterator<Verb> for Verbs {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> Self {
        let mut all = Self::default();
        verbs.into_iter().for_each(|verb| all.insert(verb));
        all
    }
}

impl fmt::Display for Verbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.iter().map(Verb::word).collect();
        f.write_str(&words.join(", "))
    }
}

/// What a grant gives or a token may: verbs, or to administer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Actions {
    /// With scripts.
    pub verbs: Verbs,
    /// The pages below `/admin`, and `/metrics`.
    pub admin: bool,
}

/// This word is nothing that one may be allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is nothing that one may be allowed; use view, run, stop, output, schedule or admin")]
pub struct BadAction(pub String);

impl Actions {
    /// The word of administration.
    pub const ADMIN: &'static str = "admin";

    /// From words between blanks or commas.
    pub fn parse(text: &str) -> Result<Self, BadAction> {
        let mut actions = Self::default();
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        for word in words {
            match Verb::parse(word) {
                Some(verb) => actions.verbs.insert(verb),
                None if word == Self::ADMIN => actions.admin = true,
                None => return Err(BadAction(word.chars().take(100).collect())),
            }
        }
        Ok(actions)
    }

    /// The words.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let admin = self.admin.then_some(Self::ADMIN);
        self.verbs.iter().map(Verb::word).chain(admin)
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.words().collect();
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_one_word_and_is_found_by_it() {
        for (word, verb) in Verb::ALL {
            assert_eq!((verb.word(), Verb::parse(word)), (word, Some(verb)));
        }
        assert_eq!(Verb::parse("admin"), None);
        let all: Verbs = Verb::ALL.into_iter().map(|(_, verb)| verb).collect();
        assert_eq!(all, Verbs::ALL);
    }

    #[test]
    fn actions_are_read_as_they_are_written() {
        let some = Actions::parse("run, view admin").expect("good");
        assert_eq!(some.to_string(), "view, run, admin");
        assert_eq!(Actions::parse(&some.to_string()), Ok(some));
        assert_eq!(
            Actions::parse("everything"),
            Err(BadAction("everything".into()))
        );
        assert_eq!(Actions::parse(""), Ok(Actions::default()));
    }
}
