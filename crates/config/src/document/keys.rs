//! Known keys, keys of a later version, and the nearest known one to a mistake.

use super::{Mark, Problem, Problems, Table};

/// The keys that a table may have.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// Whose keys they are, with its article: `a script`.
    pub of: &'static str,
    /// Known and used.
    pub now: &'static [&'static str],
    /// Known, and refused until their feature is there; never silently ignored.
    pub later: &'static [&'static str],
}

impl Keys {
    /// Every key of the table must be known.
    pub fn check(&self, table: &Table, problems: &mut Problems) {
        self.check_or(table, |_, _| None, problems);
    }

    /// Like [`Self::check`]; `explain` may know better what an unknown key is.
    pub fn check_or(
        &self,
        table: &Table,
        explain: impl Fn(&str, &Mark) -> Option<Problem>,
        problems: &mut Problems,
    ) {
        for (key, entry) in table.in_order() {
            if self.now.contains(&key) {
                continue;
            }
            let problem = if self.later.contains(&key) {
                not_yet(&entry.key, key)
            } else if let Some(problem) = explain(key, &entry.key) {
                problem
            } else {
                self.unknown(&entry.key, key)
            };
            problems.push(problem);
        }
    }

    fn unknown(&self, mark: &Mark, key: &str) -> Problem {
        let problem = mark.problem(format!("`{key}` is not a key of {}", self.of));
        let known = self.now.iter().chain(self.later).copied();
        match nearest(key, known) {
            Some(near) => problem.mend(format!("did you mean `{near}`?")),
            None => problem.mend(format!(
                "take it out; the keys of {} are: {}",
                self.of,
                self.now.join(", ")
            )),
        }
    }
}

fn not_yet(mark: &Mark, key: &str) -> Problem {
    mark.problem(format!("`{key}` is not in this version yet"))
        .mend("take it out until a version that knows it is installed")
}

/// With so many letters the beginning of a word means that word: `mem`.
const SHORTEST_BEGINNING: usize = 3;

/// The known word that a mistyped or shortened one most likely means.
pub fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nothing is near to nothing, and what is longer than any key was not mistyped.
    if text.is_empty() || text.len() > 100 {
        return None;
    }
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let text = plain(text);
    let near = known.into_iter().filter_map(|word| {
        let distance = strsim::damerau_levenshtein(&text, &plain(word));
        let is_typo = distance <= word.chars().count().div_ceil(3).min(3);
        let is_short_for = text.len() >= SHORTEST_BEGINNING && plain(word).starts_with(&text);
        // What was mistyped comes before what was cut.
        (is_typo || is_short_for).then_some((!is_typo, distance, word))
    });
    near.min_by_key(|(is_cut, distance, _)| (*is_cut, *distance))
        .map(|(.., word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Text, parse};

    const KEYS: Keys = Keys {
        of: "a script",
        now: &["title", "timeout"],
        later: &["sandbox"],
    };

    fn messages(toml: &str) -> Vec<(String, String)> {
        let table = parse(&Text::whole("x", toml)).expect("good TOML");
        let mut problems = Problems::default();
        KEYS.check(&table, &mut problems);
        problems
            .into_iter()
            .map(|p| (p.message, p.mend.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn an_unknown_key_gets_the_nearest_known_one() {
        assert_eq!(messages("title = 1"), []);
        assert_eq!(
            messages("titel = 1"),
            [(
                "`titel` is not a key of a script".to_owned(),
                "did you mean `title`?".to_owned()
            )]
        );
        let far = messages("zzzzzzzz = 1");
        assert!(far[0].1.contains("title, timeout"), "{far:?}");
    }

    #[test]
    fn a_key_of_a_later_version_is_known_and_refused() {
        assert_eq!(
            messages("sandbox = 1")[0].0,
            "`sandbox` is not in this version yet"
        );
        assert_eq!(messages("sandbx = 1")[0].1, "did you mean `sandbox`?");
    }

    #[test]
    fn case_and_dashes_do_not_hide_the_nearest_key() {
        assert_eq!(
            nearest("Stop-Grace", ["stop_grace", "title"]),
            Some("stop_grace")
        );
        assert_eq!(nearest("", ["a"]), None);
        assert_eq!(nearest("xyz", ["title"]), None);
    }

    #[test]
    fn the_beginning_of_a_word_is_near_to_it_but_a_mistyped_word_is_nearer() {
        assert_eq!(nearest("mem", ["open_files", "memory"]), Some("memory"));
        assert_eq!(nearest("me", ["memory"]), None);
        assert_eq!(nearest("red", ["reduced", "read"]), Some("read"));
    }
}
