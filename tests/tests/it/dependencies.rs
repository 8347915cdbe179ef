//! Who may depend on whom, and on what: read from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::tree;

/// Each crate of ours with those of ours that it may use. A crate that is not in this table fails.
const MAY_USE: &[(&str, &[&str])] = &[
    ("crates/domain", &[]),
    ("crates/config", &["domain"]),
    // For the reader of TOML with errors that point, not for settings.
    ("crates/catalog", &["domain", "config"]),
    ("crates/store", &["domain"]),
    ("crates/runner", &["domain"]),
    ("crates/output", &["domain"]),
    ("crates/audit", &["domain", "config", "catalog", "store"]),
    (
        "crates/app",
        &["domain", "config", "catalog", "store", "runner", "output"],
    ),
    (
        "crates/web",
        &["domain", "config", "catalog", "store", "output", "app"],
    ),
    (
        "crates/cli",
        &[
            "domain", "config", "catalog", "store", "runner", "output", "app", "audit", "web",
        ],
    ),
    ("bench", &["domain", "store", "web"]),
    ("tests", &[]),
];

/// Licences that go with MIT OR Apache-2.0, as SPDX names.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "BSL-1.0",
    "CC0-1.0",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "CDLA-Permissive-2.0",
];

/// A second TLS library, or one whose cancelled `begin` leaves a transaction open.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "sqlx"];

fn metadata() -> Value {
    // What only other systems need is not on this machine.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    #[expect(
        clippy::disallowed_methods,
        reason = "the rules are read from cargo itself"
    )]
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--filter-platform",
            &platform,
            "--manifest-path",
        ])
        .arg(tree::root().join("Cargo.toml"))
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Our packages: package name → its folder below the root.
fn ours(metadata: &Value) -> BTreeMap<String, String> {
    let members: BTreeSet<&str> = list(metadata, "workspace_members")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    list(metadata, "packages")
        .iter()
        .filter(|package| members.contains(text(package, "id")))
        .map(|package| {
            let manifest = Path::new(text(package, "manifest_path"));
            let folder = manifest
                .parent()
                .and_then(|folder| folder.strip_prefix(tree::root()).ok());
            let folder = folder
                .expect("our crates lie below the root")
                .to_string_lossy()
                .into_owned();
            (text(package, "name").to_owned(), folder)
        })
        .collect()
}

/// Breaches of [`MAY_USE`]: what a crate of ours depends on and may not. Its tests may use whatever
/// stands above it in the table, to make the real thing; one that reaches upwards is a breach too.
fn breaches(metadata: &Value) -> Vec<String> {
    let ours = ours(metadata);
    let mut found = Vec::new();
    for package in list(metadata, "packages") {
        let Some(folder) = ours.get(text(package, "name")) else {
            continue;
        };
        let Some(layer) = MAY_USE.iter().position(|(name, _)| name == folder) else {
            found.push(format!("{folder} is not in the table of layers"));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let Some(used) = ours.get(text(dependency, "name")) else {
                continue;
            };
            let may = match text(dependency, "kind") {
                "dev" => MAY_USE[..layer].iter().any(|(name, _)| name == used),
                _ => MAY_USE[layer]
                    .1
                    .contains(&used.trim_start_matches("crates/")),
            };
            if !may {
                found.push(format!("{folder} depends on {used}"));
            }
        }
    }
    found
}

#[test]
fn dependencies_point_down_only() {
    assert_eq!(breaches(&metadata()), Vec::<String>::new());
}

#[test]
fn a_dependency_that_points_up_is_found() {
    let mut metadata = metadata();
    let upwards = serde_json::json!({"name": "stagedoor-web"});
    let packages = metadata["packages"].as_array_mut().expect("packages");
    let domain = packages
        .iter_mut()
        .find(|p| p["name"] == "stagedoor-domain")
        .expect("domain");
    domain["dependencies"]
        .as_array_mut()
        .expect("dependencies")
        .push(upwards);
    assert_eq!(breaches(&metadata), ["crates/domain depends on crates/web"]);
}

#[test]
fn the_crate_list_of_architecture_md_is_the_real_one() {
    let real: BTreeSet<String> = ours(&metadata()).into_values().collect();
    let document = tree::read("ARCHITECTURE.md");
    let (_, table) = document
        .split_once("| crate |")
        .expect("a table whose first column is `crate`");
    let named: BTreeSet<String> = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.split('`').nth(1))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        named, real,
        "the first column of the table in ARCHITECTURE.md against cargo metadata"
    );
}

/// May the product be shipped under one of the licences of this SPDX expression? `OR` needs one side,
/// `AND` both; parentheses and the old `/` are understood.
fn is_allowed(expression: &str) -> bool {
    let flat = expression.replace('/', " OR ").replace(['(', ')'], " ");
    flat.split(" AND ")
        .all(|all| all.split(" OR ").any(|one| LICENCES.contains(&one.trim())))
}

#[test]
fn every_dependency_has_a_licence_that_goes_with_ours() {
    let metadata = metadata();
    let bad: Vec<String> = list(&metadata, "packages")
        .iter()
        .filter(|package| !is_allowed(text(package, "license")))
        .map(|package| format!("{} {}", text(package, "name"), text(package, "license")))
        .collect();
    assert_eq!(bad, Vec::<String>::new());
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    for allowed in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
    ] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for refused in [
        "",
        "GPL-3.0-only",
        "AGPL-3.0 OR SSPL-1.0",
        "MIT AND GPL-3.0-only",
    ] {
        assert!(!is_allowed(refused), "{refused}");
    }
}

#[test]
fn banned_crates_are_absent() {
    let metadata = metadata();
    let names: BTreeSet<&str> = list(&metadata, "packages")
        .iter()
        .map(|p| text(p, "name"))
        .collect();
    let found: Vec<&&str> = BANNED
        .iter()
        .filter(|banned| names.contains(**banned))
        .collect();
    assert!(found.is_empty(), "banned: {found:?}");
    assert!(names.contains("serde"), "the list of packages was read");
}

#[test]
fn every_crate_of_ours_inherits_the_lints() {
    for (path, text) in tree::files("crates", &["Cargo.toml"]) {
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{path} does not inherit the workspace's lints"
        );
    }
}
