use super::*;
use proptest::prelude::*;

fn zeroizing(values: &[&[u8]]) -> Vec<Zeroizing<Vec<u8>>> {
    values
        .iter()
        .map(|value| Zeroizing::new(value.to_vec()))
        .collect()
}

fn needles(values: &[&[u8]]) -> Needles {
    Needles::new(&texts(&[&zeroizing(values)]).0).expect("built")
}

fn masked(values: &[&[u8]], text: &[u8], is_end: bool) -> String {
    let mut bytes = text.to_vec();
    needles(values).mask(&mut bytes, is_end);
    String::from_utf8(bytes).expect("text")
}

fn masked_by(needles: &Needles, text: &[u8]) -> String {
    let mut bytes = text.to_vec();
    needles.mask(&mut bytes, false);
    String::from_utf8(bytes).expect("text")
}

/// What is to be covered, in the plainest way.
fn plainly(values: &[Vec<u8>], text: &[u8], is_end: bool) -> Vec<u8> {
    let mut result = text.to_vec();
    for value in values {
        for start in 0..text.len() {
            let rest = &text[start..];
            if rest.starts_with(value) {
                result[start..start + value.len()].fill(b'*');
            } else if is_end && rest.len() >= LEAST && value.starts_with(rest) {
                result[start..].fill(b'*');
            }
        }
    }
    result
}

#[test]
fn equal_values_are_stars_and_all_else_is_as_it_was() {
    let values: &[&[u8]] = &[b"hunter2", b"violet"];
    assert_eq!(
        masked(values, b"key=hunter2, hunter violet2", false),
        "key=*******, hunter ******2"
    );
    let other = b"nothing of that\x00\xff\x1b[31m, hunter3";
    let mut bytes = other.to_vec();
    needles(values).mask(&mut bytes, true);
    assert_eq!(bytes, other);
}

/// The beginning of one that is not whole yet must not be lost behind one that is.
#[test]
fn a_short_value_within_a_longer_one_does_not_hide_it() {
    let needles = needles(&[b"bbaaab", b"baaa"]);
    let mut scan = Scan::new(&needles);
    scan.feed(b"..bbaaa");
    assert_eq!(scan.undecided(), 2);
    scan.feed(b"b.");
    assert_eq!(scan.settled().next(), Some(2..8));
}

#[test]
fn values_that_overlap_are_covered_whole() {
    assert_eq!(masked(&[b"abab"], b"xabababaabab", false), "x******a****");
    assert_eq!(
        masked(&[b"abcdef", b"defghi"], b".abcdefghi.", false),
        ".*********."
    );
    assert_eq!(
        masked(&[b"bcde", b"abcdef"], b".abcdef.bcde", false),
        ".******.****"
    );
}

#[test]
fn each_line_of_a_value_is_looked_for_and_line_ends_stay() {
    let key: &[u8] = b"-----BEGIN-----\r\n  MIIEow  \n}\n-----END-----\n";
    assert_eq!(
        masked(&[key], b"-----BEGIN-----\n  MIIEow  \n}\nMIIEow\n", false),
        "***************\n  ******  \n}\n******\n"
    );
    assert_eq!(masked(&[b" spaced "], b"a spaced b", false), "a ****** b");
}

#[test]
fn a_value_of_three_bytes_is_not_looked_for_and_one_of_four_is() {
    assert!(
        texts(&[&zeroizing(&[b"abc", b"", b"a\nb\nc", b"    "])])
            .0
            .is_empty()
    );
    assert_eq!(masked(&[b"abcd", b"xyz"], b"abcd xyz", false), "**** xyz");
}

#[test]
fn a_value_that_is_cut_off_is_covered_from_four_bytes_on() {
    assert_eq!(masked(&[b"hunter2"], b"it is hunt", true), "it is ****");
    assert_eq!(masked(&[b"hunter2"], b"it is hun", true), "it is hun");
    assert_eq!(masked(&[b"hunter2"], b"it is hunt", false), "it is hunt");
}

#[test]
fn what_may_be_a_value_is_undecided_and_what_is_one_is_not() {
    let needles = needles(&[b"hunter2", b"terrible"]);
    for (text, undecided) in [
        ("nothing", 7),
        ("it is h", 6),
        ("it is hunter", 6),
        ("it is hunter2", 13),
        ("it is hunter3", 13),
        // It may become the other one.
        ("it is hunterr", 9),
    ] {
        let mut scan = Scan::new(&needles);
        scan.feed(text.as_bytes());
        assert_eq!(scan.undecided(), undecided, "{text}");
    }
}

#[test]
fn values_of_64_kib_and_many_of_them_are_found() {
    let long: Vec<u8> = (0..64 << 10)
        .map(|i| b'a' + u8::try_from(i % 23).expect("small"))
        .collect();
    let many: Vec<Vec<u8>> = (0..5_000)
        .map(|i| format!("value-{i:05}").into_bytes())
        .collect();
    let mut values: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    values.push(&long);
    let needles = needles(&values);
    let mut text = [b"<", long.as_slice(), b"> value-04711 value-05000"].concat();
    needles.mask(&mut text, false);
    let stars = "*".repeat(long.len());
    assert!(text == format!("<{stars}> *********** value-05000").into_bytes());
}

#[test]
fn a_longer_value_is_looked_for_in_pieces_and_too_much_is_told_of() {
    let long: Vec<u8> = (0..=250_u8)
        .cycle()
        .filter(|b| !b.is_ascii_whitespace())
        .take(LONGEST * 2 + 9)
        .collect();
    let mut text = long.clone();
    needles(&[&long]).mask(&mut text, false);
    assert!(text.iter().all(|byte| *byte == b'*'));
    assert!(texts(&[&zeroizing(&[&long])]).1);
    let lines: Vec<String> = (0..120_000).map(|i| format!("value-{i:06}\n")).collect();
    let huge = lines.concat();
    assert!(!texts(&[&zeroizing(&[huge.as_bytes()])]).1);
}

/// Four lines of 64 KiB that sort before the password take all the room that there is.
#[test]
fn a_long_argument_does_not_push_out_what_the_operator_stored() {
    let lines: Vec<Vec<u8>> = (0..4_u8).map(|line| random(64 << 10, line)).collect();
    let book = zeroizing(&[&lines.join(&b'\n')]);
    let stored = zeroizing(&[b"hunter2-violet"]);
    let (found, is_all) = texts(&[&stored, &[], &book]);
    assert!(!is_all && found.contains(&stored[0]));
    let mut text = b"it is hunter2-violet".to_vec();
    Needles::new(&found).expect("built").mask(&mut text, false);
    assert_eq!(text, b"it is **************");
    // Nor does it what an earlier attempt was given, or another argument.
    assert!(texts(&[&[], &stored, &book]).0.contains(&stored[0]));
    let both = [book.clone(), stored.clone()].concat();
    assert!(texts(&[&[], &[], &both]).0.contains(&stored[0]));
    assert!(!texts(&[&book, &stored]).0.contains(&stored[0]));
}

/// Letters that sort before those of a password, and do not repeat.
fn random(length: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'A' + u8::try_from(state >> 28).expect("small")
    });
    letters.take(length).collect()
}

#[test]
fn pieces_of_a_long_line_are_of_nearly_one_length() {
    for length in [0, 1, LONGEST, LONGEST + 1, 2 * LONGEST + 3, (64 << 10) + 1] {
        let line = vec![b'a'; length];
        let lengths: Vec<usize> = pieces(&line).map(<[u8]>::len).collect();
        assert_eq!(lengths.iter().sum::<usize>(), length);
        assert!(lengths.iter().all(|piece| *piece <= LONGEST));
        assert!(length <= LONGEST || lengths.iter().all(|piece| *piece > LONGEST / 3));
    }
}

/// What is searched again after each of two million matches must not be a whole line: that would be
/// some ten thousand million steps.
#[test]
fn output_that_nearly_is_a_long_value_again_and_again_is_read_once() {
    let unit = b"#abcd.";
    let long = [unit.repeat(LONGEST / unit.len() - 1), b"!".to_vec()].concat();
    let needles = needles(&[b"abcd", &long]);
    let mut bytes = unit.repeat(2_000_000);
    needles.mask(&mut bytes, false);
    assert!(bytes == b"#****.".repeat(2_000_000));
}

/// In each of many states, hundreds of texts end.
#[test]
fn values_that_end_in_each_other_take_no_more_room_than_others() {
    let short: Vec<Vec<u8>> = (LEAST..500).map(|length| vec![b'a'; length]).collect();
    let long = (b'A'..=b'Z').map(|letter| [vec![letter], vec![b'a'; 4_000]].concat());
    let values: Vec<Vec<u8>> = short.into_iter().chain(long).collect();
    let needles = built(&values);
    let bytes = values.iter().map(Vec::len).sum::<usize>();
    assert!(bytes <= MOST && needles.automaton.size() <= bytes);
    assert!(needles.finder.memory_usage() < 1 << 20);
    let mut text = [b"aaa.", values[500].as_slice(), b".B", &[b'a'; 9]].concat();
    let end = text.len();
    needles.mask(&mut text, false);
    assert!(text.starts_with(b"aaa.*") && text[end - 12..] == *b"*.B*********");
}

#[test]
fn a_line_of_one_letter_beside_four_of_it_is_covered() {
    let (line, four) = (vec![b'a'; 64 << 10], b"aaaa".to_vec());
    let needles = needles(&[&line, &four]);
    assert!(needles.automaton.size() <= LONGEST);
    let mut text = [b"aaa ", line.as_slice(), b" aaaaa"].concat();
    needles.mask(&mut text, false);
    let stars = "*".repeat(line.len());
    assert!(text == format!("aaa {stars} *****").into_bytes());
}

#[test]
fn the_most_and_shortest_texts_take_little_room() {
    let lines: Vec<Vec<u8>> = (0..70_000_u32)
        .map(|i| format!("{i:05x}").as_bytes()[1..].to_vec())
        .collect();
    let needles = built(&lines);
    assert!(needles.finder.memory_usage() < 16 << 20);
    assert_eq!(masked_by(&needles, b"xyz 0fa3 xyz"), "xyz **** xyz");
}

/// Texts with much that is, begins like, or overlaps a value.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[ab]{0,9}".prop_map(String::into_bytes),
        2 => "[a-d\n]{0,5}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..6),
        1 => Just(b"abbaabbaab".to_vec()),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

pub(crate) fn values() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(
        "[ab]{4,12}|abba[a-d]{0,30}".prop_map(String::into_bytes),
        1..6,
    )
}

fn built(values: &[Vec<u8>]) -> Needles {
    needles(&values.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_covered_is_what_occurs(values in values(), text in text(), is_end: bool) {
        let mut bytes = text.clone();
        built(&values).mask(&mut bytes, is_end);
        prop_assert_eq!(bytes, plainly(&values, &text, is_end));
    }

    #[test]
    fn pieces_of_any_size_say_the_same_as_the_whole(
        values in values(), text in text(), sizes in prop::collection::vec(1_usize..9, 1..20),
    ) {
        let needles = built(&values);
        let mut whole = Scan::new(&needles);
        whole.feed(&text);
        let mut parts = Scan::new(&needles);
        let (mut rest, mut spans) = (text.as_slice(), Vec::new());
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            parts.feed(piece);
            spans.extend(parts.settled());
            rest = after;
        }
        prop_assert_eq!(parts.undecided(), whole.undecided());
        parts.end();
        whole.end();
        spans.extend(parts.spans);
        let apart = spans.windows(2).all(|pair| pair[0].end <= pair[1].start);
        prop_assert!(apart);
        let flat = |spans: Vec<Range<u64>>| spans.into_iter().flatten().collect::<Vec<_>>();
        prop_assert_eq!(flat(spans), flat(whole.spans));
    }

    #[test]
    fn a_window_with_its_surroundings_says_the_same_as_the_whole(
        values in values(), text in text(), a: prop::sample::Index, b: prop::sample::Index,
    ) {
        let needles = built(&values);
        let (a, b) = (a.index(text.len() + 1), b.index(text.len() + 1));
        let (a, b) = (a.min(b), a.max(b));
        let from = a.saturating_sub(needles.reach());
        let to = (b + needles.reach()).min(text.len());
        let mut window = text[from..to].to_vec();
        needles.mask(&mut window, to == text.len());
        let mut whole = text.clone();
        needles.mask(&mut whole, true);
        prop_assert_eq!(&window[a - from..b - from], &whole[a..b]);
    }

    #[test]
    fn what_is_decided_stays_so_and_grows(values in values(), text in text()) {
        let needles = built(&values);
        let mut last = 0;
        for length in 0..=text.len() {
            let mut scan = Scan::new(&needles);
            scan.feed(&text[..length]);
            let decided = usize::try_from(scan.undecided()).expect("small");
            prop_assert!(decided >= last);
            last = decided;
            let mut now = text[..length].to_vec();
            needles.mask(&mut now, false);
            let mut later = text.clone();
            needles.mask(&mut later, true);
            prop_assert_eq!(&now[..decided], &later[..decided]);
        }
    }
}
