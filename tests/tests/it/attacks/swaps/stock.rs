//! What stands in the place of a script, one after the other: whole files, a link, another folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use crate::attacks::{Arena, shell};
use crate::kill_loops::chance::Dice;
use crate::program::command;

/// What stands in the place of the script at some time.
pub const ONE: &str = "one";
pub const OTHER: &str = "other";
/// In another folder, which is put in the place of the first.
pub const AWAY: &str = "away";
/// Outside, reached by a link in the place of the file or of its folder.
pub const LINKED: &str = "linked";
/// Every account may write to it.
pub const OPEN: &str = "open";
/// One file that says which it is, at its beginning and at its end.
pub struct Swapped {
    file: &'static str,
    pub name: &'static str,
    /// What stands in a file of this kind.
    content: fn(&str) -> Vec<u8>,
    /// Beside it, where it cannot stand in it: a file and its text.
    definition: Option<(&'static str, &'static str)>,
    /// What it prints.
    pub says: fn(&str) -> String,
}

/// The kernel opens it, and then its interpreter does, by its path.
pub const SHEBANG: Swapped = Swapped {
    file: "job.sh",
    name: "ops/job",
    definition: None,
    content: |which| {
        let filler = "# nothing\n".repeat(2_000);
        shell("", &format!("echo begin {which}\n{filler}echo end {which}")).into_bytes()
    },
    says: |which| format!("begin {which}\nend {which}\n"),
};

/// Programs that every Debian has, and what each prints.
fn program(which: &str) -> &'static str {
    match which {
        ONE => "/usr/bin/uname",
        OTHER => "/usr/bin/nproc",
        AWAY => "/usr/bin/arch",
        LINKED => "/usr/bin/pwd",
        _ => "/usr/bin/date",
    }
}

pub const BINARY: Swapped = Swapped {
    file: "tool.bin",
    name: "ops/tool",
    definition: Some((
        "tool.bin.stagedoor.toml",
        "access = { run = [\"everyone\"] }\n",
    )),
    content: |which| fs::read(program(which)).expect("a program"),
    says: |which| {
        let output = command(Path::new(program(which))).output();
        String::from_utf8(output.expect("it starts").stdout).expect("text")
    },
};

/// The same, with a word of its definition behind it.
pub const COMMAND: Swapped = Swapped {
    definition: Some((
        "tool.stagedoor.toml",
        "command = [\"./tool.bin\", \"--\"]\naccess = { run = [\"everyone\"] }\n",
    )),
    ..BINARY
};

/// The script's place, and beside the served folder what is put there.
pub struct Stock {
    pub swapped: Swapped,
    folder: PathBuf,
    aside: PathBuf,
    made: u64,
}

impl Stock {
    pub fn new(arena: &Arena, swapped: Swapped) -> Self {
        let aside = arena.home.dir().join("aside");
        fs::create_dir_all(aside.join("away")).expect("made");
        fs::create_dir_all(aside.join("linked")).expect("made");
        let folder = arena.program.scripts().join("ops");
        fs::create_dir_all(&folder).expect("made");
        let mut stock = Self {
            swapped,
            folder,
            aside,
            made: 0,
        };
        for place in [
            stock.folder.clone(),
            stock.aside.join("away"),
            stock.aside.join("linked"),
        ] {
            if let Some((file, text)) = stock.swapped.definition {
                fs::write(place.join(file), text).expect("written");
            }
        }
        stock.put(
            AWAY,
            &stock.aside.join("away").join(stock.swapped.file),
            0o755,
        );
        stock.put(
            LINKED,
            &stock.aside.join("linked").join(stock.swapped.file),
            0o755,
        );
        stock.as_it_was();
        stock
    }

    fn place(&self) -> PathBuf {
        self.folder.join(self.swapped.file)
    }

    /// A new file, whole before it stands there.
    fn put(&mut self, which: &str, at: &Path, mode: u32) {
        self.made += 1;
        let new = self.aside.join(format!("new-{}", self.made));
        fs::write(&new, (self.swapped.content)(which)).expect("written");
        fs::set_permissions(&new, fs::Permissions::from_mode(mode)).expect("chmod");
        fs::rename(&new, at).expect("renamed");
    }

    pub fn as_it_was(&mut self) {
        self.put(ONE, &self.place(), 0o755);
    }

    fn link(&mut self, to: &Path, at: &Path) {
        self.made += 1;
        let new = self.aside.join(format!("new-{}", self.made));
        symlink(to, &new).expect("linked");
        fs::rename(&new, at).expect("renamed");
    }

    /// One turn; the folder is itself again afterwards.
    pub fn swap(&mut self, dice: &mut Dice) {
        let (place, linked) = (self.place(), self.aside.join("linked"));
        match dice.between(0, 6) {
            0 | 1 => self.put(ONE, &place, 0o755),
            2 => self.put(OTHER, &place, 0o755),
            3 => self.put(OPEN, &place, 0o777),
            4 => self.link(&linked.join(self.swapped.file), &place),
            _ => {
                let (away, kept) = (self.aside.join("away"), self.aside.join("kept"));
                fs::rename(&self.folder, &kept).expect("renamed");
                fs::rename(&away, &self.folder).expect("renamed");
                thread::sleep(dice.millis(3));
                fs::rename(&self.folder, &away).expect("renamed");
                symlink(&linked, &self.folder).expect("linked");
                thread::sleep(dice.millis(3));
                fs::remove_file(&self.folder).expect("removed");
                fs::rename(&kept, &self.folder).expect("renamed");
            }
        }
        // Else next to nothing would be as it was when it was looked at.
        thread::sleep(dice.millis(4));
    }
}
