//! The two streams of an attempt, and which of them someone wants to see.

/// One output stream of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output, descriptor 1.
    Stdout,
    /// Standard error, descriptor 2.
    Stderr,
}

impl Stream {
    /// Both, in the order in which they stand where nothing else orders them.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// The word in addresses and messages: `stdout`, `stderr`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    /// Reads [`Stream::word`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.word() == word)
    }
}

/// Which lines to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Selection {
    /// Lines of standard output only, numbered by themselves.
    Stdout,
    /// Lines of standard error only, numbered by themselves.
    Stderr,
    /// Lines of both, in the order in which they were completed.
    Both,
}

impl Selection {
    /// The word in addresses: `stdout`, `stderr`, `both`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Both => "both",
        }
    }

    /// Reads [`Selection::word`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Stdout, Self::Stderr, Self::Both]
            .into_iter()
            .find(|one| one.word() == word)
    }

    /// Whether lines of this stream are shown.
    pub(crate) fn shows(self, stream: Stream) -> bool {
        matches!(
            (self, stream),
            (Self::Both, _) | (Self::Stdout, Stream::Stdout) | (Self::Stderr, Stream::Stderr)
        )
    }
}

/// One value per stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pair<T> {
    pub stdout: T,
    pub stderr: T,
}

impl<T> Pair<T> {
    pub const fn new(stdout: T, stderr: T) -> Self {
        Self { stdout, stderr }
    }

    pub fn of(&self, stream: Stream) -> &T {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    pub fn of_mut(&mut self, stream: Stream) -> &mut T {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_and_others_are_not() {
        assert_eq!(Selection::parse("both"), Some(Selection::Both));
        assert_eq!(Stream::parse("stderr"), Some(Stream::Stderr));
        assert_eq!(Selection::parse("Both"), None);
        assert_eq!(Stream::parse("both"), None);
    }
}
