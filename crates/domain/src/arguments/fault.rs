//! Everything that can be wrong with a value, and how people are told. No message contains the
//! value, because it may be a secret; what the author wrote (bounds, choices) may stand in it.

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    // Whether a value may, or must, be given.
    #[error("needs a value")]
    Needed,
    #[error("needs a value, because `{later}` after it has one")]
    Gap { later: String },
    #[error("is fixed by the script; leave it out")]
    Fixed,
    #[error("leave this empty unless {unless}")]
    NotAsked { unless: String },
    #[error("does not fit the script as it is now")]
    Stored,

    // Shapes.
    #[error("takes one value, not a list")]
    OneOnly,
    #[error("must be text; put it in quotation marks")]
    NotText,
    #[error("value {number}: {fault}")]
    Item { number: usize, fault: Box<Fault> },
    #[error("needs at least {least} values")]
    TooFew { least: usize },
    #[error("takes at most {most} values")]
    TooMany { most: usize },

    // Characters.
    #[error("may not contain a NUL character")]
    Nul,
    #[error("must be one line, without line ends")]
    LineEnds,
    #[error("may not contain control characters")]
    Control,
    #[error("must be one line here, because other values stand on the lines after it")]
    OneLineHere,
    #[error("may not contain `{separator}`, which stands between the values")]
    Separator { separator: String },
    #[error(
        "may not begin with `-`; the script's author can allow it with `allow_leading_dash = true`"
    )]
    LeadingDash,
    #[error(
        "is too long for an argument (131,072 bytes or more); the script's author can pass it with `pass = \"file\"`"
    )]
    TooLongForArgument,
    #[error(
        "all arguments together are too long; the script's author can pass this one with `pass = \"file\"`"
    )]
    TooLongTogether,

    // Types.
    #[error("write a whole number, such as 7")]
    NotInteger,
    #[error(
        "is too large for a whole number; the limits are -9223372036854775808 and 9223372036854775807"
    )]
    IntegerTooLarge,
    #[error("write a number, such as 2.5")]
    NotNumber,
    #[error("has too many digits; at most 19 may stand before the point and 18 after it")]
    TooManyDigits,
    #[error("must be `true` or `false`")]
    NotFlag,
    #[error("write how often, as a whole number from 0 to 255")]
    NotCount,
    #[error("write a day as year-month-day, such as 2026-11-21")]
    NotDate,
    #[error("write a time of day, such as 14:30")]
    NotTime,
    #[error("write a day and a time, such as 2026-11-21T14:30")]
    NotDateTime,
    #[error("write a duration with its unit, such as 30s, 10m, 2h, 1d or 1h30m")]
    NotDuration,
    #[error("write an e-mail address, such as ann@example.org")]
    NotEmail,
    #[error("write a web address that begins with http:// or https://")]
    NotUrl,
    #[error("write a host name, such as db1.example.org")]
    NotHostname,
    #[error("write an IP address, such as 192.0.2.7 or 2001:db8::7")]
    NotIp,
    #[error("write an IPv4 address, such as 192.0.2.7")]
    NotIpv4,
    #[error("write an IPv6 address, such as 2001:db8::7")]
    NotIpv6,
    #[error("write valid JSON; it breaks at line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    #[error("write a path below the folder, such as reports/may.csv, without `..`")]
    NotPath,
    #[error("write a name without `/`: folders below are not offered")]
    PathTooDeep,
    #[error("choose a name that matches `{pattern}`")]
    PathUnmatched { pattern: String },
    #[error("this name is left out by the script; choose another one")]
    PathExcluded,

    // Bounds.
    #[error("must be at least {least}")]
    Below { least: String },
    #[error("must be at most {most}")]
    Above { most: String },
    #[error("must be {least} or later")]
    TooEarly { least: String },
    #[error("must be {most} or earlier")]
    TooLate { most: String },
    #[error("must be a multiple of {step}")]
    Step { step: String },
    #[error("must be {least} plus a multiple of {step}")]
    StepFrom { least: String, step: String },
    #[error("the script's `{key}` cannot be read; tell its author")]
    BadBound { key: &'static str },
    #[error("is too short; the least is {least} characters")]
    TooShort { least: usize },
    #[error("is too long; the most is {most} characters")]
    TooLong { most: usize },
    #[error("{help}")]
    Pattern { help: String },

    // Choices.
    #[error("choose one of: {choices}")]
    NotChoice { choices: String },
    #[error("choose one of the values that are offered")]
    NotOneOfMany,
    #[error("`{label}` cannot be chosen at present")]
    Disabled { label: String },
    #[error("`{label}` cannot be chosen together with the other values")]
    NotOffered { label: String },
    #[error("the script offers no choices; tell its author")]
    NoChoices,
}
