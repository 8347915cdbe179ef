//! `credentials = { NAME = "stored secret" }`.

use stagedoor_config::document::{Entry, Problems, Table};
use stagedoor_domain::invocation::is_private_file;
use stagedoor_domain::name::{CredentialName, SecretName};
use stagedoor_domain::param::Param;
use stagedoor_domain::script::Credential;

/// Most credentials of one script: all of them, each as large as it may be, fit into one plan.
const MOST: usize = 32;

/// Reads them, in the order in which they stand.
pub(crate) fn read(table: &Table, params: &[Param], problems: &mut Problems) -> Vec<Credential> {
    let Some(node) = table.get("credentials") else {
        return Vec::new();
    };
    let Some(table) = node.table("{ password = \"stored-secret\" }", problems) else {
        return Vec::new();
    };
    let entries = table.in_order();
    if entries.len() > MOST {
        let problem = node.mark.problem(format!("more than {MOST} credentials"));
        problems.push(problem.mend("store what is used together as one secret"));
    }
    entries
        .into_iter()
        .filter_map(|(name, entry)| credential(name, entry, params, problems))
        .collect()
}

fn credential(
    name: &str,
    entry: &Entry,
    params: &[Param],
    problems: &mut Problems,
) -> Option<Credential> {
    let is_taken = |param: &&Param| param.name.as_str() == name && is_private_file(param);
    if params.iter().any(|param| is_taken(&param)) {
        let problem = entry.key.problem(format!(
            "`{name}` is a parameter too, which is passed as a file of that name"
        ));
        problems.push(problem.mend("give one of them another name"));
    }
    let file = CredentialName::parse(name).map_err(|error| {
        let problem = entry
            .key
            .problem(format!("this is not the name of a credential: {error}"));
        problems.push(
            problem.mend("it is the file below `$CREDENTIALS_DIRECTORY`: write `password = \"…\"`"),
        );
    });
    let text = entry.node.full_text(problems)?;
    let secret = SecretName::parse(&text).map_err(|error| {
        let problem = entry
            .node
            .mark
            .problem(format!("this is not the name of a stored secret: {error}"));
        problems.push(
            problem.mend("write the name as `stagedoor secret list` shows it, never the value"),
        );
    });
    Some(Credential {
        name: file.ok()?,
        secret: secret.ok()?,
    })
}
