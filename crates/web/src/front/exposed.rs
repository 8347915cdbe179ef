//! Bearer tokens in requests that crossed a network in the clear.

/// The token of an `Authorization` field.
pub(super) fn token(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim())
}

/// The first one of a head that nobody has parsed.
pub(super) fn token_in(head: &str) -> Option<&str> {
    let fields = head.lines().take_while(|line| !line.is_empty());
    fields
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .find_map(|(_, value)| token(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f12_a_token_is_found_in_the_head_and_nowhere_else() {
        for (head, found) in [
            (
                "GET / HTTP/1.1\r\nAuthorization: Bearer sd_a\r\n\r\n",
                Some("sd_a"),
            ),
            (
                "GET / HTTP/1.1\r\nhost: a\r\nauthorization:bearer  sd_a \r\n",
                Some("sd_a"),
            ),
            ("GET / HTTP/1.1\nAUTHORIZATION: BEARER sd_a", Some("sd_a")),
            (
                "GET / HTTP/1.1\r\nauthorization: Basic x\r\nauthorization: Bearer sd_a\r\n\r\n",
                Some("sd_a"),
            ),
            ("GET / HTTP/1.1\r\n\r\nauthorization: Bearer sd_a\r\n", None),
            (
                "GET / HTTP/1.1\r\nx-authorization: Bearer sd_a\r\n\r\n",
                None,
            ),
            ("GET / HTTP/1.1\r\nauthorization: Bearer\r\n\r\n", None),
            ("GET / HTTP/1.1\r\nauthorization: Basic sd_a\r\n\r\n", None),
            ("\u{fffd}\0", None),
            ("", None),
        ] {
            assert_eq!(token_in(head), found, "{head}");
        }
    }
}
