//! From what a client gave to arguments that fit: the rules of the definition, then whether the
//! paths among them are there. Every door comes through here.

use std::sync::Arc;

use stagedoor_catalog::path_exists;
use stagedoor_domain::arguments::{self, ArgError, CheckedArgs, GivenArgs};
use stagedoor_domain::param::{Param, PathRule, Value};
use stagedoor_domain::script::Script;

use crate::app::App;

impl App {
    /// The arguments, or what is wrong with each that does not fit.
    ///
    /// # Errors
    /// One for each argument that breaks a rule of the definition, or that names no path.
    pub async fn check_args(
        &self,
        script: &Arc<Script>,
        given: GivenArgs,
    ) -> Result<CheckedArgs, Vec<ArgError>> {
        let args = arguments::check(script, given)?;
        if script.params.iter().all(|param| param.path.is_none()) {
            return Ok(args);
        }
        let script = Arc::clone(script);
        // Paths are looked up on the disk, which may be slow.
        let looked = tokio::task::spawn_blocking(move || match missing(&script, &args) {
            errors if errors.is_empty() => Ok(args),
            errors => Err(errors),
        });
        looked.await.unwrap_or_else(|error| {
            tracing::error!(%error, "could not look for paths");
            let message = "the server could not look for it; try again".to_owned();
            Err(vec![ArgError {
                param: None,
                given_name: "path".to_owned(),
                message,
            }])
        })
    }
}

fn missing(script: &Script, args: &CheckedArgs) -> Vec<ArgError> {
    let with_rule = script.params.iter().filter(|param| param.fixed.is_none());
    with_rule
        .filter_map(|param| Some((param, param.path.as_ref()?, args.get(param.name.as_str())?)))
        .filter(|(_, rule, value)| !all_there(rule, value))
        .map(|(param, rule, _)| error(param, rule))
        .collect()
}

fn all_there(rule: &PathRule, value: &Value) -> bool {
    match value {
        Value::Text(path) => path_exists(rule, path),
        Value::List(paths) => paths.iter().all(|path| path_exists(rule, path)),
        Value::Flag(_) | Value::Count(_) => true,
    }
}

fn error(param: &Param, rule: &PathRule) -> ArgError {
    ArgError {
        param: Some(param.name.clone()),
        given_name: param.name.to_string(),
        message: format!(
            "there is no such path below {}; choose one that is offered",
            rule.root
        ),
    }
}
