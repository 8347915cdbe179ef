//! Files of an attempt that cannot be written: what may pass, and what is told of it.

use std::io;

use rustix::io::Errno;

use super::flow::Flow;
use crate::folder::{Part, file_name};
use crate::live::Attempt;

/// No room, no descriptor, no memory, a disk that is read-only or fails for a while.
pub(super) fn may_pass(error: &io::Error) -> bool {
    let passing = [
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::ROFS,
        Errno::IO,
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
    ];
    Errno::from_io_error(error).is_some_and(|errno| passing.contains(&errno))
}

/// Neither room nor anything else that all files share is missing.
pub(super) fn is_of_this_file(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::IO) || !may_pass(error)
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
