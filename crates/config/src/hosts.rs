//! Names by which browsers reach the server.

use std::net::IpAddr;

use crate::document::{Node, Problems, Value};

/// Reads one name or a list of them, in small letters, IDN as punycode.
pub(crate) fn read(node: Option<&Node>, problems: &mut Problems) -> Vec<String> {
    let items = match node.map(|node| (node, &node.value)) {
        None => return Vec::new(),
        Some((_, Value::List(items))) => items.as_slice(),
        Some((node, _)) => std::slice::from_ref(node),
    };
    items
        .iter()
        .filter_map(|item| one(item, problems))
        .collect()
}

fn one(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.full_text(problems)?;
    let mut refuse = |message: &str, mend: String| {
        problems.push(node.mark.problem(format!("`{text}` {message}")).mend(mend));
    };
    let rest = text
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let is_ipv6 = text
        .trim_matches(['[', ']'])
        .parse::<std::net::Ipv6Addr>()
        .is_ok();
    if rest != text || (text.contains([':', '/']) && !is_ipv6) {
        let host = rest.split([':', '/']).next().unwrap_or_default();
        refuse("is more than a host's name", format!("write `{host}`"));
        return None;
    }
    let bare = if is_ipv6 {
        format!("[{}]", text.trim_matches(['[', ']']))
    } else {
        text.clone()
    };
    let Ok(host) = url::Host::parse(&bare) else {
        refuse(
            "is not a host's name",
            "write a name such as `scripts.example.org`".to_owned(),
        );
        return None;
    };
    let host = host.to_string();
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !is_address && !host.chars().all(fits) {
        refuse(
            "is not a host's name",
            "write a name such as `scripts.example.org`; there are no wildcards".to_owned(),
        );
        return None;
    }
    if !text.is_ascii() {
        refuse(
            "is sent by browsers in another spelling",
            format!("write `{host}`"),
        );
        return None;
    }
    Some(host.trim_end_matches('.').to_owned())
}
