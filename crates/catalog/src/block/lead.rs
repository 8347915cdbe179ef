//! What stands before each line of a block, and the lines that open and close one.

/// What may stand before `/// stagedoor`; the empty one is for blocks inside `/* */` and the like.
pub(super) const LEADS: [&str; 8] = ["#", "//", "--", ";", "%", "::", "REM", ""];

/// The lead of a line that begins a definition.
pub(super) fn opening(line: &[u8]) -> Option<&'static str> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    LEADS.into_iter().find(|lead| {
        let rest = without_lead(line, lead);
        let rest = if lead.is_empty() {
            rest
        } else {
            rest.and_then(|rest| rest.strip_prefix(' '))
        };
        rest == Some("/// stagedoor")
    })
}

pub(super) fn is_fence(line: &[u8], lead: &str) -> bool {
    let Ok(line) = std::str::from_utf8(line) else {
        return false;
    };
    without_lead(line.trim_end(), lead).is_some_and(|rest| {
        if lead.is_empty() {
            rest == "///"
        } else {
            rest == " ///"
        }
    })
}

pub(super) fn fence(lead: &str) -> String {
    if lead.is_empty() {
        "///".to_owned()
    } else {
        format!("{lead} ///")
    }
}

/// Batch files do not care about the case of `REM`; the other leads have none.
pub(super) fn without_lead<'a>(line: &'a str, lead: &str) -> Option<&'a str> {
    let (start, rest) = line.split_at_checked(lead.len())?;
    start.eq_ignore_ascii_case(lead).then_some(rest)
}
