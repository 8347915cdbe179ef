//! Asks somebody at a terminal for what nobody beside them should read.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

/// A terminal gives no longer line, and drops what is behind it without a word.
const LONGEST: usize = 4095;
/// What is pasted comes in pieces, the next within so much.
const PASTE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
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

    /// Whether there is more behind the line that was read, also if its end is still to come.
    fn has_more(&self) -> rustix::io::Result<bool> {
        let mut raw = self.0.clone();
        raw.local_modes -= LocalModes::ECHO | LocalModes::ISIG | LocalModes::ICANON;
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        let stdin = std::io::stdin();
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
        Ok(retry_on_intr(|| poll(&mut ready, Some(&PASTE)))? > 0)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // What was pasted behind the line is not for the shell, which would run it and keep it.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// One line from the terminal that is standard input, without its end.
pub fn ask(what: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let quiet = Quiet::new().context("could not ask without showing the answer; pipe it")?;
    let mut terminal = std::io::stderr();
    let _ = write!(terminal, "{what}").and_then(|()| terminal.flush());
    let answer = line().and_then(|line| Ok((line, quiet.has_more()?)));
    drop(quiet);
    eprintln!("");
    match answer.context("could not read the answer")? {
        (None, _) => bail!("nothing was changed"),
        (Some(_), true) => bail!("nothing was changed: more than one line; use < FILE"),
        (Some(line), _) if line.len() >= LONGEST => {
            bail!(
                "nothing was changed: a terminal gives no line of {LONGEST} bytes whole; use < FILE"
            )
        }
        (Some(line), false) => Ok(line),
    }
}

/// Past the buffer of standard input, which nobody wipes. None where somebody thought better of it.
fn line() -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
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
