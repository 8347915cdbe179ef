//! Asks somebody at a terminal for what nobody beside them should read.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use rustix::io::retry_on_intr;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

/// A terminal gives no longer line.
const LONGEST: usize = 4096;
/// What Ctrl-C sends.
const INTERRUPT: u8 = 3;

/// The terminal as it was, which it is again when this goes.
struct Quiet(Termios);

impl Quiet {
    /// Shows nothing of what is typed. Ctrl-C ends the line instead of the process, which would leave
    /// the terminal as it is now.
    fn new() -> rustix::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// One line from the terminal that is standard input, without its end.
pub fn ask(what: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let quiet = Quiet::new().context("could not ask without showing the answer; pipe it")?;
    eprint!("{what}");
    let _ = std::io::stderr().flush();
    let line = line();
    drop(quiet);
    eprintln!("");
    match line.context("could not read the answer")? {
        Some(line) => Ok(line),
        None => bail!("nothing was changed"),
    }
}

/// Past the buffer of standard input, which nobody wipes. None where somebody thought better of it.
fn line() -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0]);
    loop {
        let read = retry_on_intr(|| rustix::io::read(std::io::stdin(), byte.as_mut()))?;
        match (read, *byte) {
            (0, _) | (_, [b'\n']) => return Ok(Some(line)),
            (_, [INTERRUPT]) => return Ok(None),
            (_, typed) => line.extend(typed),
        }
    }
}
