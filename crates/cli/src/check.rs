//! `stagedoor check` and `stagedoor routes`.

mod explain;
mod places;
mod reach;
mod roles;
mod sight;
mod wishes;
mod writers;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use stagedoor_app::groups::idle_grants;
use stagedoor_catalog::{Checked, Snapshot};
use stagedoor_config::{ConfigError, Settings};
use stagedoor_domain::access::Grants;
use stagedoor_domain::sandbox::Permit;

use crate::args::{CheckOptions, StateOption};
use crate::database::{block_on, open_if_there};
use crate::groups::inhabited;
use crate::secrets::missing;
use crate::serve::open_folder;
use crate::system::SystemClock;
use crate::{EXIT_FAILED, EXIT_OK};
use places::Places;
use roles::Roles;
use sight::looking_as;
use writers::Judge;

/// A tree that its group may write has one for each file.
const MOST_WARNINGS: usize = 50;

/// The settings in the folder itself.
const SETTINGS: &str = "stagedoor.toml";

/// Prints every error of a folder's definitions with its place and its mend; or what would hold one
/// script.
pub fn check(asked: &CheckOptions) -> anyhow::Result<u8> {
    let CheckOptions { dir, state, .. } = asked;
    if !dir.is_dir() {
        anyhow::bail!(
            "{} is not a folder; name the folder that holds the scripts",
            dir.display()
        );
    }
    if let Some(name) = &asked.explain {
        return explain::explain(name, asked);
    }
    let root = dir
        .canonicalize()
        .with_context(|| format!("could not read the folder {}", dir.display()))?;
    let settings = read_settings(asked);
    // First: what follows may only follow from it.
    let roles = roles_of(&settings);
    let would_start = roles.is_some();
    let roles = roles.unwrap_or_default();
    let permits = settings.as_ref().map(|settings| settings.permits.clone());
    let options = stagedoor_catalog::Options {
        permits: permits.unwrap_or_else(|_| vec![Permit::of_everything()]),
        ..stagedoor_catalog::Options::new(Arc::new(SystemClock::new()))
    };
    let search_path = options.search_path.clone();
    let checked = read(&root, &roles, options)?;
    tell(&checked);
    // First, because who looks at accounts of the store becomes the one that owns it.
    let known = settings.as_ref().ok();
    warn_of_others(&root, known, &roles, &checked.snapshot, &search_path);
    if let Ok(settings) = &settings {
        warn_of_idle(settings.grants.clone(), &checked.snapshot, state);
    }
    warn_of_missing_secrets(&checked.snapshot, state);
    Ok(sum_up(&checked, would_start))
}

/// Who runs what; none, and why, where no server starts with these settings.
fn roles_of(settings: &Result<Settings, ConfigError>) -> Option<Roles> {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            println!("{error}\n");
            return None;
        }
    };
    let roles = Roles::of(settings).map_err(|error| {
        println!("error: `stagedoor serve` would not start: {error:#}\n");
    });
    roles.ok()
}

fn tell(checked: &Checked) {
    for problem in &checked.problems {
        println!("{problem}\n");
    }
    // Settings may be for root alone, and are no script.
    let skipped = checked.skipped.iter();
    for skipped in skipped.filter(|skipped| skipped.file != SETTINGS) {
        println!("note: {} is not looked at: {}", skipped.file, skipped.why);
    }
}

/// Reads the folder as the server that the account that asks would start.
fn read(
    root: &Path,
    roles: &Roles,
    options: stagedoor_catalog::Options,
) -> anyhow::Result<Checked> {
    let folder = open_folder(root)?;
    let read = || stagedoor_catalog::check_opened(folder, root, options);
    looking_as(roles.server.as_ref(), read)?
        .with_context(|| format!("could not read the folder {}", root.display()))
}

fn sum_up(checked: &Checked, would_start: bool) -> u8 {
    let scripts = say(checked.snapshot.len(), "script");
    match (checked.problems.len(), would_start) {
        (0, true) => {
            println!("{scripts}, no errors.");
            return EXIT_OK;
        }
        (0, false) => println!("{scripts}, no errors in definitions."),
        (errors, _) => println!(
            "{scripts}, {}. A script with an error is not published; the others are.",
            say(errors, "error")
        ),
    }
    if !would_start {
        println!(
            "None is served before the settings are mended: `stagedoor serve` would not start."
        );
    }
    EXIT_FAILED
}

/// Says which grants give nobody anything. Who is in which group, and the grants of the store, count
/// where there is a state directory.
fn warn_of_idle(file: Grants, scripts: &Snapshot, state: &StateOption) {
    let known = || -> anyhow::Result<_> {
        let Some(db) = open_if_there(state)? else {
            return Ok(None);
        };
        block_on(async {
            let stored = db.store.grants().await?.grants;
            Ok(Some((stored, inhabited(&db.store).await?)))
        })
    };
    let (mut all, mut groups) = (file, None);
    match known() {
        Ok(None) => {}
        Ok(Some((stored, inhabited))) => {
            all.0.extend(stored);
            // On the first day nobody is in any group.
            groups = Some(inhabited).filter(|groups| !groups.is_empty());
        }
        Err(error) => println!("note: accounts are not looked at: {error:#}"),
    }
    for idle in idle_grants(&all, scripts, groups.as_ref()) {
        println!("warning: {idle}");
    }
}

/// Says which scripts list a secret that is not stored, where there is a state directory.
fn warn_of_missing_secrets(scripts: &Snapshot, state: &StateOption) {
    let mut lists = scripts.scripts().map(|script| &script.credentials);
    if lists.all(Vec::is_empty) {
        return;
    }
    let missing = || -> anyhow::Result<_> {
        match open_if_there(state)? {
            Some(db) => block_on(missing(&db, scripts)),
            None => Ok(Vec::new()),
        }
    };
    match missing() {
        Ok(missing) => missing.iter().for_each(|one| println!("warning: {one}")),
        Err(error) => println!("note: stored secrets are not looked at: {error:#}"),
    }
}

/// Says who else could change what runs, and what is to be known of the accounts that it runs as.
fn warn_of_others(
    dir: &Path,
    settings: Option<&Settings>,
    roles: &Roles,
    scripts: &Snapshot,
    search_path: &[String],
) {
    let permits = settings.map_or(&[][..], |settings| &settings.permits);
    let mut warnings = roles.warnings(permits, scripts);
    warnings.extend(reach::warnings(dir, roles, scripts));
    warnings.extend(wishes::warnings(dir, permits, scripts));
    let judge = Judge {
        roles,
        owner: std::fs::metadata(dir).map_or(0, |found| found.uid()),
    };
    let places = Places::of(dir, scripts, settings).with_path(search_path);
    for (path, kind) in places.iter() {
        warnings.extend(judge.faults(path, kind));
    }
    for warning in warnings.iter().take(MOST_WARNINGS) {
        println!("warning: {warning}");
    }
    if let Some(more) = warnings
        .len()
        .checked_sub(MOST_WARNINGS)
        .filter(|more| *more > 0)
    {
        println!("note: and {more} more warnings like these");
    }
}

/// Reads `stagedoor.toml` as `serve` would.
fn read_settings(asked: &CheckOptions) -> Result<Settings, ConfigError> {
    let flags = stagedoor_config::Flags {
        config: asked.config.clone(),
        ..stagedoor_config::Flags::default()
    };
    let environment = stagedoor_config::Environment::default();
    stagedoor_config::load(stagedoor_config::Sources {
        folder: &asked.dir,
        folder_name: &asked.dir,
        flags: &flags,
        environment: &environment,
        cores: 1,
        is_root: true,
    })
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
