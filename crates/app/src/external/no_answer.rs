//! Why a command let nobody in.

use std::io;

use super::answer::BadAnswer;
use super::complaint::Kind;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// What exit code 1 says.
    #[error("it says that the password is wrong")]
    Wrong,
    #[error("it ended with exit code {code}")]
    Exit { code: i32, complaint: Vec<u8> },
    #[error("it was ended by signal {signal}")]
    Signal { signal: i32, complaint: Vec<u8> },
    #[error("it took too long")]
    TooLate,
    #[error("it said more than 64 KiB")]
    TooMuch,
    #[error("it was not started: {0}")]
    NotStarted(String),
    #[error("what it said could not be read: {0}")]
    Unread(io::Error),
    #[error(transparent)]
    Bad(#[from] BadAnswer),
}

impl NoAnswer {
    /// What tells reasons apart that are told of by themselves: few, whatever the command does.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Wrong => ("wrong", 0),
            Self::Exit { code, .. } => ("exit", *code),
            Self::Signal { signal, .. } => ("signal", *signal),
            Self::TooLate => ("late", 0),
            Self::TooMuch => ("much", 0),
            Self::NotStarted(_) => ("start", 0),
            Self::Unread(_) => ("read", 0),
            Self::Bad(BadAnswer::Unreadable) => ("unreadable", 0),
            Self::Bad(BadAnswer::Another) => ("another", 0),
            Self::Bad(BadAnswer::Groups) => ("groups", 0),
        }
    }

    /// The beginning of what it wrote to standard error.
    pub fn complaint(&self) -> &[u8] {
        match self {
            Self::Exit { complaint, .. } | Self::Signal { complaint, .. } => complaint,
            _ => &[],
        }
    }
}
