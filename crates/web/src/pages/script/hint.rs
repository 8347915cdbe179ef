//! What may be written into a field, in words.

use stagedoor_domain::param::{Bounds, Kind, Param, PathKind};

use super::given::is_one_per_line;

/// What may be written here, in a short sentence or two; not what the error says already.
pub(super) fn hint(param: &Param, error: &str) -> String {
    let Bounds {
        min,
        max,
        step,
        min_length,
        max_length,
        min_items,
        max_items,
        ..
    } = &param.bounds;
    let mut parts = Vec::new();
    if is_one_per_line(param) {
        parts.push("One on each line.".to_owned());
    }
    parts.extend(between("", min.as_ref(), max.as_ref()));
    if let Some(step) = step {
        parts.push(format!("In steps of {step}."));
    }
    parts.extend(between(
        " characters",
        min_length.as_ref(),
        max_length.as_ref(),
    ));
    parts.extend(between(" values", min_items.as_ref(), max_items.as_ref()));
    if param.bounds.pattern.is_some() {
        parts.extend(
            param
                .bounds
                .pattern_help
                .clone()
                .filter(|help| !error.contains(help.as_str())),
        );
    }
    match param.kind {
        Kind::Duration => parts.push("Such as 30s, 10m or 1h30m.".to_owned()),
        Kind::Json => parts.push("JSON.".to_owned()),
        _ => {}
    }
    if let Some(rule) = &param.path {
        let kind = match rule.kind {
            PathKind::File => "A file",
            PathKind::Folder => "A folder",
            PathKind::Any => "A file or folder",
        };
        parts.push(format!("{kind} below {}.", rule.root));
    }
    if param.secret {
        parts.push("Secret: kept only until the run has ended, and never shown.".to_owned());
    }
    parts.join(" ")
}

fn between<T: std::fmt::Display>(unit: &str, min: Option<&T>, max: Option<&T>) -> Option<String> {
    match (min, max) {
        (Some(min), Some(max)) => Some(format!("From {min} to {max}{unit}.")),
        (Some(min), None) => Some(format!("At least {min}{unit}.")),
        (None, Some(max)) => Some(format!("At most {max}{unit}.")),
        (None, None) => None,
    }
}
