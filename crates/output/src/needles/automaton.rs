//! Knows after each byte of a stream how much of a text was just read, and how long the longest text
//! is that ends there.
//!
//! Whoever starts a run chooses texts, so time and memory are linear in their bytes whatever they
//! are. An automaton that keeps for each state all the texts that end there is not: think of `aaaa`,
//! `aaaaa` and so on, beside lines that are full of `a`.

/// How much was read: the beginning of one text or several.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct State(u32);

/// What is known of a state.
#[derive(Clone, Copy, Default)]
struct Node {
    /// The first of the states that one more byte leads to. They lie together, by that byte, and end
    /// where those of the next state begin.
    first: u32,
    /// The longest end of what was read that begins a text, too.
    fail: State,
    depth: u16,
    /// The length of the longest text that ends here; zero if none does.
    ended: u16,
}

/// The states, by how much was read.
pub(super) struct Automaton {
    nodes: Vec<Node>,
    /// The last byte that was read in each state.
    bytes: Vec<u8>,
}

impl Automaton {
    /// Of texts that are sorted, none of them twice; together they have fewer than 4 Gi bytes, each
    /// fewer than 64 Ki.
    pub fn new(texts: &[&[u8]]) -> Self {
        let mut automaton = Self {
            nodes: vec![Node::default()],
            bytes: vec![0],
        };
        // For each state, the texts that begin so.
        let mut begun = vec![texts];
        let mut state = State::default();
        while let Some(texts) = begun.get(state.index()).copied() {
            automaton.grow(state, texts, &mut begun);
            state.0 += 1;
        }
        automaton
    }

    /// Adds the states that one more byte leads to.
    fn grow<'a>(&mut self, state: State, texts: &'a [&'a [u8]], begun: &mut Vec<&'a [&'a [u8]]>) {
        let first = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let Some(node) = self.nodes.get_mut(state.index()) else {
            return;
        };
        node.first = first;
        let Node { fail, depth, .. } = *node;
        let next = |text: &&[u8]| text.get(usize::from(depth)).copied();
        for texts in texts.chunk_by(|a, b| next(a) == next(b)) {
            // The shortest comes first; the one that ends in this state is done.
            let Some((text, byte)) = texts.first().and_then(|text| Some((text, next(text)?)))
            else {
                continue;
            };
            let depth = depth + 1;
            // All states of fewer bytes are there, with what they lead to.
            let fail = match depth {
                1 => State::default(),
                _ => self.next(fail, byte),
            };
            let ended = if text.len() == usize::from(depth) {
                depth
            } else {
                self.node(fail).ended
            };
            self.nodes.push(Node {
                first: 0,
                fail,
                depth,
                ended,
            });
            self.bytes.push(byte);
            begun.push(texts);
        }
    }

    /// The state behind one more byte. Each byte is paid once: what a step goes back, others went
    /// forward.
    pub fn next(&self, mut state: State, byte: u8) -> State {
        loop {
            let at = state.index();
            let from = self.node(state).first as usize;
            let behind = self.nodes.get(at + 1).map(|node| node.first as usize);
            let to = behind.unwrap_or(self.nodes.len());
            let bytes = self.bytes.get(from..to).unwrap_or_default();
            if let Ok(place) = bytes.binary_search(&byte) {
                return State(u32::try_from(from + place).unwrap_or_default());
            }
            if at == 0 {
                return state;
            }
            state = self.node(state).fail;
        }
    }

    /// How many bytes of a text have been read.
    pub fn depth(&self, state: State) -> usize {
        self.node(state).depth.into()
    }

    /// The length of the longest text that ends here, if one does.
    pub fn ended(&self, state: State) -> Option<usize> {
        match self.node(state).ended {
            0 => None,
            length => Some(length.into()),
        }
    }

    /// How many states there are beside the first.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        self.nodes.len() - 1
    }

    fn node(&self, state: State) -> Node {
        self.nodes.get(state.index()).copied().unwrap_or_default()
    }
}

impl State {
    fn index(self) -> usize {
        self.0 as usize
    }
}
