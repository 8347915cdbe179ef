//! What a password must be: long enough, hard to guess, and not made of what everybody knows here.

use secrecy::ExposeSecret as _;

use super::Password;

/// Fewest characters.
pub const SHORTEST: usize = 12;
/// Most characters; longer ones are refused before any work.
pub const LONGEST: usize = 256;
/// Letters that a password must have beside the words of the place, if it has one of them.
const LEAST_LEFT: usize = 6;
/// Shorter names stand in too many words by chance.
const SHORTEST_WORD: usize = 3;

/// Why a new password is not good enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Fewer than [`SHORTEST`] characters.
    #[error("use at least 12 characters")]
    Short,
    /// More than [`LONGEST`] characters.
    #[error("use at most 256 characters")]
    Long,
    /// Easy to guess; the text says why.
    #[error("this password is easy to guess: {0}")]
    Guessable(String),
    /// Hardly more than [`words_of_the_place`].
    #[error(
        "this password is hardly more than your user name or what this server is called, which are \
         guessed first; use other words"
    )]
    OfThePlace,
}

/// Is this password good enough for this user of a server on these hosts?
pub fn judge(password: &Password, user_name: &str, hosts: &[String]) -> Result<(), Weak> {
    let text = password.expose_secret();
    let length = text.chars().count();
    if length < SHORTEST {
        return Err(Weak::Short);
    }
    if length > LONGEST {
        return Err(Weak::Long);
    }
    let words = words_of_the_place(user_name, hosts);
    if is_of_the_place(text, &words) {
        return Err(Weak::OfThePlace);
    }
    // The estimate's cost grows with the length; the first 100 characters decide.
    let head: String = text.chars().take(100).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let estimate = zxcvbn::zxcvbn(&head, &words);
    if estimate.score() < zxcvbn::Score::Three {
        let why = estimate
            .feedback()
            .and_then(zxcvbn::feedback::Feedback::warning)
            .map_or_else(
                || "use more words, or less common ones".to_owned(),
                |warning| warning.to_string().trim_end_matches('.').to_lowercase(),
            );
        return Err(Weak::Guessable(why));
    }
    Ok(())
}

/// What somebody would try first here: the product, the user, and each part of a host's name. As
/// letters only, the longest first.
fn words_of_the_place(user_name: &str, hosts: &[String]) -> Vec<String> {
    let parts = hosts.iter().flat_map(|host| host.split('.'));
    let mut words: Vec<String> = ["stagedoor", user_name]
        .into_iter()
        .chain(parts)
        .map(letters)
        .filter(|word| word.chars().count() >= SHORTEST_WORD)
        .collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
}

/// Is too little left once such words are taken out? Digits and punctuation count for nothing
/// then; a password without such a word is not judged here.
fn is_of_the_place(password: &str, words: &[String]) -> bool {
    let whole = letters(password);
    let mut left = whole.clone();
    // What is taken out may leave another one behind.
    while let Some(word) = words.iter().find(|word| left.contains(word.as_str())) {
        left = left.replace(word.as_str(), "");
    }
    left != whole && left.chars().count() < LEAST_LEFT
}

fn letters(text: &str) -> String {
    let letters = text.chars().filter(|c| c.is_alphabetic());
    letters.flat_map(char::to_lowercase).collect()
}

/// No account has such a password, so nobody needs to look at it.
pub(crate) fn is_too_long(password: &Password) -> bool {
    password.expose_secret().chars().count() > LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str, user: &str) -> Result<(), Weak> {
        let hosts = ["scripts.example.org".to_owned(), "burbank-3".to_owned()];
        judge(&Password::from(text.to_owned()), user, &hosts)
    }

    #[test]
    fn a_weak_password_is_refused_with_the_reason() {
        assert_eq!(judged("short", "ann"), Err(Weak::Short));
        assert_eq!(judged(&"x".repeat(257), "ann"), Err(Weak::Long));
        assert!(matches!(
            judged("password12345", "ann"),
            Err(Weak::Guessable(_))
        ));
        assert_eq!(judged("violet tractor ninety owls", "ann"), Ok(()));
    }

    #[test]
    fn words_of_the_place_are_no_password_however_they_are_put_together() {
        for text in [
            "ann-stagedoor-2026",
            "Stagedoor_2026!ANN",
            "s.t.a.g.e.d.o.o.r.7.7",
            "stagestagedoordoor",
            "burbank-2026-11-22",
            "scripts.example.org/ann",
            "ann example 93 kq!",
        ] {
            assert_eq!(judged(text, "ann"), Err(Weak::OfThePlace), "{text}");
        }
        assert_eq!(judged("bartholomew1", "bartholomew"), Err(Weak::OfThePlace));
        // With enough beside them they do no harm, nor do those of others.
        for (text, user) in [
            ("ann walks nine quiet herons", "ann"),
            ("planning channel quartz owls", "ann"),
            ("xqvbartholomewzk", "ann"),
            ("8472 9913 7712 0034", "ann"),
            ("al-fq7-kzw9-xbm2", "al"),
        ] {
            assert_eq!(judged(text, user), Ok(()), "{text}");
        }
    }
}
