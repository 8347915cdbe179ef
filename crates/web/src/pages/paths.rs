//! The addresses of pages, and which of them somebody may be led to after signing in.

use stagedoor_domain::id::RunId;
use stagedoor_domain::name::{ScriptName, UserName};

/// The catalog.
pub(crate) const CATALOG: &str = "/";
/// The log-in page.
pub(crate) const LOGIN: &str = "/login";
/// One's own account.
pub(crate) const ACCOUNT: &str = "/account";
/// The history.
pub(crate) const RUNS: &str = "/runs";
/// Who cannot sign in for a while.
pub(crate) const BLOCKED: &str = "/admin/blocked";

/// The accounts, for administrators.
pub(crate) const USERS: &str = "/admin/users";
/// The grants, for administrators.
pub(crate) const GRANTS: &str = "/admin/grants";
/// Everybody's tokens, for administrators.
pub(crate) const ALL_TOKENS: &str = "/admin/tokens";
/// The stored secrets, for administrators.
pub(crate) const SECRETS: &str = "/admin/secrets";
/// One's own tokens.
pub(crate) const OWN_TOKENS: &str = "/account/tokens";
/// Where the owner of a link chooses a password.
pub(crate) const PASSWORD: &str = "/password";

/// An account, for administrators.
pub(crate) fn user(name: &UserName) -> String {
    format!("{USERS}/{name}")
}

/// The audit log.
pub(crate) const AUDIT_LOG: &str = "/admin/audit-log";

/// A script's form.
pub(crate) fn script(name: &ScriptName) -> String {
    format!("/scripts/{name}")
}

/// A run's page.
pub(crate) fn run(id: RunId) -> String {
    format!("{RUNS}/{id}")
}

/// What a run printed, as a page.
pub(crate) fn html(id: RunId) -> String {
    format!("{RUNS}/{id}/html")
}

/// One stream of a run's output, as it was written.
pub(crate) fn output(id: RunId, stream: &str) -> String {
    format!("/api/v1/runs/{id}/output?stream={stream}")
}

/// The log-in page, which leads on to `target` if that is a page of ours.
pub(crate) fn login_then(target: &str) -> String {
    query(LOGIN, &[("next", target)])
}

/// An address with a query.
pub(crate) fn query(path: &str, pairs: &[(&str, &str)]) -> String {
    match serde_urlencoded::to_string(pairs) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

/// Where to go after signing in: a page of ours, never another site. `//evil.example` and
/// `/\evil.example` begin like a path, and browsers take them for a host.
pub(crate) fn landing(next: &str) -> &str {
    let page = next.split('?').next().unwrap_or("");
    let is_page = page == CATALOG
        || [RUNS, ACCOUNT, OWN_TOKENS, "/admin"].contains(&page)
        || ["/runs/", "/scripts/", "/admin/"]
            .iter()
            .any(|start| page.starts_with(start));
    // Nor out of the base path: browsers resolve dots, also those that are written as `%2e`.
    let climbs = page.contains('%') || page.split('/').any(|part| matches!(part, "." | ".."));
    let is_plain =
        next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') && !next.contains("//") && !climbs;
    if is_page && is_plain { next } else { CATALOG }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_pages_of_ours() {
        for good in [
            "/",
            "/runs?script=a",
            "/scripts/ops/backup?x=1%2F",
            "/runs/0",
            "/admin/health",
        ] {
            assert_eq!(landing(good), good);
        }
    }

    #[test]
    fn signing_in_never_leads_elsewhere() {
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "evil",
            "/scripts//evil",
            "/runs/\\evil",
            "/login",
            "/logout",
            "/runs/../../other",
            "/runs/%2e%2E/x",
            "/scripts/./x?y",
            "/runs/\r\nX: y",
            "javascript:alert(1)",
            "/api/v1/me",
        ] {
            assert_eq!(landing(bad), CATALOG, "{bad:?}");
        }
    }

    #[test]
    fn what_stands_in_a_query_is_encoded() {
        assert_eq!(login_then("/runs?a=b&c"), "/login?next=%2Fruns%3Fa%3Db%26c");
        assert_eq!(query("/x", &[]), "/x");
    }
}
