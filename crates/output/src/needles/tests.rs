use super::*;
use proptest::prelude::*;

fn zeroizing(values: &[&[u8]]) -> Vec<Zeroizing<Vec<u8>>> {
    values
        .iter()
        .map(|value| Zeroizing::new(value.to_vec()))
        .collect()
}

fn needles(values: &[&[u8]]) -> Needles {
    Needles::new(&texts(&zeroizing(values)).0).expect("built")
}

fn masked(values: &[&[u8]], text: &[u8], is_end: bool) -> String {
    let mut bytes = text.to_vec();
    needles(values).mask(&mut bytes, is_end);
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
        texts(&zeroizing(&[b"abc", b"", b"a\nb\nc", b"    "]))
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
    let long: Vec<u8> = (0..LONGEST)
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
    let stars = "*".repeat(LONGEST);
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
    assert!(texts(&zeroizing(&[&long])).1);
    let lines: Vec<String> = (0..120_000).map(|i| format!("value-{i:06}\n")).collect();
    let huge = lines.concat();
    assert!(!texts(&zeroizing(&[huge.as_bytes()])).1);
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
