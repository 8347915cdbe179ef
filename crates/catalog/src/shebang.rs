//! How the kernel would start a file, judged by its first bytes.

/// The kernel reads this much of the first line (`BINPRM_BUF_SIZE`).
const LONGEST_LINE: usize = 255;

/// What the first bytes say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// A program, or a format that is not ours to judge: the kernel decides.
    Program,
    /// A script with an interpreter.
    Script {
        /// Absolute path.
        interpreter: String,
        /// The single argument that the kernel passes on.
        argument: Option<String>,
    },
    /// Cannot start; why, and the mend.
    Bad(&'static str, &'static str),
}

const ADD_SHEBANG: &str =
    "make the first line a shebang, such as `#!/usr/bin/env bash`, or set `interpreter`";
const FIX_PATH: &str = "write the interpreter's whole path, as in `#!/usr/bin/env python3`";

/// Judges a file by the first bytes; more than 256 are not looked at.
pub(crate) fn judge(head: &[u8]) -> Start {
    let head = head.get(..256).unwrap_or(head);
    if head.is_empty() {
        return Start::Bad("the file is empty", ADD_SHEBANG);
    }
    if head.starts_with(b"\xEF\xBB\xBF#!") {
        return Start::Bad(
            "a byte order mark stands before the shebang, so the system does not see it",
            "save the file as UTF-8 without a byte order mark",
        );
    }
    let Some(rest) = head.strip_prefix(b"#!") else {
        return if head.contains(&0) || head.starts_with(b"\x7fELF") {
            Start::Program
        } else {
            Start::Bad(
                "the file is neither a program nor begins with a shebang",
                ADD_SHEBANG,
            )
        };
    };
    let Some(line) = rest
        .split(|byte| *byte == b'\n')
        .next()
        .filter(|line| line.len() + 2 <= LONGEST_LINE)
    else {
        return Start::Bad(
            "the first line is longer than the system reads",
            "write a shorter shebang",
        );
    };
    shebang(line)
}

fn shebang(line: &[u8]) -> Start {
    if line.ends_with(b"\r") {
        return Start::Bad(
            "the first line ends with CR LF, so the system looks for an interpreter whose name ends with CR",
            "save the file with Unix line ends (`sed -i 's/\\r$//' FILE`)",
        );
    }
    let Ok(line) = std::str::from_utf8(line) else {
        return Start::Bad("the shebang is not UTF-8", FIX_PATH);
    };
    let line = line.trim_matches([' ', '\t']);
    let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    if interpreter.is_empty() {
        return Start::Bad("the shebang names no interpreter", FIX_PATH);
    }
    if !interpreter.starts_with('/') {
        return Start::Bad(
            "the shebang's interpreter is not an absolute path",
            FIX_PATH,
        );
    }
    let argument = argument.trim_matches([' ', '\t']);
    Start::Script {
        interpreter: interpreter.to_owned(),
        argument: (!argument.is_empty()).then(|| argument.to_owned()),
    }
}

/// The program that `env` would look for: `python3` of `-S python3 -u`.
pub(crate) fn program_of_env(argument: &str) -> Option<&str> {
    let split = argument
        .strip_prefix("-S")
        .or_else(|| argument.strip_prefix("--split-string="));
    match split {
        None if argument.starts_with('-') || argument.contains('=') => None,
        None => Some(argument),
        // With further options of env in front nobody can tell cheaply; the kernel will.
        Some(words) => words
            .split_whitespace()
            .find(|word| !word.contains('='))
            .filter(|word| !word.starts_with('-')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_bad(head: &[u8]) -> bool {
        matches!(judge(head), Start::Bad(..))
    }

    #[test]
    fn a_shebang_is_split_as_the_kernel_does() {
        let script = |interpreter: &str, argument: Option<&str>| Start::Script {
            interpreter: interpreter.to_owned(),
            argument: argument.map(str::to_owned),
        };
        assert_eq!(judge(b"#!/bin/sh\necho"), script("/bin/sh", None));
        assert_eq!(judge(b"#! /bin/sh -eu \n"), script("/bin/sh", Some("-eu")));
        assert_eq!(
            judge(b"#!/usr/bin/env -S uv run\n"),
            script("/usr/bin/env", Some("-S uv run"))
        );
        assert_eq!(judge(b"\x7fELF\x02"), Start::Program);
    }

    #[test]
    fn what_the_kernel_could_not_start_is_bad() {
        for head in [
            b"".as_slice(),
            b"#!\n",
            b"#! \n",
            b"#!bash\n",
            b"#!/bin/sh\r\n",
            b"echo hello\n",
            b"\xEF\xBB\xBF#!/bin/sh\n",
            b"#!/\xff\n",
        ] {
            assert!(is_bad(head), "{head:?}");
        }
        assert!(is_bad(format!("#!/{}\n", "x".repeat(300)).as_bytes()));
        assert!(!is_bad(format!("#!/{}\n", "x".repeat(200)).as_bytes()));
    }

    #[test]
    fn the_program_behind_env_is_found() {
        assert_eq!(program_of_env("python3"), Some("python3"));
        assert_eq!(program_of_env("-S uv run --script"), Some("uv"));
        assert_eq!(program_of_env("-S A=1 python3 -u"), Some("python3"));
        assert_eq!(program_of_env("-i"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(bytes: Vec<u8>) {
            let _ = judge(&bytes);
        }
    }
}
