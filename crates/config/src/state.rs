//! Where everything that lasts is kept.

use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// Nothing says where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "could not tell where to keep the state: neither --state, $STATE_DIRECTORY, $XDG_STATE_HOME nor $HOME is set; give --state DIR"
)]
pub struct NoState;

/// `--state`, `$STATE_DIRECTORY` (systemd's), as root `/var/lib/stagedoor`, else the XDG folder.
///
/// # Errors
/// None of them is set.
pub fn state_directory(
    flag: Option<&Path>,
    environment: &Environment,
    is_root: bool,
) -> Result<PathBuf, NoState> {
    if let Some(flag) = flag {
        return Ok(flag.to_owned());
    }
    // systemd joins several with colons; the first is ours.
    let from_systemd = environment
        .get("STATE_DIRECTORY")
        .and_then(|all| all.split(':').next());
    if let Some(folder) = absolute(from_systemd) {
        return Ok(folder.to_owned());
    }
    if is_root {
        return Ok(PathBuf::from("/var/lib/stagedoor"));
    }
    let xdg = absolute(environment.get("XDG_STATE_HOME")).map(Path::to_owned);
    let home = absolute(environment.get("HOME")).map(|home| home.join(".local/state"));
    xdg.or(home)
        .map(|folder| folder.join("stagedoor"))
        .ok_or(NoState)
}

/// The XDG specification tells to ignore relative paths.
fn absolute(path: Option<&str>) -> Option<&Path> {
    path.map(Path::new).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(flag: Option<&str>, variables: &[(&str, &str)], is_root: bool) -> Option<String> {
        let environment = variables
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let found = state_directory(flag.map(Path::new), &environment, is_root).ok()?;
        found.to_str().map(str::to_owned)
    }

    #[test]
    fn the_first_that_is_set_wins() {
        let all = [
            ("STATE_DIRECTORY", "/run/s:/run/t"),
            ("XDG_STATE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(folder(Some("rel"), &all, true), text("rel"));
        assert_eq!(folder(None, &all, true), text("/run/s"));
        assert_eq!(folder(None, &all[1..], true), text("/var/lib/stagedoor"));
        assert_eq!(folder(None, &all[1..], false), text("/x/stagedoor"));
        assert_eq!(
            folder(None, &all[2..], false),
            text("/h/.local/state/stagedoor")
        );
        assert_eq!(
            folder(None, &[("XDG_STATE_HOME", "rel"), ("HOME", "/h")], false),
            text("/h/.local/state/stagedoor")
        );
        assert_eq!(folder(None, &[("HOME", "")], false), None);
    }
}
