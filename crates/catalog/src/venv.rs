//! `venv = "./env"`: a Python environment, whose interpreter starts the script.

use stagedoor_config::document::{Mark, Problems, Table};

use crate::launch::is_inside;
use crate::machine::join;

/// A Python environment.
pub(crate) struct Venv {
    /// Absolute.
    pub path: String,
    /// Where the definition names it.
    pub mark: Mark,
}

impl Venv {
    /// Reads the key; whether there is one is seen when its interpreter is looked for.
    pub fn read(table: &Table, root: &str, folder: &str, problems: &mut Problems) -> Option<Self> {
        let node = table.get("venv")?;
        let text = node.full_text(problems)?;
        let path = match text.strip_prefix("./") {
            Some(inside) if is_inside(inside) => join(root, &join(folder, inside)),
            None if text.starts_with('/') => text.trim_end_matches('/').to_owned(),
            _ => {
                let problem = node.mark.problem(format!(
                    "`{text}` is neither an absolute path nor one below the definition"
                ));
                problems.push(problem.mend("write `/srv/env`, or `./env` for a folder beside it"));
                return None;
            }
        };
        let mark = node.mark.clone();
        Some(Self { path, mark })
    }

    /// Its interpreter.
    pub fn python(&self) -> String {
        format!("{}/bin/python", self.path)
    }

    /// Adds what its own `activate` would set.
    pub fn extend(&self, env: &mut Vec<(String, String)>, search_path: &[String]) {
        let has = |env: &[(String, String)], name| env.iter().any(|(known, _)| known == name);
        if !has(env, "PATH") {
            let path = format!("{}/bin:{}", self.path, search_path.join(":"));
            env.push(("PATH".to_owned(), path));
        }
        if !has(env, "VIRTUAL_ENV") {
            env.push(("VIRTUAL_ENV".to_owned(), self.path.clone()));
        }
    }
}
