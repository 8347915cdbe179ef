//! A changed definition is live with the next snapshot, and costs no more than itself.

use std::fs;
use std::sync::Arc;

use stagedoor_catalog::{Catalog, Options, Snapshot};
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::script::Script;

use crate::folder::{ScriptFolder, StandingClock, shell};

fn get(snapshot: &Snapshot, name: &str) -> Option<Arc<Script>> {
    snapshot
        .get(&ScriptName::parse(name).expect("a name"))
        .cloned()
}

#[test]
fn without_a_change_the_snapshot_is_the_same() {
    let folder = ScriptFolder::with(&[("a.sh", &shell(""))]);
    let catalog = folder.catalog();
    assert!(Arc::ptr_eq(&catalog.snapshot(), &catalog.snapshot()));
}

#[test]
fn a_changed_file_is_read_again_and_the_others_are_not() {
    let folder = ScriptFolder::with(&[
        ("a.sh", &shell("title = 'one'")),
        ("b.sh", &shell("")),
        ("d/c.sh", &shell("")),
    ]);
    let catalog = folder.catalog();
    let before = catalog.snapshot();
    folder.write("a.sh", &shell("title = 'two'"));
    let after = catalog.snapshot();
    assert_eq!(
        get(&after, "a").map(|s| s.title.clone()).as_deref(),
        Some("two")
    );
    for name in ["b", "d/c"] {
        let (old, new) = (
            get(&before, name).expect("old"),
            get(&after, name).expect("new"),
        );
        assert!(Arc::ptr_eq(&old, &new), "{name} was read again");
    }
}

#[test]
fn files_and_folders_come_and_go() {
    let folder = ScriptFolder::with(&[("a.sh", &shell(""))]);
    let catalog = folder.catalog();
    let names = || -> Vec<String> {
        catalog
            .snapshot()
            .scripts()
            .map(|s| s.name.to_string())
            .collect()
    };
    folder.write("x/y/b.sh", &shell(""));
    assert_eq!(names(), ["a", "x/y/b"]);
    folder.write("x/y/c.sh", &shell(""));
    assert_eq!(names(), ["a", "x/y/b", "x/y/c"]);
    fs::remove_file(folder.path("x/y/b.sh")).expect("removed");
    assert_eq!(names(), ["a", "x/y/c"]);
    fs::rename(folder.path("x"), folder.path("z")).expect("moved");
    assert_eq!(names(), ["a", "z/y/c"]);
    folder.write("z/y/d.sh", &shell(""));
    assert_eq!(names(), ["a", "z/y/c", "z/y/d"]);
    fs::remove_dir_all(folder.path("z")).expect("removed");
    assert_eq!(names(), ["a"]);
}

#[test]
fn a_folder_that_takes_anothers_place_is_watched_as_well() {
    let folder = ScriptFolder::with(&[("one/a.sh", &shell("")), ("two/b.sh", &shell(""))]);
    let catalog = folder.catalog();
    let names = || -> Vec<String> {
        catalog
            .snapshot()
            .scripts()
            .map(|s| s.name.to_string())
            .collect()
    };
    fs::rename(folder.path("one"), folder.path("old")).expect("moved");
    fs::rename(folder.path("two"), folder.path("one")).expect("moved");
    assert_eq!(names(), ["old/a", "one/b"]);
    folder.write("one/c.sh", &shell(""));
    folder.write("old/d.sh", &shell(""));
    assert_eq!(names(), ["old/a", "old/d", "one/b", "one/c"]);
    fs::remove_dir_all(folder.path("one")).expect("removed");
    folder.write("one/e.sh", &shell(""));
    assert_eq!(names(), ["old/a", "old/d", "one/e"]);
    folder.write("one/f.sh", &shell(""));
    assert_eq!(names(), ["old/a", "old/d", "one/e", "one/f"]);
}

#[test]
fn a_folders_definition_reaches_its_scripts_at_once() {
    let folder = ScriptFolder::with(&[("d/e/a.sh", &shell("")), ("b.sh", &shell(""))]);
    let catalog = folder.catalog();
    folder.write(
        "d/_folder.stagedoor.toml",
        "[defaults]\nconfirm = 'Sure?'\n",
    );
    assert_eq!(
        get(&catalog.snapshot(), "d/e/a")
            .and_then(|s| s.confirm.clone())
            .as_deref(),
        Some("Sure?")
    );
    folder.write("d/_folder.stagedoor.toml", "[defaults\n");
    let snapshot = catalog.snapshot();
    assert!(
        get(&snapshot, "d/e/a").is_none(),
        "nobody knows what the folder demands"
    );
    assert!(get(&snapshot, "b").is_some());
    let broken: Vec<_> = snapshot
        .broken()
        .iter()
        .map(|b| (b.file.as_str(), b.name.as_deref()))
        .collect();
    assert_eq!(
        broken,
        [
            ("d/_folder.stagedoor.toml", None),
            ("d/e/a.sh", Some("d/e/a"))
        ]
    );
    fs::remove_file(folder.path("d/_folder.stagedoor.toml")).expect("removed");
    assert_eq!(
        get(&catalog.snapshot(), "d/e/a").expect("mended").confirm,
        None
    );
}

#[test]
fn a_broken_definition_disables_its_script_alone_until_it_is_mended() {
    let folder = ScriptFolder::with(&[("a.sh", &shell("")), ("b.sh", &shell(""))]);
    let catalog = folder.catalog();
    folder.write("a.sh", &shell("titel = 'x'"));
    let snapshot = catalog.snapshot();
    assert!(get(&snapshot, "a").is_none() && get(&snapshot, "b").is_some());
    assert_eq!(snapshot.broken()[0].name.as_deref(), Some("a"));
    folder.write("a.sh", &shell("title = 'x'"));
    let snapshot = catalog.snapshot();
    assert!(get(&snapshot, "a").is_some() && snapshot.broken().is_empty());
}

#[test]
fn the_fingerprint_follows_the_file_that_is_started() {
    let folder = ScriptFolder::with(&[
        ("a.sh", &shell("")),
        ("b", "#!/bin/sh\n"),
        ("b.stagedoor.toml", ""),
        ("s/t", "#!/bin/sh\n"),
        ("c.stagedoor.toml", "command = ['./s/t']"),
    ]);
    let catalog = folder.catalog();
    let prints = || {
        let snapshot = catalog.snapshot();
        ["a", "b", "c"].map(|name| {
            get(&snapshot, name)
                .expect("there")
                .fingerprint
                .expect("a file")
        })
    };
    let before = prints();
    folder.chmod("a.sh", 0o700);
    folder.write("b", "#!/bin/sh\ntrue\n");
    folder.write("s/t", "#!/bin/sh\ntrue\n");
    let after = prints();
    for (old, new) in before.iter().zip(&after) {
        assert_ne!(old, new);
    }
}

#[test]
fn a_program_that_comes_later_is_found_without_a_change_of_the_definition() {
    let bin = ScriptFolder::new();
    let folder = ScriptFolder::with(&[("a.stagedoor.toml", "command = ['late']")]);
    let clock = Arc::new(StandingClock::default());
    let search_path = vec![bin.root().to_str().expect("text").to_owned()];
    let options = Options {
        search_path,
        ..Options::new(clock.clone())
    };
    let catalog = Catalog::open_path(folder.root(), options).expect("a catalog");
    assert!(get(&catalog.snapshot(), "a").is_none());
    bin.write("late", "#!/bin/sh\n");
    assert!(
        get(&catalog.snapshot(), "a").is_none(),
        "looked again too soon"
    );
    clock.pass(3);
    assert!(get(&catalog.snapshot(), "a").is_some());
}

#[test]
fn files_that_are_not_published_are_followed_too() {
    let folder = ScriptFolder::with(&[
        ("_tool", "#!/bin/sh\n"),
        ("_lib/t", "#!/bin/sh\n"),
        ("a.stagedoor.toml", "command = ['./_tool']"),
        ("b.stagedoor.toml", "command = ['./_lib/t']"),
    ]);
    let clock = Arc::new(StandingClock::default());
    let catalog =
        Catalog::open_path(folder.root(), Options::new(clock.clone())).expect("a catalog");
    let print = |name: &str| get(&catalog.snapshot(), name).expect("there").fingerprint;
    let before = (print("a"), print("b"));
    folder.write("_tool", "#!/bin/sh\ntrue\n");
    folder.write("_lib/t", "#!/bin/sh\ntrue\n");
    assert_ne!(print("a"), before.0);
    clock.pass(3);
    assert_ne!(print("b"), before.1);
}

#[test]
fn two_thousand_definitions_cost_nothing_while_nothing_changes() {
    let folder = ScriptFolder::new();
    for number in 0..2000 {
        folder.write(
            &format!("f{}/s{number}.sh", number % 20),
            &shell("title = 'x'\n[[param]]\nname = 'a'"),
        );
    }
    let catalog = folder.catalog();
    let first = catalog.snapshot();
    assert_eq!(first.len(), 2000);
    for _ in 0..2000 {
        assert!(Arc::ptr_eq(&first, &catalog.snapshot()));
    }
    folder.write("f3/s3.sh", &shell("title = 'new'"));
    let after = catalog.snapshot();
    let read_again = after
        .scripts()
        .filter(|s| get(&first, s.name.as_str()).is_none_or(|old| !Arc::ptr_eq(&old, s)));
    assert_eq!(read_again.count(), 1);
}
