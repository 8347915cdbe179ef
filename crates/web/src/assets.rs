//! Static files, inside the binary. Their address holds a hash over all of them, so they may be
//! kept for ever, and a module may import another one by its plain name.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use rust_embed::Embed;

use crate::headers::Immutable;
use crate::problem::Problem;
use crate::routes::{Access, Route};

#[derive(Embed)]
#[folder = "$CARGO_MANIFEST_DIR/static"]
struct Files;

/// Sixteen hex digits that change with any file.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    let all = names
        .iter()
        .filter_map(|name| Files::get(name))
        .fold([0_u8; 8], |mut all, file| {
            for (sum, byte) in all.iter_mut().zip(file.metadata.sha256_hash()) {
                *sum = sum.rotate_left(3) ^ byte;
            }
            all
        });
    all.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
});

/// The address of a static file for templates: `asset("style.css")`.
pub(crate) fn asset(name: &str) -> String {
    format!("/static/{}/{name}", *VERSION)
}

/// `GET /static/{version}/{file}`
pub(crate) fn route() -> Route {
    Route::get("/static/{version}/{file}", Access::Public, file)
}

async fn file(Path((version, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let file = (version == *VERSION).then(|| Files::get(&name)).flatten();
    let file = file.ok_or_else(Problem::not_found)?;
    let kind = kind(&name).ok_or_else(Problem::not_found)?;
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(kind))];
    let mut response = (headers, file.data).into_response();
    response.extensions_mut().insert(Immutable);
    Ok(response)
}

/// Only what is listed is served.
fn kind(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_static_file_is_served_under_its_own_version_only() {
        let get = |version: &str, name: &str| file(Path((version.to_owned(), name.to_owned())));
        assert!(get(&VERSION, "style.css").await.is_ok());
        for (version, name) in [
            ("0", "style.css"),
            (&**VERSION, "../Cargo.toml"),
            (&**VERSION, "x.css"),
        ] {
            assert!(get(version, name).await.is_err(), "{name}");
        }
        assert_eq!(VERSION.len(), 16);
    }
}
