//! The canonical text of each kind of value. What is canonical already stays as it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::dates;
use super::decimal;
use super::fault::Fault;
use super::path;
use crate::param::{Kind, Param};
use crate::quantity::parse_duration;

/// Longest host name (RFC 1035) and mail address (RFC 5321), in bytes.
const LONGEST_HOSTNAME: usize = 253;
const LONGEST_EMAIL: usize = 254;
const LONGEST_LOCAL_PART: usize = 64;

/// The text as the script gets it. Text, choices and paths are taken byte for byte; other kinds
/// lose the spaces around them.
pub(super) fn canonical(param: &Param, text: &str) -> Result<String, Fault> {
    if text.contains('\0') {
        return Err(Fault::Nul);
    }
    let trimmed = text.trim();
    match param.kind {
        Kind::Text | Kind::Choice => one_line(text),
        Kind::Multiline => lines(text),
        Kind::Path => path_below(param, text),
        Kind::Json => json(trimmed),
        Kind::Integer => integer(trimmed),
        Kind::Number => Ok(decimal::parse(trimmed)?.text),
        Kind::Flag => super::read::flag_text(text).map(|on| on.to_string()),
        Kind::Count => super::read::count_text(trimmed).map(|times| times.to_string()),
        Kind::Date => kept(trimmed, dates::date(trimmed).is_some(), Fault::NotDate),
        Kind::Time => kept(trimmed, dates::time(trimmed).is_some(), Fault::NotTime),
        Kind::DateTime => kept(
            trimmed,
            dates::date_time(trimmed).is_some(),
            Fault::NotDateTime,
        )
        .map(|text| text.replacen(' ', "T", 1)),
        Kind::Duration => kept(trimmed, parse_duration(trimmed).is_ok(), Fault::NotDuration),
        Kind::Email => kept(trimmed, is_email(trimmed), Fault::NotEmail),
        Kind::Url => kept(trimmed, is_url(trimmed), Fault::NotUrl),
        Kind::Hostname => kept(trimmed, is_hostname(trimmed), Fault::NotHostname),
        Kind::Ip => address::<IpAddr>(trimmed, Fault::NotIp),
        Kind::Ipv4 => address::<Ipv4Addr>(trimmed, Fault::NotIpv4),
        Kind::Ipv6 => address::<Ipv6Addr>(trimmed, Fault::NotIpv6),
    }
}

/// Whether a text says nothing: then there is no value.
pub(super) fn is_blank(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Text | Kind::Choice | Kind::Multiline | Kind::Path => text.is_empty(),
        _ => text.trim().is_empty(),
    }
}

fn kept(text: &str, good: bool, fault: Fault) -> Result<String, Fault> {
    if good {
        Ok(text.to_owned())
    } else {
        Err(fault)
    }
}

fn one_line(text: &str) -> Result<String, Fault> {
    if text.contains(['\n', '\r']) {
        return Err(Fault::LineEnds);
    }
    kept(text, !text.chars().any(char::is_control), Fault::Control)
}

fn lines(text: &str) -> Result<String, Fault> {
    // Browsers send CRLF, whatever was typed.
    let text = text.replace("\r\n", "\n");
    let foreign = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.contains(foreign) {
        return Err(Fault::Control);
    }
    Ok(text)
}

fn integer(text: &str) -> Result<String, Fault> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::NotInteger);
    }
    let number: i64 = text.parse().map_err(|_| Fault::IntegerTooLarge)?;
    Ok(number.to_string())
}

/// Checked, and kept as it was written: reading and printing again would round large numbers.
fn json(text: &str) -> Result<String, Fault> {
    // Outside of strings line ends are only space; inside they are not legal.
    let text = text.replace("\r\n", "\n");
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Fault::NotJson {
            line: error.line(),
            column: error.column(),
        }),
    }
}

fn path_below(param: &Param, text: &str) -> Result<String, Fault> {
    // Without a rule nothing is below anything: the catalog never makes such a parameter.
    let rule = param.path.as_ref().ok_or(Fault::BadBound { key: "root" })?;
    path::check(rule, text)?;
    Ok(text.to_owned())
}

fn address<A: std::str::FromStr + ToString>(text: &str, fault: Fault) -> Result<String, Fault> {
    text.parse::<A>()
        .map(|address| address.to_string())
        .map_err(|_| fault)
}

/// The form that HTML's `input type=email` accepts, so that browser and server agree.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b);
    let dots_are_inside = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    (1..=LONGEST_LOCAL_PART).contains(&local.len())
        && text.len() <= LONGEST_EMAIL
        && local.bytes().all(allowed)
        && dots_are_inside
        && is_hostname(domain)
}

/// RFC 1123, and not an address in disguise: a last label of digits is one to many programs
/// (`127.1`, `2130706433`, `0x7f000001`).
fn is_hostname(text: &str) -> bool {
    let label_is_good = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let last = text.rsplit('.').next().unwrap_or(text);
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = last.bytes().all(|b| b.is_ascii_digit())
        || hexadecimal.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    text.len() <= LONGEST_HOSTNAME && text.split('.').all(label_is_good) && !is_number
}

/// `http` or `https`, written out: the parser alone would mend `http:\\host` and drop tabs, and
/// the script would read another address than the one that was checked.
fn is_url(text: &str) -> bool {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '\\';
    let scheme_is_written_out = text.split_once("://").is_some_and(|(scheme, rest)| {
        (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
            && !rest.starts_with('/')
    });
    scheme_is_written_out
        && text.chars().all(plain)
        && url::Url::parse(text).is_ok_and(|url| url.host_str().is_some())
}
