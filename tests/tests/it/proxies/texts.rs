//! What the shipped files say, apart from what they do.

use crate::tree;

/// Each of them with the line that removes a header `Proxy`.
const FILES: [(&str, &str); 4] = [
    ("nginx.conf", "proxy_set_header Proxy \"\";"),
    ("apache.conf", "RequestHeader unset Proxy early"),
    ("haproxy.cfg", "http-request del-header Proxy"),
    ("Caddyfile", "header_up -Proxy"),
];

/// Words that serve files of the proxy's machine, or put an answer of the proxy in place of one of
/// the server.
const FALL_THROUGH: [&str; 14] = [
    "try_files",
    "error_page",
    "proxy_intercept_errors",
    "root ",
    "alias ",
    "autoindex",
    "ErrorDocument",
    "DocumentRoot",
    "Alias ",
    "ProxyErrorOverride On",
    "errorfile",
    "errorloc",
    "file_server",
    "handle_errors",
];

/// The lines that say something, each with a blank at its end.
fn settings(text: &str) -> String {
    let said = text.lines().filter_map(|line| line.split('#').next());
    let mut settings = String::new();
    for line in said.map(str::trim).filter(|line| !line.is_empty()) {
        settings.extend([line, " \n"]);
    }
    settings
}

fn falls_through(text: &str) -> Option<&'static str> {
    let text = settings(text);
    FALL_THROUGH.into_iter().find(|word| text.contains(word))
}

#[test]
fn p11_no_shipped_file_falls_through_to_files() {
    for (file, _) in FILES {
        let text = tree::read(&format!("deploy/{file}"));
        assert_eq!(falls_through(&text), None, "{file}");
    }
    assert_eq!(falls_through("  try_files $uri @door;"), Some("try_files"));
    assert_eq!(falls_through("ErrorDocument 404 /x"), Some("ErrorDocument"));
    assert_eq!(falls_through("# no ErrorDocument"), None);
}

#[test]
fn f9_every_shipped_file_removes_the_header_proxy() {
    for (file, line) in FILES {
        let text = settings(&tree::read(&format!("deploy/{file}")));
        assert!(text.contains(line), "{file}");
    }
}
