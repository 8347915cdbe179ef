//! An HTML form as a browser without JavaScript sees it: what it would send, and where.

use std::fmt::Write as _;

/// A form of a page.
#[derive(Debug, Clone)]
pub struct Form {
    /// Where it is sent.
    pub action: String,
    /// What it sends if nothing is changed, in order.
    pub fields: Vec<(String, String)>,
    /// Every name that a field has, also those that send nothing as they are.
    pub names: Vec<String>,
}

/// A tag with its attributes, and the text up to the next tag.
struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(String, String)>,
    text: &'a str,
}

impl Tag<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

fn decode(text: &str) -> String {
    const NAMED: &[(&str, &str)] = &[
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    NAMED
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The tags of a page in order. Good enough for pages that our own templates make.
fn tags(page: &str) -> Vec<Tag<'_>> {
    let mut found = Vec::new();
    for piece in page.split('<').skip(1) {
        let Some((inside, text)) = split_tag(piece) else {
            continue;
        };
        let name_end = inside
            .find(|c: char| c.is_whitespace())
            .unwrap_or(inside.len());
        let (name, rest) = inside.split_at(name_end);
        found.push(Tag {
            name,
            attributes: attributes(rest),
            text,
        });
    }
    found
}

/// Splits at the `>` that ends the tag, not at one inside a quoted value.
fn split_tag(piece: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let at = piece.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == '>' && !quoted
    })?;
    Some((piece[..at.0].trim_end_matches('/'), &piece[at.0 + 1..]))
}

fn attributes(mut rest: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start();
        let end = rest
            .find(|c: char| c.is_whitespace() || c == '=')
            .unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() {
            return found;
        }
        rest = &rest[end..];
        let value = match rest.strip_prefix("=\"") {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').expect("a closed attribute");
                rest = after;
                decode(value)
            }
            None => String::new(),
        };
        found.push((name.to_owned(), value));
    }
}

/// The forms of a page that are sent by POST.
pub fn forms(page: &str) -> Vec<Form> {
    let mut found: Vec<Form> = Vec::new();
    let mut inside = false;
    let mut select: Option<(String, bool, bool)> = None; // name, chosen already, several
    for tag in tags(page) {
        match tag.name {
            "form" => {
                inside = tag
                    .get("method")
                    .is_some_and(|method| method.eq_ignore_ascii_case("post"));
                if inside {
                    let action = tag.get("action").unwrap_or_default().to_owned();
                    found.push(Form {
                        action,
                        fields: Vec::new(),
                        names: Vec::new(),
                    });
                }
            }
            "/form" => inside = false,
            _ if !inside => {}
            "select" => {
                let name = tag.get("name").unwrap_or_default().to_owned();
                select = Some((name.clone(), false, tag.has("multiple")));
                found.last_mut().expect("a form").names.push(name);
            }
            "/select" => select = None,
            "option" => option(&tag, &mut select, found.last_mut().expect("a form")),
            "input" | "textarea" | "button" => field(&tag, found.last_mut().expect("a form")),
            _ => {}
        }
    }
    found
}

fn option(tag: &Tag<'_>, select: &mut Option<(String, bool, bool)>, form: &mut Form) {
    let Some((name, chosen, several)) = select else {
        return;
    };
    let value = tag
        .get("value")
        .map_or_else(|| decode(tag.text.trim()), str::to_owned);
    if tag.has("disabled") {
        return;
    }
    // Without a chosen one a browser sends the first that can be chosen.
    if tag.has("selected") && !*several {
        form.fields.retain(|(key, _)| key != name);
        form.fields.push((name.clone(), value));
        *chosen = true;
    } else if tag.has("selected") || (!*chosen && !*several) {
        form.fields.push((name.clone(), value));
        *chosen = true;
    }
}

fn field(tag: &Tag<'_>, form: &mut Form) {
    let (Some(name), false) = (tag.get("name"), tag.has("disabled")) else {
        return;
    };
    form.names.push(name.to_owned());
    let kind = tag.get("type").unwrap_or_default();
    let sends = match (tag.name, kind) {
        ("button", _) | (_, "submit" | "button" | "reset") => false,
        (_, "checkbox" | "radio") => tag.has("checked"),
        _ => true,
    };
    if sends {
        let value = match tag.name {
            "textarea" => decode(tag.text).trim_start_matches('\n').to_owned(),
            _ => tag
                .get("value")
                .unwrap_or(if kind == "checkbox" { "on" } else { "" })
                .to_owned(),
        };
        form.fields.push((name.to_owned(), value));
    }
}

impl Form {
    /// The form of the page whose address ends in this.
    #[track_caller]
    pub fn of(page: &str, action: &str) -> Self {
        let forms = forms(page);
        let actions: Vec<String> = forms.iter().map(|form| form.action.clone()).collect();
        forms
            .into_iter()
            .find(|form| form.action.ends_with(action))
            .unwrap_or_else(|| panic!("no form goes to {action}, only to {actions:?}:\n{page}"))
    }

    /// Fills in a field.
    #[track_caller]
    pub fn fill(mut self, name: &str, value: &str) -> Self {
        assert!(
            self.names.iter().any(|known| known == name),
            "no field {name} among {:?}",
            self.names
        );
        self.fields.retain(|(key, _)| key != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As `application/x-www-form-urlencoded`.
    pub fn body(&self) -> String {
        let pairs = self
            .fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => write!(encoded, "%{byte:02X}").expect("a string takes all"),
        }
    }
    encoded
}

#[test]
fn a_form_sends_what_a_browser_would() {
    let page = r#"<form method="get" action="/x"><input name="q"></form>
        <form method="post" action="/y"><input type="hidden" name="csrf_token" value="a&amp;b">
        <input name="text" value="&lt;1&gt;"><textarea name="long">
one</textarea><input type="checkbox" name="off"><input type="checkbox" name="on" value="true" checked>
        <select name="s"><option value="1" disabled>One</option><option>Two</option></select>
        <select name="t"><option value="1">One</option><option value="2" selected>Two</option></select>
        <button name="go" value="1">Go</button></form>"#;
    let form = Form::of(page, "/y");
    assert_eq!(
        form.body(),
        "csrf_token=a%26b&text=%3C1%3E&long=one&on=true&s=Two&t=2"
    );
    assert_eq!(
        form.fill("text", "ü").body(),
        "csrf_token=a%26b&long=one&on=true&s=Two&t=2&text=%C3%BC"
    );
}
