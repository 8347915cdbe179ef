//! Where people find this server: for links that are handed on to somebody else.

use http::HeaderMap;
use http::header::HOST;

use crate::front::without_port;

/// What the operator says of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Site {
    /// `public_host`.
    pub hosts: Vec<String>,
    /// The whole address of the first of them, without a path.
    pub address: Option<String>,
}

impl Site {
    /// Scheme and host for a link, from a request that the gate has let in. Where somebody works at
    /// a name that is this machine's alone, others need the public one.
    pub fn of_link(&self, headers: &HeaderMap, is_secure: bool) -> String {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default();
        let name = without_port(host);
        let is_public = self.hosts.iter().any(|one| one.eq_ignore_ascii_case(name));
        match &self.address {
            Some(address) if !is_public => address.clone(),
            _ if is_secure => format!("https://{host}"),
            _ => format!("http://{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_public_host_wherever_it_was_made() {
        let site = Site {
            hosts: vec!["a.example".to_owned(), "b.example".to_owned()],
            address: Some("https://a.example".to_owned()),
        };
        let none = Site::default();
        for (site, host, is_secure, link) in [
            (&site, "localhost:7373", false, "https://a.example"),
            (&site, "127.0.0.1:7373", false, "https://a.example"),
            (&site, "a.example", true, "https://a.example"),
            (&site, "B.example:8443", true, "https://B.example:8443"),
            (&none, "localhost:7373", false, "http://localhost:7373"),
            (&none, "[::1]:7373", true, "https://[::1]:7373"),
        ] {
            let headers = HeaderMap::from_iter([(HOST, host.parse().expect("a value"))]);
            assert_eq!(site.of_link(&headers, is_secure), link, "{host}");
        }
    }
}
