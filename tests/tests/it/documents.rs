//! What documents promise must be there: a row that is met names its test, a command exists.

use std::collections::BTreeSet;

use crate::tree;

/// A row of the table in docs/requirements.md.
struct Row {
    id: String,
    state: String,
    evidence: String,
}

fn rows(document: &str) -> Vec<Row> {
    document
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(str::trim)
                .collect::<Vec<_>>()
        })
        .filter(|cells| cells.len() == 4 && cells[0].contains(|c: char| c.is_ascii_digit()))
        .map(|cells| Row {
            id: cells[0].to_owned(),
            state: cells[2].to_owned(),
            evidence: cells[3].to_owned(),
        })
        .collect()
}

/// What is wrong with a row, if anything. `sources` holds every place where a test may stand.
fn fault(row: &Row, sources: &str) -> Option<String> {
    let names: Vec<&str> = row.evidence.split('`').skip(1).step_by(2).collect();
    match row.state.split(':').next().unwrap_or_default() {
        "open" if row.evidence.is_empty() => None,
        "open" => Some(format!("{}: open, and yet it names evidence", row.id)),
        "partly" if !row.state.contains(": ") => {
            Some(format!("{}: partly, but not what is left", row.id))
        }
        "met" | "partly" if names.is_empty() => Some(format!("{}: names no test", row.id)),
        "met" | "partly" => names
            .iter()
            .find(|name| !sources.contains(&format!("fn {name}(")))
            .map(|name| format!("{}: there is no test {name}", row.id)),
        other => Some(format!("{}: unknown state {other:?}", row.id)),
    }
}

fn sources() -> String {
    let mut all = tree::files("crates", &[".rs"]);
    all.extend(tree::files("tests", &[".rs"]));
    all.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn every_requirement_that_is_met_names_a_test_that_exists() {
    let rows = rows(&tree::read("docs/requirements.md"));
    let sources = sources();
    let faults: Vec<String> = rows.iter().filter_map(|row| fault(row, &sources)).collect();
    assert_eq!(faults, Vec::<String>::new());
}

/// The last of the cells of each row of the section's table, as names of tests.
fn last_cells(section: &str, cells_of_a_row: usize) -> Vec<String> {
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), cells_of_a_row, "{row}");
        cells[cells_of_a_row - 1].trim_matches('`').to_owned()
    })
    .collect()
}

fn threats(document: &str) -> Vec<String> {
    let section = document.split("## Threats").nth(1).unwrap_or_default();
    last_cells(section.split("\n## ").next().unwrap_or_default(), 4)
}

#[test]
fn every_kind_of_data_that_is_kept_names_a_test_that_exists() {
    let named = last_cells(&tree::read("docs/data.md"), 6);
    assert!(named.len() > 10, "{}", named.len());
    let sources = sources();
    let is_there = |name: &&String| sources.contains(&format!("fn {name}("));
    let missing: Vec<&String> = named.iter().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_threat_names_a_test_that_exists() {
    let threats = threats(&tree::read("SECURITY.md"));
    assert!(threats.len() > 25, "{}", threats.len());
    let sources = sources();
    let missing: Vec<&String> = threats
        .iter()
        .filter(|name| !sources.contains(&format!("fn {name}(")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// A row's cell stands for one statement or several: `W8b`, `W35–W37`, `B25–B26, B31–B33`.
fn ids(cell: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in cell.split(", ") {
        let number = |id: &str| id.get(1..).and_then(|n| n.parse::<u32>().ok());
        match part
            .split_once('–')
            .and_then(|(from, to)| Some((number(from)?, number(to)?)))
        {
            Some((from, to)) => {
                let letter = part.chars().next().expect("a row begins with its letter");
                found.extend((from..=to).map(|n| format!("{letter}{n}")));
            }
            None => found.push(part.to_owned()),
        }
    }
    found
}

#[test]
fn every_requirement_stands_in_the_table_once() {
    let all: Vec<String> = rows(&tree::read("docs/requirements.md"))
        .iter()
        .flat_map(|row| ids(&row.id))
        .collect();
    let ids: BTreeSet<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(ids.len(), all.len(), "a row stands twice");
    let expected = |letter: char, last: u32| (1..=last).map(move |n| format!("{letter}{n}"));
    for id in expected('W', 83)
        .chain(expected('P', 19))
        .chain(expected('F', 18))
        .chain(expected('B', 40))
    {
        assert!(ids.contains(id.as_str()), "{id} is missing");
    }
}

#[test]
fn a_row_without_a_real_test_is_found() {
    let row = |state: &str, evidence: &str| Row {
        id: "X1".to_owned(),
        state: state.to_owned(),
        evidence: evidence.to_owned(),
    };
    let sources = "fn a_real_test() {}";
    assert_eq!(fault(&row("met", "`a_real_test`"), sources), None);
    assert_eq!(fault(&row("open", ""), sources), None);
    assert_eq!(
        fault(&row("partly: the audit", "`a_real_test`"), sources),
        None
    );
    for (state, evidence) in [
        ("met", ""),
        ("met", "`no_such_test`"),
        ("partly", "`a_real_test`"),
        ("done", ""),
        ("open", "`a_real_test`"),
    ] {
        assert!(
            fault(&row(state, evidence), sources).is_some(),
            "{state} {evidence}"
        );
    }
}

/// The commands in fenced `sh` blocks, lines that go on joined.
fn commands(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in document.replace("\\\n", " ").lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside && !command.is_empty() && !command.starts_with('#') => {
                found.push(command.trim_start_matches("$ ").to_owned());
            }
            _ => {}
        }
    }
    found
}

/// Why a command of a document cannot be what it says, if so.
fn command_fault(command: &str, makefile: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.first().copied() {
        Some("make") => words
            .iter()
            .skip(1)
            .filter(|word| !word.contains('='))
            .find(|target| {
                !makefile
                    .lines()
                    .any(|line| line.starts_with(&format!("{target}:")))
            })
            .map(|target| format!("{command}: the Makefile has no target {target}")),
        Some("stagedoor") => subcommand_fault(command, words.get(1).copied()),
        Some("cargo") => {
            let own = words
                .iter()
                .position(|word| *word == "--")
                .and_then(|at| words.get(at + 1));
            own.and_then(|word| subcommand_fault(command, Some(word)))
        }
        Some("printf") => command
            .split_once("| ")
            .and_then(|(_, rest)| command_fault(rest, makefile)),
        Some("git" | "cd" | "curl" | "sudo") => None,
        Some(path) if path.contains('/') => (!path.contains("target/")
            && !tree::root().join(path).exists())
        .then(|| format!("{command}: no {path}")),
        _ => Some(format!("{command}: neither make, cargo nor stagedoor")),
    }
}

/// A subcommand that the help does not know.
fn subcommand_fault(command: &str, word: Option<&str>) -> Option<String> {
    const KNOWN: &[&str] = &[
        "serve",
        "check",
        "routes",
        "user",
        "token",
        "group",
        "grant",
        "may",
        "blocked",
        "--version",
        "--help",
    ];
    let known = word.is_some_and(|word| KNOWN.contains(&word));
    (!known).then(|| format!("{command}: stagedoor has no such command"))
}

#[test]
fn the_commands_of_the_readme_and_of_contributing_exist() {
    let makefile = tree::read("Makefile");
    for document in ["README.md", "CONTRIBUTING.md"] {
        let commands = commands(&tree::read(document));
        assert!(!commands.is_empty(), "{document} shows no command");
        let faults: Vec<String> = commands
            .iter()
            .filter_map(|c| command_fault(c, &makefile))
            .collect();
        assert_eq!(faults, Vec::<String>::new(), "{document}");
    }
}

#[test]
fn a_command_that_does_not_exist_is_found() {
    let makefile = "test: build\n";
    assert_eq!(command_fault("make test", makefile), None);
    assert!(command_fault("make tea", makefile).is_some());
    assert!(command_fault("./no/such/file", makefile).is_some());
    assert_eq!(
        command_fault("cargo run --release -- serve examples", makefile),
        None
    );
    assert!(command_fault("printf %s x | stagedoor sing", makefile).is_some());
}

#[test]
fn every_target_of_the_makefile_says_what_it_does() {
    let makefile = tree::read("Makefile");
    for target in ["run", "test", "test-deep", "check", "bench", "sizes"] {
        let line = makefile
            .lines()
            .find(|line| line.starts_with(&format!("{target}:")));
        let line = line.unwrap_or_else(|| panic!("the Makefile has no target {target}"));
        assert!(line.contains("## "), "{target} has no help");
    }
}

/// The first command of README.md, in the profile that is built already.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test may start cargo")]
fn the_first_command_of_the_readme_serves_the_examples() {
    use std::io::BufRead;
    let readme = tree::read("README.md");
    assert!(readme.contains("cargo run --release -- serve examples"));
    let state = tempfile::tempdir().expect("a temporary folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(state.path(), open).expect("chmod");
    // Cargo becomes the program, with whatever cargo puts into its environment; but what tells these
    // tests how long to go on would be no setting of it.
    let ours = std::env::vars_os().map(|(name, _)| name);
    let ours = ours.filter(|name| name.to_string_lossy().starts_with("STAGEDOOR_"));
    let mut command = std::process::Command::new("cargo");
    ours.for_each(|name| {
        command.env_remove(name);
    });
    let mut server = command
        .args(["run", "--quiet", "--", "serve", "examples"])
        .args(["--listen", "127.0.0.1:0", "--state"])
        .arg(state.path().join("state"))
        .current_dir(tree::root())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("cargo");
    let stderr = server.stderr.take().expect("piped");
    let lines: Vec<String> = std::io::BufReader::new(stderr)
        .lines()
        .map_while(Result::ok)
        .scan(false, |done, line| {
            (!std::mem::replace(done, line.contains("listening on http://127.0.0.1:")))
                .then_some(line)
        })
        .collect();
    server.kill().expect("it still runs");
    server.wait().expect("ended");
    assert!(
        lines.iter().any(|line| line.contains("/setup?key=")),
        "{lines:#?}"
    );
    assert!(
        lines
            .last()
            .is_some_and(|line| line.contains("listening on")),
        "{lines:#?}"
    );
}

#[test]
fn v16_every_act_stands_in_the_inventory_of_logs() {
    let source = tree::read("crates/domain/src/audit.rs");
    let acts = source
        .split("Act {")
        .nth(1)
        .and_then(|rest| rest.split("\n}").next());
    let words: BTreeSet<&str> = acts
        .expect("the list of acts")
        .lines()
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    let text = tree::read("docs/logs.md");
    let table = text.split("## Acts").nth(1).expect("a table of acts");
    let listed: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert!(words.len() > 20, "{words:?}");
    assert_eq!(words, listed);
}
