//! What a definition starts: its own file, or a command.

use stagedoor_config::document::{Mark, Node, Problem, Problems, Table, Value};
use stagedoor_domain::script::{Fingerprint, Launch};

use crate::block::line_problem;
use crate::machine::{FileFacts, Machine, NoFile, Program, join, search};
use crate::reach::closed;
use crate::shebang::{self, Start};
use crate::trust;
use crate::venv::Venv;

const ANY_EXECUTE: u32 = 0o111;

/// What must be known to resolve what is started.
pub(crate) struct Launcher<'a> {
    pub machine: &'a dyn Machine,
    /// Absolute path of the catalog, for commands that lie in it.
    pub root: &'a str,
    /// The definition's folder, relative to the root.
    pub folder: &'a str,
    /// Where bare names are looked for.
    pub search_path: Vec<String>,
    /// The Python environment that starts a file, unless an interpreter is named.
    pub venv: Option<Venv>,
    /// Where the definition begins, for errors about keys that are not there.
    pub mark: &'a Mark,
}

type Launched = (Launch, Option<Fingerprint>);

impl Launcher<'_> {
    /// Resolves `command` and `interpreter`; `file` is the script file of a header or sidecar.
    pub fn resolve(
        &self,
        file: Option<&str>,
        keys: &Table,
        problems: &mut Problems,
    ) -> Option<Launched> {
        match file {
            Some(file) => {
                if let Some(entry) = keys.entry("command") {
                    let problem = entry
                        .key
                        .problem("this definition belongs to a file, which is what is started");
                    problems.push(problem.mend("take `command` out, or give the command a `NAME.stagedoor.toml` of its own"));
                }
                self.file(file, keys.get("interpreter"), problems)
            }
            None => match (keys.get("command"), keys.entry("interpreter")) {
                (Some(command), None) => self.command(command, problems),
                (None, _) => {
                    problems.push(self.mark.problem("nothing says what to start").mend(
                        "add `command = [\"program\", \"argument\"]`, or name this file `FILE.stagedoor.toml` after the file it describes",
                    ));
                    None
                }
                // A folder's default is for its files; only the script's own key is a mistake.
                (Some(command), Some(entry)) if entry.key.file() != self.mark.file() => {
                    self.command(command, problems)
                }
                (Some(_), Some(entry)) => {
                    let problem = entry
                        .key
                        .problem("`interpreter` goes with a file, and this is a command");
                    problems.push(problem.mend("put the interpreter first in `command`"));
                    None
                }
            },
        }
    }

    fn file(
        &self,
        file: &str,
        interpreter: Option<&Node>,
        problems: &mut Problems,
    ) -> Option<Launched> {
        let path = join(self.folder, file);
        let facts = match self.machine.file(&path) {
            Ok(facts) => facts,
            Err(error) => {
                problems.push(cannot_use(&path, error));
                return None;
            }
        };
        trust::check_script(&path, &facts, problems);
        let interpreter = match (interpreter, &self.venv) {
            (Some(node), Some(venv)) => {
                let problem = venv
                    .mark
                    .problem("both `venv` and `interpreter` say what starts the script");
                problems.push(problem.mend("take one of them out"));
                self.interpreter(node, problems)?
            }
            (Some(node), None) => self.interpreter(node, problems)?,
            (None, Some(venv)) => with_flags(self.python_of(venv, problems)?),
            (None, None) => {
                self.check_start(&path, &facts, problems);
                Vec::new()
            }
        };
        Some((
            Launch::File {
                file: file.to_owned(),
                interpreter,
            },
            Some(facts.fingerprint),
        ))
    }

    fn command(&self, node: &Node, problems: &mut Problems) -> Option<Launched> {
        let words = words(node, problems)?;
        let (first, rest) = words.split_first()?;
        let Some(inside) = first.strip_prefix("./") else {
            let mut argv = vec![self.program(first, &node.mark, problems)?];
            argv.extend_from_slice(rest);
            return Some((Launch::Command { argv }, None));
        };
        if !is_inside(inside) {
            problems.push(
                node.mark
                    .problem(format!("`{first}` leaves the folder of the definition"))
                    .mend("write an absolute path"),
            );
            return None;
        }
        let path = join(self.folder, inside);
        let facts = self.machine.file(&path).map_err(|error| {
            problems.push(
                node.mark
                    .problem(format!("`{first}` cannot be started: {error}")),
            );
        });
        let facts = facts.ok()?;
        trust::check_script(&path, &facts, problems);
        self.check_start(&path, &facts, problems);
        let fingerprint = Some(facts.fingerprint);
        if rest.is_empty() && !inside.contains('/') {
            return Some((
                Launch::File {
                    file: inside.to_owned(),
                    interpreter: Vec::new(),
                },
                fingerprint,
            ));
        }
        let mut argv = vec![join(self.root, &path)];
        argv.extend_from_slice(rest);
        Some((Launch::Command { argv }, fingerprint))
    }

    fn interpreter(&self, node: &Node, problems: &mut Problems) -> Option<Vec<String>> {
        let words = match &node.value {
            Value::Text(_) => vec![node.full_text(problems)?],
            _ => words(node, problems)?,
        };
        let (first, rest) = words.split_first()?;
        let first = match first.strip_prefix("./") {
            Some(inside) if is_inside(inside) => join(self.root, &join(self.folder, inside)),
            _ => first.clone(),
        };
        let mut argv = with_flags(self.program(&first, &node.mark, problems)?);
        argv.extend_from_slice(rest);
        Some(argv)
    }

    /// The interpreter of a Python environment.
    fn python_of(&self, venv: &Venv, problems: &mut Problems) -> Option<String> {
        let python = venv.python();
        if self.machine.program(&python) == Program::Missing {
            let problem = venv.mark.problem(format!(
                "there is no Python environment in `{0}`: `{0}/bin/python` is not there",
                venv.path
            ));
            problems.push(problem.mend(format!(
                "make it with `python3 -m venv {}`, or correct the path",
                venv.path
            )));
            return None;
        }
        self.program(&python, &venv.mark, problems)
    }

    /// The absolute path of a program, which must be there.
    fn program(&self, word: &str, mark: &Mark, problems: &mut Problems) -> Option<String> {
        if word.contains('/') && !word.starts_with('/') {
            let problem = mark.problem(format!(
                "`{word}` is neither a bare name nor an absolute path"
            ));
            problems.push(problem.mend(format!(
                "write `./{word}` for a file beside the definition, or an absolute path"
            )));
            return None;
        }
        if !word.contains('/') {
            let found = search(self.machine, &self.search_path, word);
            if found.is_none() {
                let problem = mark.problem(format!(
                    "there is no program `{word}` in {}",
                    self.search_path.join(":")
                ));
                problems
                    .push(problem.mend(format!("install `{word}`, or write its absolute path")));
            }
            return found;
        }
        match self.machine.program(word) {
            Program::Runnable => return Some(word.to_owned()),
            Program::Missing => problems.push(
                mark.problem(format!("there is no program `{word}`"))
                    .mend("install it, or correct the path"),
            ),
            Program::NotExecutable => problems.push(
                mark.problem(format!("`{word}` is not executable"))
                    .mend(format!("run `chmod +x {word}`")),
            ),
            Program::Closed { folder, uid } => {
                let (why, mend) = closed(word, &folder, uid);
                problems.push(mark.problem(why).mend(mend));
            }
        }
        None
    }

    /// Could the kernel start this file by itself?
    fn check_start(&self, path: &str, facts: &FileFacts, problems: &mut Problems) {
        if facts.mode & ANY_EXECUTE == 0 {
            let problem = Problem::of_file(path, "the file is not executable");
            problems.push(problem.mend(format!("run `chmod +x {path}`, or set `interpreter`")));
        }
        // A file that this process may not read is the runner's to judge.
        let Some(head) = &facts.head else { return };
        let first_line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let problem = |message: String| line_problem(path, 1, first_line, message);
        match shebang::judge(head) {
            Start::Program => {}
            Start::Bad(why, mend) => problems.push(problem(why.to_owned()).mend(mend)),
            Start::Script {
                interpreter,
                argument,
            } => {
                let found = self.machine.program(&interpreter);
                if let Program::Closed { folder, uid } = &found {
                    let (why, mend) = closed(&interpreter, folder, *uid);
                    problems.push(problem(why).mend(mend));
                } else if found != Program::Runnable {
                    let message = format!("the shebang's interpreter `{interpreter}` is not there");
                    problems.push(problem(message).mend("install it, or correct the first line"));
                } else if interpreter.ends_with("/env") {
                    let program = argument.as_deref().and_then(shebang::program_of_env);
                    if let Some(program) = program.filter(|p| !p.contains('/'))
                        && search(self.machine, &self.search_path, program).is_none()
                    {
                        let folders = self.search_path.join(":");
                        let message =
                            format!("the shebang asks for `{program}`, which is not in {folders}");
                        problems.push(problem(message).mend(format!(
                            "install `{program}`, or set `env = {{ PATH = \"…\" }}` to where it is"
                        )));
                    }
                }
            }
        }
    }
}

fn cannot_use(path: &str, error: NoFile) -> Problem {
    let problem = Problem::of_file(path, format!("the script file cannot be used: {error}"));
    match error {
        NoFile::Link => {
            problem.mend("copy the file here, or declare a `command` with the absolute path")
        }
        _ => problem,
    }
}

/// An interpreter, with what Python is to be told: nothing of the environment and no module of a home
/// counts, and no compiled file is left beside the script (rows W4 and P4). Not `-I`, which would hide
/// the modules beside it.
fn with_flags(program: String) -> Vec<String> {
    let flags: &[&str] = if is_python(&program) {
        &["-E", "-s", "-B"]
    } else {
        &[]
    };
    let flags = flags.iter().map(|flag| (*flag).to_owned());
    std::iter::once(program).chain(flags).collect()
}

/// `/usr/bin/python3.13`, say.
fn is_python(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    let version = name.strip_prefix("python");
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// A list of words: the first says something, none holds NUL.
fn words(node: &Node, problems: &mut Problems) -> Option<Vec<String>> {
    let form = match &node.value {
        Value::Text(text) => {
            let quoted: Vec<String> = text
                .split_whitespace()
                .map(|word| format!("\"{word}\""))
                .collect();
            format!("[{}]", quoted.join(", "))
        }
        _ => "[\"program\", \"argument\"]".to_owned(),
    };
    let items = node.list(&form, problems)?;
    let Some((first, rest)) = items.split_first() else {
        problems.push(
            node.mark
                .problem("this list is empty")
                .mend(format!("write it as `{form}`")),
        );
        return None;
    };
    let first = first.full_text(problems);
    let rest: Vec<Option<String>> = rest.iter().map(|item| item.text(problems)).collect();
    std::iter::once(first).chain(rest).collect()
}

/// A relative path that does not leave its folder.
pub(crate) fn is_inside(path: &str) -> bool {
    path.split('/')
        .all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.contains('\0')
}
