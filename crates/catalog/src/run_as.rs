//! `run_as = "backup"`: another account of the machine, where the operator permits it.

use stagedoor_config::document::{Node, Problems};
use stagedoor_domain::sandbox::Permit;

/// Reads `run_as` of a script in this folder. Whether there is such an account is known to the runner.
pub(crate) fn read(
    node: &Node,
    folder: &str,
    permits: &[Permit],
    problems: &mut Problems,
) -> Option<String> {
    let name = stagedoor_config::run_as(node, problems)?;
    if !Permit::may_run_as(permits, folder, &name) {
        let shown = if folder.is_empty() { "." } else { folder };
        let problem = node.mark.problem(format!(
            "stagedoor.toml does not permit scripts of this folder to run as `{name}`"
        ));
        problems.push(problem.mend(format!(
            "take `run_as` out, or ask the operator for `[[permit]]` with `folder = \"{shown}\"` and `run_as = [\"{name}\"]`, which counts from the next start of `stagedoor serve`"
        )));
    }
    Some(name)
}
