//! What a parameter of the type `path` offers, and whether a value of it is there.
//!
//! Whatever lies below the root, symbolic links included, no answer ever leaves it.

use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use stagedoor_domain::arguments::path_fits;
use stagedoor_domain::param::{PathKind, PathRule};

use crate::machine::join;
use crate::root::{Root, Sort};

/// More names than these are not looked at, however few of them fit.
const MOST_NAMES: usize = 50_000;
/// Folders below these are not looked into.
const DEEPEST: usize = 32;

const STAY: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// The paths that a form offers, sorted, at most `limit`. None when the root cannot be read.
pub fn path_choices(rule: &PathRule, limit: usize) -> Vec<String> {
    let Some(root) = open_root(rule) else {
        return Vec::new();
    };
    let mut walk = Walk {
        rule,
        root,
        limit,
        left: MOST_NAMES,
        found: Vec::new(),
    };
    walk.folder("", 0);
    walk.found
}

/// Is there such a file or folder, of the kind that the rule wants, inside the root?
pub fn path_exists(rule: &PathRule, value: &str) -> bool {
    path_fits(rule, value)
        && open_root(rule)
            .is_some_and(|root| sort_below(&root, value).is_some_and(|sort| wanted(rule, sort)))
}

struct Walk<'a> {
    rule: &'a PathRule,
    root: OwnedFd,
    limit: usize,
    left: usize,
    found: Vec<String>,
}

impl Walk<'_> {
    fn folder(&mut self, path: &str, depth: usize) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let here = if path.is_empty() { "." } else { path };
        let Ok(folder) = openat2(&self.root, here, flags, Mode::empty(), STAY) else {
            return;
        };
        for (name, sort) in Root::list(&folder).unwrap_or_default() {
            if self.found.len() >= self.limit || self.left == 0 {
                return;
            }
            self.left -= 1;
            let path = join(path, &name);
            // A link counts as what it leads to, but is not walked into: it may lead upwards.
            let leads_to = match sort {
                Sort::Link => sort_below(&self.root, &path),
                sort => Some(sort),
            };
            if leads_to.is_some_and(|sort| wanted(self.rule, sort)) && path_fits(self.rule, &path) {
                self.found.push(path.clone());
            }
            if sort == Sort::Folder
                && self.rule.recursive
                && depth < DEEPEST
                && self.may_enter(&path)
            {
                self.folder(&path, depth + 1);
            }
        }
    }

    /// What is left out takes everything below it along; `match` is for the last name only.
    fn may_enter(&self, path: &str) -> bool {
        path_fits(
            &PathRule {
                matching: None,
                ..self.rule.clone()
            },
            path,
        )
    }
}

/// The root itself may be a link: its author named it.
fn open_root(rule: &PathRule) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(rule.root.as_str(), flags, Mode::empty()).ok()
}

fn sort_below(root: &OwnedFd, path: &str) -> Option<Sort> {
    let opened = openat2(
        root,
        path,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        STAY,
    )
    .ok()?;
    match FileType::from_raw_mode(fstat(&opened).ok()?.st_mode) {
        FileType::RegularFile => Some(Sort::File),
        FileType::Directory => Some(Sort::Folder),
        _ => None,
    }
}

fn wanted(rule: &PathRule, sort: Sort) -> bool {
    match rule.kind {
        PathKind::File => sort == Sort::File,
        PathKind::Folder => sort == Sort::Folder,
        PathKind::Any => matches!(sort, Sort::File | Sort::Folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, PathRule) {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("sub/.git")).expect("folders");
        for file in ["a.log", "b.txt", "sub/c.log", "sub/.git/d.log"] {
            fs::write(root.join(file), "x").expect("a file");
        }
        fs::write(dir.path().join("secret.log"), "x").expect("a file");
        symlink("../secret.log", root.join("out.log")).expect("a link");
        symlink("a.log", root.join("in.log")).expect("a link");
        symlink("..", root.join("sub/up")).expect("a link");
        let rule = PathRule {
            root: root.to_str().expect("text").to_owned(),
            recursive: true,
            kind: PathKind::File,
            matching: Some("*.log".to_owned()),
            exclude: vec![".git".to_owned()],
        };
        (dir, rule)
    }

    #[test]
    fn choices_match_the_rule_and_never_lead_out_of_the_root() {
        let (_dir, rule) = tree();
        assert_eq!(path_choices(&rule, 100), ["a.log", "in.log", "sub/c.log"]);
        assert_eq!(path_choices(&rule, 2).len(), 2);
        let flat = PathRule {
            recursive: false,
            matching: None,
            ..rule.clone()
        };
        assert_eq!(path_choices(&flat, 100), ["a.log", "b.txt", "in.log"]);
        let folders = PathRule {
            kind: PathKind::Folder,
            matching: None,
            ..rule
        };
        assert_eq!(path_choices(&folders, 100), ["sub", "sub/up"]);
    }

    #[test]
    fn a_path_exists_only_inside_the_root_and_by_the_rule() {
        let (_dir, rule) = tree();
        for path in ["a.log", "in.log", "sub/c.log", "sub/up/a.log"] {
            assert!(path_exists(&rule, path), "{path}");
        }
        for path in [
            "out.log",
            "b.txt",
            "../secret.log",
            "sub/up/../../secret.log",
            "gone.log",
            "sub",
            "sub/.git/d.log",
            "/etc/passwd",
            "",
        ] {
            assert!(!path_exists(&rule, path), "{path}");
        }
    }

    #[test]
    fn a_root_that_is_not_there_offers_nothing() {
        let (_dir, rule) = tree();
        let gone = PathRule {
            root: "/nonexistent/x".to_owned(),
            ..rule
        };
        assert!(path_choices(&gone, 10).is_empty() && !path_exists(&gone, "a.log"));
    }
}
