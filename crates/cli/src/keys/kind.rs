//! The two kinds of keys: where each is kept, and what people are told of it.

use stagedoor_app::keys::KeyUse;

/// One kind.
#[derive(Debug)]
pub struct Kind {
    pub what: KeyUse,
    /// One of its keys, in a sentence.
    pub called: &'static str,
    /// Its ring, in the state directory.
    pub file: &'static str,
    /// The mode of the ring.
    pub mode: u32,
    /// What the ring begins with.
    pub head: &'static str,
    /// Names an operator's file instead of the ring.
    pub file_variable: &'static str,
    /// The credential of systemd that holds it (`LoadCredential=`).
    pub credential: &'static str,
    /// What others could do who read it.
    pub danger: &'static str,
    /// What to do about a ring that others could read, after its mode is mended.
    pub after_exposure: &'static str,
    /// What to do about a ring that is damaged.
    pub after_damage: &'static str,
}

/// Keys that sign cookies.
pub const COOKIES: Kind = Kind {
    what: KeyUse::Cookies,
    called: "cookie key",
    file: "cookie.keys",
    mode: 0o600,
    head: "\
# Stagedoor signs cookies with the first of these keys. Whoever reads this file can forge them.
# Made by `stagedoor serve`; `stagedoor keys rotate` adds one. Each line: when, in milliseconds since 1970, and the key.
",
    file_variable: "STAGEDOOR_COOKIE_KEY_FILE",
    credential: "stagedoor-cookie-key",
    danger: "forge cookies",
    after_exposure: "stagedoor keys rotate --end-sessions",
    after_damage: "restore the file from a backup, or remove it: then everybody signs in again",
};

/// Keys that seal stored secrets.
pub const SECRETS: Kind = Kind {
    what: KeyUse::Secrets,
    called: "secrets key",
    file: "secrets.keys",
    mode: 0o400,
    head: "\
# Stagedoor seals stored secrets with the first of these keys. Whoever reads this file and the database knows them;
# without it they are lost. `stagedoor keys rotate --secrets` makes another one. Each line: when, in milliseconds
# since 1970, and the key.
",
    file_variable: "STAGEDOOR_SECRETS_KEY_FILE",
    credential: "stagedoor-secrets-key",
    danger: "open the stored secrets",
    after_exposure: "stagedoor keys rotate --secrets",
    after_damage: "restore the file from a backup; without its key each stored secret has to be set anew",
};
