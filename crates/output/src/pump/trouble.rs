//! Files of an attempt that cannot be written: what may pass, and what is told of it.

use std::io;

use rustix::io::Errno;

use super::flow::Flow;
use crate::folder::{Part, file_name};
use crate::live::Attempt;

/// No room, no descriptor, no memory, or a disk that is read-only: what all files share, and what comes back.
#[must_use]
pub fn is_shortage(error: &io::Error) -> bool {
    let short = [
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::ROFS,
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
    ];
    Errno::from_io_error(error).is_some_and(|errno| short.contains(&errno))
}

/// A shortage, or a disk that fails: nothing is given up for it, whatever it takes.
pub(super) fn may_pass(error: &io::Error) -> bool {
    is_shortage(error) || Errno::from_io_error(error) == Some(Errno::IO)
}

pub(super) fn tell_given_up(flow: &Flow, error: &io::Error) {
    let (run, file, lost) = (flow.attempt.key.run, flow.file(), flow.left.unwrap_or(0));
    tracing::error!(
        %run, file, %error, lost,
        "the last output of this run is lost: its segment, below `output` in the state directory, cannot be \
         written; mend what the error says"
    );
}

pub(super) fn tell_unwritten(attempt: &Attempt, error: &io::Error) {
    let (run, file) = (attempt.key.run, file_name(attempt.key, Part::Chunks));
    tracing::warn!(%run, file, %error, "could not write the order of output and errors");
}
