//! A parameter: one declared input of a script. The form, the check, argv, the API's schema and
//! the client's help are all made from this one value.

use std::sync::Arc;

use regex::Regex;

use crate::name::ParamName;

/// One declared input. Made by the catalog, which has resolved every default of the format.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the format")]
pub struct Param {
    /// The slug that clients send.
    pub name: ParamName,
    /// Shown as the label; made from the name when the author gave none.
    pub title: String,
    /// Markdown below the field.
    pub description: Option<String>,
    /// Shown as a placeholder.
    pub example: Option<String>,
    /// The heading that the field stands below.
    pub section: Option<String>,
    /// Folded away in the form.
    pub advanced: bool,
    /// What values look like.
    pub kind: Kind,
    /// Never in argv, history, logs or pages.
    pub secret: bool,
    /// Must be given when shown; already resolved by the rule of the format.
    pub required: bool,
    /// Used when the client sends nothing. Checked when the definition was read.
    pub default: Option<Value>,
    /// A fixed value that no client may set.
    pub fixed: Option<Value>,
    /// The only values allowed; empty means free.
    pub choices: Vec<Choice>,
    /// Values offered, others are allowed.
    pub suggestions: Vec<Choice>,
    /// All must hold, else the parameter is hidden and a value for it is refused.
    pub when: Vec<Condition>,
    /// Bounds of the value.
    pub bounds: Bounds,
    /// Whether and how several values are passed.
    pub multiple: Option<Multiple>,
    /// How the value reaches the script.
    pub pass: Pass,
    /// `--x`, `--x=` or, with [`Self::joined`], `-j`; none means positional.
    pub option: Option<String>,
    /// The option and its value are one argument without `=` between: `-j4`.
    pub joined: bool,
    /// The environment variable that also, or only, carries the value.
    pub env: Option<String>,
    /// Text passed for a flag that is on; already resolved (the option, or `true`).
    pub on: Option<String>,
    /// Text passed for a flag that is off, if any.
    pub off: Option<String>,
    /// Pass an argument even when the value is empty.
    pub pass_empty: bool,
    /// A client's value may begin with `-`.
    pub allow_leading_dash: bool,
    /// `strftime` format in which dates reach the script; ISO 8601 when none.
    pub format: Option<String>,
    /// The extra keys of the type `path`.
    pub path: Option<PathRule>,
    /// Translations of texts, by language tag.
    pub lang: Vec<(String, Texts)>,
}

/// Translated texts of a parameter or script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// Replaces `title`.
    pub title: Option<String>,
    /// Replaces `description`.
    pub description: Option<String>,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One line of text; `choice` when there are choices.
    Text,
    /// Text with line ends.
    Multiline,
    /// A whole number that fits in 64 bits.
    Integer,
    /// A decimal number.
    Number,
    /// On or off.
    Flag,
    /// How often an option stands: `-v -v -v`.
    Count,
    /// One of the choices.
    Choice,
    /// A day: `2026-11-21`.
    Date,
    /// A time of day: `14:30` or `14:30:05`.
    Time,
    /// A day and time without zone: `2026-11-21T14:30`.
    DateTime,
    /// A duration: `1h30m`.
    Duration,
    /// An address of electronic mail.
    Email,
    /// An `http` or `https` URL.
    Url,
    /// A host name (RFC 1123).
    Hostname,
    /// An address of either family.
    Ip,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A path below a root, see [`PathRule`].
    Path,
    /// A JSON text.
    Json,
}

impl Kind {
    /// Every kind with its word in a definition.
    pub const ALL: [(&'static str, Kind); 19] = [
        ("text", Kind::Text),
        ("multiline", Kind::Multiline),
        ("integer", Kind::Integer),
        ("number", Kind::Number),
        ("flag", Kind::Flag),
        ("count", Kind::Count),
        ("choice", Kind::Choice),
        ("date", Kind::Date),
        ("time", Kind::Time),
        ("datetime", Kind::DateTime),
        ("duration", Kind::Duration),
        ("email", Kind::Email),
        ("url", Kind::Url),
        ("hostname", Kind::Hostname),
        ("ip", Kind::Ip),
        ("ipv4", Kind::Ipv4),
        ("ipv6", Kind::Ipv6),
        ("path", Kind::Path),
        ("json", Kind::Json),
    ];

    /// The word in a definition and in the API.
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("text", |(word, _)| word)
    }
}

/// One value that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What the script gets.
    pub value: String,
    /// What the form shows.
    pub label: String,
    /// Shown, but may not be chosen.
    pub disabled: bool,
    /// Offered only when all hold.
    pub when: Vec<Condition>,
}

/// `{ mode = ["a", "b"] }`: the other parameter has one of these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The other parameter; declared in the same script (the catalog checks it).
    pub param: ParamName,
    /// Any of these; `true` and `false` for flags.
    pub any_of: Vec<String>,
}

/// Bounds of a value. `min`, `max` and `step` are kept as the author wrote them: they mean numbers,
/// dates, times or durations by the parameter's kind.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// Least value.
    pub min: Option<String>,
    /// Greatest value.
    pub max: Option<String>,
    /// Distance of allowed values from `min` (or zero).
    pub step: Option<String>,
    /// Fewest characters.
    pub min_length: Option<usize>,
    /// Most characters.
    pub max_length: Option<usize>,
    /// Matches the whole value.
    pub pattern: Option<Arc<Regex>>,
    /// Said when the pattern does not match.
    pub pattern_help: Option<String>,
    /// Fewest values of a `multiple`.
    pub min_items: Option<usize>,
    /// Most values of a `multiple`.
    pub max_items: Option<usize>,
}

/// How several values are passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Multiple {
    /// `-t a -t b`
    Repeat,
    /// `-t a b`
    Spread,
    /// `-t a,b`
    Join {
        /// What stands between the values.
        separator: String,
    },
}

/// How a value reaches the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pass {
    /// As an argument.
    Arg,
    /// As an environment variable.
    Env,
    /// As a line of standard input.
    Stdin,
    /// As a private file whose path is passed (a secret's stands in the credentials folder).
    File,
    /// Not at all: it steers other parameters.
    None,
}

/// The extra keys of the type `path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRule {
    /// Absolute folder that the value never leaves.
    pub root: String,
    /// Below sub-folders too.
    pub recursive: bool,
    /// What may be chosen.
    pub kind: PathKind,
    /// Glob that the file name must match.
    pub matching: Option<String>,
    /// Globs of file names that are left out.
    pub exclude: Vec<String>,
}

/// What a `path` may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// Files only.
    File,
    /// Folders only.
    Folder,
    /// Both.
    Any,
}

/// A checked value: canonical text by kind.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A flag.
    Flag(bool),
    /// A count.
    Count(u32),
    /// Any other single value.
    Text(String),
    /// Several values.
    List(Vec<String>),
}
