//! `GET /openapi.json`: the description of this API, made from the types that are served.

mod absent;
mod refusals;

use std::sync::LazyLock;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use utoipa::openapi::Server;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use absent::Absent;
use refusals::{ProblemText, Refusals};

use crate::api::{admin, audit_log, events, lines, me, output, runs, scripts, start};
use crate::state::AppState;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Stagedoor",
        description = "Starts scripts, follows them and reads what they printed. Errors are problem \
            details (RFC 9457), `application/problem+json`. Every call needs a session cookie or \
            `Authorization: Bearer sd_…`; what a caller may not see is answered as if it did not exist.",
        version = "1",
    ),
    paths(
        scripts::list, scripts::one, start::start, runs::list, runs::one, runs::stop,
        output::output, lines::lines, lines::search, events::events, me::me, me::csrf,
        admin::users, admin::groups, admin::tokens, admin::secrets, audit_log::list, openapi,
    ),
    components(schemas(ProblemText)),
    modifiers(&Security, &Refusals, &Absent),
    security(("token" = []), ("session" = [])),
)]
struct Description;

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let cookie = ApiKeyValue::new("SessionID-<port>");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// Made once: it is the same for every caller. A base path is rare, and so are its readers.
static TEXT: LazyLock<String> =
    LazyLock::new(|| Description::openapi().to_json().unwrap_or_default());

/// For a server whose paths all stand below this one.
fn below(base: &str) -> String {
    let mut description = Description::openapi();
    description.servers = Some(vec![Server::new(base)]);
    description.to_json().unwrap_or_default()
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "me", responses(
    (status = 200, content_type = "application/json", description = "OpenAPI 3.1"),
))]
pub(super) async fn openapi(State(state): State<AppState>) -> Response {
    let kind = [(CONTENT_TYPE, "application/json")];
    match state.base.as_str() {
        "" => (kind, TEXT.as_str()).into_response(),
        base => (kind, below(base)).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn described() -> serde_json::Value {
        serde_json::from_str(&TEXT).expect("JSON")
    }

    #[test]
    fn the_description_has_exactly_the_routes_of_the_table() {
        let json = described();
        let described: BTreeSet<(String, String)> = json["paths"]
            .as_object()
            .expect("paths")
            .iter()
            .flat_map(|(path, calls)| {
                let calls = calls.as_object().expect("calls");
                calls
                    .keys()
                    .map(move |method| (method.to_uppercase(), path.clone()))
            })
            .collect();
        let served: BTreeSet<(String, String)> = crate::routes::table()
            .into_iter()
            .filter(|route| route.path.starts_with("/api/"))
            .map(|route| (route.method.to_owned(), route.path.replace("{*", "{")))
            .collect();
        assert_eq!(described, served);
        assert!(served.len() >= 13, "{served:?}");
    }

    #[test]
    fn it_is_openapi_3_1_and_every_reference_leads_somewhere() {
        let json = described();
        assert!(
            json["openapi"]
                .as_str()
                .expect("a version")
                .starts_with("3.1")
        );
        let mut refs = Vec::new();
        references(&json, &mut refs);
        assert!(!refs.is_empty());
        for reference in refs {
            let pointer = reference.trim_start_matches('#');
            assert!(json.pointer(pointer).is_some(), "{reference}");
        }
    }

    /// Every call of the description.
    fn calls(json: &serde_json::Value) -> impl Iterator<Item = &serde_json::Value> {
        let paths = json["paths"].as_object().expect("paths");
        paths
            .values()
            .flat_map(|calls| calls.as_object().expect("calls").values())
    }

    #[test]
    fn what_stands_in_a_query_is_said_to_and_may_be_left_out_and_is_never_null() {
        let json = described();
        let mut keys = 0;
        for call in calls(&json) {
            for parameter in call["parameters"].as_array().into_iter().flatten() {
                let is_path = ["id", "name"].contains(&parameter["name"].as_str().expect("a name"));
                assert_eq!(parameter["in"] == "path", is_path, "{parameter}");
                let must = is_path || parameter["name"] == "q";
                assert_eq!(parameter["required"], must, "{parameter}");
                assert!(parameter["schema"]["type"].is_string(), "{parameter}");
                keys += 1;
            }
        }
        assert!(keys > 20, "{keys}");
    }

    #[test]
    fn every_refusal_is_described_as_problem_details() {
        let json = described();
        for call in calls(&json) {
            let responses = call["responses"].as_object().expect("responses");
            for status in ["400", "401", "403", "414", "431", "503"] {
                assert!(responses.contains_key(status), "{status} of {call}");
            }
            for (status, response) in responses.iter().filter(|(s, _)| s.as_str() >= "400") {
                let content = response["content"].as_object().expect("content");
                let kinds: Vec<&String> = content.keys().collect();
                let kind = if refusals::BEFORE_ROUTING.contains(&status.as_str()) {
                    "text/plain"
                } else {
                    "application/problem+json"
                };
                assert_eq!(kinds, [kind], "{status} of {call}");
            }
        }
    }

    #[test]
    fn a_line_is_described_as_a_string_or_a_list() {
        let json = described();
        let lines = "/components/schemas/Lines/properties/lines";
        let lines = json.pointer(lines).expect("the member");
        assert_eq!(lines["type"], "array");
        let line = &lines["items"]["oneOf"];
        assert_eq!(line[0]["type"], "string", "{lines}");
        assert_eq!(line[1]["type"], "array", "{lines}");
        assert_eq!(line[1]["prefixItems"][0]["type"], "string", "{lines}");
        assert_eq!(line[1]["items"]["type"], "integer", "{lines}");
    }

    fn references<'a>(json: &'a serde_json::Value, found: &mut Vec<&'a str>) {
        match json {
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    match value.as_str().filter(|_| key == "$ref") {
                        Some(reference) => found.push(reference),
                        None => references(value, found),
                    }
                }
            }
            serde_json::Value::Array(items) => {
                for item in items {
                    references(item, found);
                }
            }
            _ => {}
        }
    }
}
