//! `stagedoor check` and `stagedoor routes`.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::system::SystemClock;
use crate::{EXIT_FAILED, EXIT_OK};

/// Prints every error of a folder's definitions with its place and its mend.
pub fn check(dir: &Path) -> anyhow::Result<u8> {
    if !dir.is_dir() {
        anyhow::bail!(
            "{} is not a folder; name the folder that holds the scripts",
            dir.display()
        );
    }
    let options = stagedoor_catalog::Options::new(Arc::new(SystemClock::new()));
    let checked = stagedoor_catalog::check_folder(dir, options)
        .with_context(|| format!("could not read the folder {}", dir.display()))?;
    for problem in &checked.problems {
        println!("{problem}\n");
    }
    let settings = check_settings(dir);
    for skipped in &checked.skipped {
        println!("note: {} is not looked at: {}", skipped.file, skipped.why);
    }
    let scripts = say(checked.scripts, "script");
    match checked.problems.len() + usize::from(!settings) {
        0 => {
            println!("{scripts}, no errors.");
            Ok(EXIT_OK)
        }
        errors => {
            println!(
                "{scripts}, {}. A script with an error is not published; the others are.",
                say(errors, "error")
            );
            Ok(EXIT_FAILED)
        }
    }
}

/// Reads `stagedoor.toml` as `serve` would; false after it has said what is wrong.
fn check_settings(dir: &Path) -> bool {
    let flags = stagedoor_config::Flags::default();
    let environment = stagedoor_config::Environment::default();
    let settings = stagedoor_config::load(stagedoor_config::Sources {
        folder: dir,
        folder_name: dir,
        flags: &flags,
        environment: &environment,
        cores: 1,
        is_root: true,
    });
    if let Err(error) = &settings {
        println!("{error}\n");
    }
    settings.is_ok()
}

fn say(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

/// Prints the route table.
pub fn routes(json: bool) -> anyhow::Result<()> {
    let table = stagedoor_web::routes::table();
    if json {
        println!("{}", serde_json::to_string_pretty(&table)?);
        return Ok(());
    }
    for route in table {
        let (access, csrf) = (word(&route.access), word(&route.csrf));
        println!("{:<5} {:<40} {access:<12} {csrf}", route.method, route.path);
    }
    Ok(())
}

/// The word that the JSON form has for a class.
fn word(class: &impl serde::Serialize) -> String {
    serde_json::to_value(class)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
