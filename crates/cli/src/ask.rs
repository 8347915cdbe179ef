//! Asks somebody at a terminal for what nobody beside them should read.

use std::io::{BufRead as _, Write as _};

use anyhow::{Context as _, bail};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

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

/// One line from the terminal that is standard input, with its end.
pub fn ask(what: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let quiet = Quiet::new().context("could not ask without showing the answer; pipe it")?;
    eprint!("{what}");
    let _ = std::io::stderr().flush();
    let mut line = Zeroizing::new(Vec::with_capacity(4096));
    let mut input = std::io::stdin().lock();
    let read = loop {
        let Some(byte) = input.fill_buf()?.first().copied() else {
            break Ok(());
        };
        input.consume(1);
        match byte {
            INTERRUPT => break Err(()),
            b'\n' => break Ok(()),
            byte => line.push(byte),
        }
    };
    drop(quiet);
    eprintln!("");
    if read.is_err() {
        bail!("nothing was changed");
    }
    Ok(line)
}
