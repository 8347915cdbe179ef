//! The page that asks for the password before an administrative act.

use askama::Template;
use axum::response::Response;
use http::{StatusCode, Uri};

use super::said;
use super::shell::Shell;
use super::stale::here;
use crate::safe_form::Fields;
use crate::session::Me;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct ConfirmPage<'a> {
    pub shell: Shell,
    pub action: &'a str,
    pub name: String,
    pub fields: Vec<&'a (String, String)>,
    /// Something that was filled in is not kept.
    pub left_out: bool,
    pub counts_for: String,
    pub error: Option<&'a str>,
}

/// What waits for the password.
pub(crate) struct Asked<'a> {
    /// The address of the act.
    pub at: &'a Uri,
    /// What its form held.
    pub fields: &'a Fields,
    /// What was wrong with the last attempt.
    pub error: Option<&'a str>,
}

/// Carries the act's fields, but for secrets.
pub(crate) fn page(state: &AppState, me: &Me, asked: &Asked<'_>) -> Response {
    let action = asked.at.path_and_query();
    let kept = |(name, value): &&(String, String)| !is_secret(name) || value.is_empty();
    let page = ConfirmPage {
        shell: Shell::of(state, me, here(asked.at.path())),
        action: action.map_or("/", |action| action.as_str()),
        name: me.0.user.name.to_string(),
        fields: asked.fields.0.iter().filter(kept).collect(),
        left_out: !asked.fields.0.iter().all(|field| kept(&field)),
        counts_for: said::limit(state.app.options().session.confirmed_for),
        error: asked.error,
    };
    super::page(StatusCode::FORBIDDEN, &page)
}

/// A field whose value is never written into a page again. Every password field of our templates
/// has such a name.
pub(crate) fn is_secret(name: &str) -> bool {
    name == "again" || name.contains("password") || name.contains("secret")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_password_field_of_a_template_is_known_as_a_secret() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut seen = 0;
        for file in std::fs::read_dir(folder).expect("the templates") {
            let path = file.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("text");
            for input in text.split("<input").skip(1) {
                let input = input.split('>').next().unwrap_or("");
                if !input.contains("type=\"password\"") {
                    continue;
                }
                let name = input.split(" name=\"").nth(1).expect("a name");
                let name = name.split('"').next().expect("its end");
                assert!(
                    name.contains("{{") || is_secret(name),
                    "{}: {name}",
                    path.display()
                );
                seen += 1;
            }
        }
        assert!(seen > 3, "{seen}");
        assert!(!is_secret("name") && !is_secret("group"));
    }
}
