//! Names of environment variables: which are names at all, and which a client's value may not set.

/// Variables that change what code a program loads or runs, and those that Stagedoor itself sets.
const REFUSED: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "SHELL",
    "IFS",
    "ENV",
    "BASH_ENV",
    "BASHOPTS",
    "SHELLOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "CDPATH",
    "GLOBIGNORE",
    "FPATH",
    "ZDOTDIR",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "RES_OPTIONS",
    "CLASSPATH",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PAGER",
    "EDITOR",
    "VISUAL",
    "BROWSER",
    "LESSOPEN",
    "LESSCLOSE",
    "CREDENTIALS_DIRECTORY",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "VIRTUAL_ENV",
    "AWKPATH",
    "AWKLIBPATH",
    "MAKEFLAGS",
    "TERMINFO",
    "TERMCAP",
    "GOFLAGS",
    "GOROOT",
    "GOPATH",
    "GOENV",
    "GODEBUG",
    "GOTOOLCHAIN",
    "GOBIN",
];

const REFUSED_BEGINNINGS: &[&str] = &[
    "LD_",
    "DYLD_",
    "PYTHON",
    "PERL",
    "RUBY",
    "GEM_",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NPM_",
    "LUA_",
    "GIT_",
    "SSH_",
    "BASH_FUNC_",
    "MALLOC_",
    "STAGEDOOR_",
    "CARGO_",
    "DOTNET_",
    "COR_",
    "CORECLR_",
    "_RLD",
];

/// Is this the name of a variable that every shell can read?
pub(crate) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 128
}

/// May a client's value not stand in this variable?
pub(crate) fn is_refused(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    REFUSED.contains(&name.as_str())
        || REFUSED_BEGINNINGS
            .iter()
            .any(|beginning| name.starts_with(beginning))
}

/// The variable of a parameter that names none: `PARAM_DATABASE`.
pub(crate) fn name_of_param(param: &str) -> String {
    format!("PARAM_{}", param.to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_change_what_is_run_are_refused() {
        for name in [
            "PATH",
            "LD_PRELOAD",
            "BASH_ENV",
            "PYTHONPATH",
            "PERL5LIB",
            "STAGEDOOR_USER",
            "GIT_SSH_COMMAND",
            "path",
            "GOFLAGS",
        ] {
            assert!(is_refused(name), "{name}");
        }
        for name in [
            "DATABASE",
            "PARAM_PATH",
            "TZ",
            "LANG",
            "GOAL",
            "PGPASSWORD",
            "LDAP_HOST",
        ] {
            assert!(!is_refused(name), "{name}");
        }
    }

    #[test]
    fn a_name_is_what_a_shell_can_read() {
        assert!(["A", "_x", "A1_b"].into_iter().all(is_name));
        assert!(
            !["", "1A", "A-B", "A=B", "Ä", "A B"]
                .into_iter()
                .any(is_name)
        );
        assert_eq!(name_of_param("keep-days"), "PARAM_KEEP_DAYS");
    }
}
