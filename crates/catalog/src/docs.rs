//! The text behind a script's `docs`, read anew for each reader: a change is seen at once.

use crate::root::Root;

/// What is read of one text at most, in bytes.
const LARGEST: usize = 256 * 1024;

/// A text that an author wrote beside a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docs {
    /// Its first 256 KiB; what is not UTF-8 in it is replaced.
    pub text: String,
    /// There is more of it.
    pub is_cut: bool,
}

impl Docs {
    /// A text by its path relative to the root; no link is followed on the way to it. Why there
    /// is none is said by the next snapshot: a script whose text is gone is broken.
    pub(crate) fn read(root: &Root, path: &str) -> Option<Self> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let content = Root::read(&root.folder(folder).ok()?, name, LARGEST).ok()?;
        let mut text = String::from_utf8_lossy(&content.bytes).into_owned();
        if content.truncated {
            // The cut may have halved a character.
            text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
        }
        Some(Self {
            text,
            is_cut: content.truncated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::open_folder;

    #[test]
    fn a_text_is_read_as_it_is_and_a_long_one_to_its_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Root::new(open_folder(folder.path()).expect("opened"));
        let write = |text: &str| std::fs::write(folder.path().join("a.md"), text).expect("written");
        let read = || Docs::read(&root, "a.md").expect("a text");
        write("# Grüße");
        assert_eq!((read().text.as_str(), read().is_cut), ("# Grüße", false));
        write(&format!("a{}", "ü".repeat(LARGEST / 2)));
        let cut = read();
        assert!(cut.is_cut && cut.text.ends_with('ü'), "{}", cut.text.len());
        assert_eq!(cut.text.len(), LARGEST - 1);
    }

    #[test]
    fn no_link_leads_to_a_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Root::new(open_folder(folder.path()).expect("opened"));
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("real")).expect("made");
        std::fs::write(at("real/a.md"), "text").expect("written");
        std::os::unix::fs::symlink(at("real/a.md"), at("link.md")).expect("a link");
        std::os::unix::fs::symlink(at("real"), at("folder")).expect("a link");
        for path in ["link.md", "folder/a.md", "gone.md", "real", "../a.md"] {
            assert_eq!(Docs::read(&root, path), None, "{path}");
        }
        assert!(Docs::read(&root, "real/a.md").is_some());
    }
}
