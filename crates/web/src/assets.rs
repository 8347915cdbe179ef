//! Static files, inside the binary. Their address holds a hash over all of them, so they may be
//! kept for ever, and a module may import another one by its plain name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use rust_embed::{Embed, EmbeddedFile};

use crate::headers::Immutable;
use crate::problem::Problem;
use crate::routes::{Access, Route};

#[derive(Embed)]
#[folder = "$CARGO_MANIFEST_DIR/static"]
struct Files;

/// One file, with all that is said of it.
struct Asset {
    address: String,
    integrity: String,
    tag: HeaderValue,
    kind: HeaderValue,
    data: Bytes,
}

/// All of them by name, made at the first request: the hashes were taken when the binary was built.
static ASSETS: LazyLock<BTreeMap<String, Asset>> = LazyLock::new(|| {
    let files: Vec<_> = Files::iter()
        .filter_map(|name| Some((Files::get(&name)?, name)))
        .collect();
    let assets = files.into_iter().filter_map(|(file, name)| {
        let asset = Asset::new(&name, file)?;
        Some((name.into_owned(), asset))
    });
    assets.collect()
});

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
    hex(&all)
});

impl Asset {
    /// None of what is not served.
    fn new(name: &str, file: EmbeddedFile) -> Option<Self> {
        let hash = file.metadata.sha256_hash();
        let data = match file.data {
            Cow::Borrowed(data) => Bytes::from_static(data),
            Cow::Owned(data) => data.into(),
        };
        Some(Self {
            address: address(name),
            integrity: format!("sha256-{}", STANDARD.encode(hash)),
            tag: HeaderValue::from_str(&tag(&hash)).ok()?,
            kind: HeaderValue::from_static(kind(name)?),
            data,
        })
    }
}

fn address(name: &str) -> String {
    format!("/static/{}/{name}", *VERSION)
}

/// The address of a static file for templates: `asset("style.css")`.
pub(crate) fn asset(name: &str) -> Cow<'static, str> {
    let asset = ASSETS.get(name);
    asset.map_or_else(|| address(name).into(), |asset| (&*asset.address).into())
}

/// A script for templates: where it is, and what it must be. A browser runs nothing else under that
/// address, whatever stands between it and this server. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    /// The address.
    pub address: Cow<'static, str>,
    /// For the attribute `integrity`.
    pub integrity: Cow<'static, str>,
}

/// A script by its name: `script("run.js")`.
pub(crate) fn script(name: &str) -> Script {
    let integrity = ASSETS.get(name).map(|asset| &*asset.integrity);
    Script {
        address: asset(name),
        integrity: integrity.unwrap_or_default().into(),
    }
}

/// Its routes.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/static/{version}/{file}", Access::Public, file),
        Route::get("/favicon.ico", Access::Public, favicon),
    ]
}

/// Our pages name their icon; where a browser guesses, beside what is no page, there is none.
async fn favicon() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn file(
    Path((version, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asset = (version == *VERSION).then(|| ASSETS.get(&name)).flatten();
    let asset = asset.ok_or_else(Problem::not_found)?;
    let mut response = if is_known(&headers, &asset.tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = [(CONTENT_TYPE, asset.kind.clone())];
        (kind, asset.data.clone()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, asset.tag.clone());
    response.extensions_mut().insert(Immutable);
    Ok(response)
}

/// A strong tag of the content alone: equal files have equal tags on every machine (row F7).
fn tag(hash: &[u8; 32]) -> String {
    format!("\"{}\"", hex(hash.get(..16).unwrap_or_default()))
}

/// Has the client this content already? `If-None-Match` compares weakly (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter();
    lines.filter_map(|line| line.to_str().ok()).any(|line| {
        line.split(',')
            .map(str::trim)
            .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Only what is listed is served.
fn kind(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml; charset=utf-8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_static_file_is_served_under_its_own_version_only() {
        let get = |version: &str, name: &str| {
            let path = Path((version.to_owned(), name.to_owned()));
            file(path, HeaderMap::new())
        };
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

    #[test]
    fn each_file_is_served_and_said_once_for_all() {
        assert_eq!(ASSETS.len(), Files::iter().count(), "each has a type");
        let one = script("run.js");
        assert!(one.integrity.starts_with("sha256-") && one.integrity.len() == 51);
        // Nothing of it belongs to the one who asked.
        assert!(matches!(one.address, Cow::Borrowed(_)));
        assert!(matches!(one.integrity, Cow::Borrowed(_)));
        assert_eq!(one.address, format!("/static/{}/run.js", *VERSION));
        assert_eq!(
            asset("style.css"),
            format!("/static/{}/style.css", *VERSION)
        );
    }

    #[tokio::test]
    async fn what_the_client_has_is_not_sent_again() {
        let tag = tag(&Files::get("style.css")
            .expect("there")
            .metadata
            .sha256_hash());
        let other = "\"0123456789abcdef0123456789abcdef\"";
        let rows = [
            (tag.clone(), 304),
            (format!("W/{tag}"), 304),
            (format!("{other}, {tag}"), 304),
            ("*".to_owned(), 304),
            (other.to_owned(), 200),
            (tag.trim_matches('"').to_owned(), 200),
            (String::new(), 200),
        ];
        for (known, status) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, known.parse().expect("a header"));
            let path = Path(((*VERSION).clone(), "style.css".to_owned()));
            let answer = file(path, headers).await.expect("the file");
            assert_eq!(answer.status(), status, "{known:?}");
            assert_eq!(answer.headers()[ETAG], tag, "{known:?}");
            let has_type = answer.headers().contains_key(CONTENT_TYPE);
            assert_eq!(has_type, status == 200, "{known:?}");
        }
    }
}
