//! Segments are the truth: whatever the chunk index says, or when there is none, every byte is kept
//! and every line shown once.

use std::io::Write;

use proptest::prelude::*;
use stagedoor_output::{Selection, Stream};

use crate::shop::{NO_CAP, Shop, numbered, read, run, texts};

fn record(stream: u8, end: u64) -> Vec<u8> {
    let mut bytes = vec![stream];
    bytes.extend(end.to_le_bytes());
    bytes.extend(1_790_000_000_000_i64.to_le_bytes());
    bytes
}

/// A run whose server died, with this index.
fn left_behind(index: &[u8]) -> Shop {
    let shop = Shop::open();
    shop.put(run(1), Stream::Stdout, b"one\ntwo\n");
    shop.put(run(1), Stream::Stderr, b"e1\ne2\n");
    std::fs::write(shop.path(run(1), "chunks"), index).expect("written");
    shop
}

/// The next server takes it over, and it prints one more line on each stream.
fn goes_on(mut shop: Shop) -> Vec<String> {
    let (mut out, mut err) = shop.pipes(run(1), NO_CAP);
    out.write_all(b"three\n").expect("written");
    err.write_all(b"e3\n").expect("written");
    drop((out, err));
    assert_eq!(shop.closed(), (14, 9));
    assert_eq!(shop.segment(run(1), "out"), b"one\ntwo\nthree\n");
    assert_eq!(shop.segment(run(1), "err"), b"e1\ne2\ne3\n");
    let lines = texts(&shop.view(run(1)), Selection::Both);
    let again = texts(&shop.reopen().view(run(1)), Selection::Both);
    assert_eq!(lines, again, "as a later server shows it");
    lines
}

fn assert_each_line_once(lines: &[String]) {
    for (prefix, all) in [
        ("e", vec!["e1", "e2", "e3"]),
        ("", vec!["one", "two", "three"]),
    ] {
        let of_stream = lines
            .iter()
            .filter(|line| line.starts_with('e') == (prefix == "e"));
        assert_eq!(of_stream.collect::<Vec<_>>(), all, "{lines:?}");
    }
}

#[test]
fn a_good_index_keeps_its_order() {
    let index = [record(1, 3), record(0, 8), record(1, 6)].concat();
    let lines = goes_on(left_behind(&index));
    assert_eq!(lines[..4], ["e1", "one", "two", "e2"]);
    assert_each_line_once(&lines);
}

#[test]
fn an_index_that_reaches_beyond_its_segments_keeps_the_order_up_to_their_ends() {
    let index = [record(1, 3), record(0, 8), record(1, 600), record(0, 900)].concat();
    let lines = goes_on(left_behind(&index));
    assert_eq!(lines[..4], ["e1", "one", "two", "e2"]);
    assert_each_line_once(&lines);
}

#[test]
fn an_index_that_ends_before_its_segments_is_continued() {
    let lines = goes_on(left_behind(&record(1, 3)));
    assert_eq!(lines[..4], ["e1", "one", "two", "e2"]);
    assert_each_line_once(&lines);
}

#[test]
fn a_missing_index_shows_output_before_errors() {
    let shop = left_behind(b"");
    std::fs::remove_file(shop.path(run(1), "chunks")).expect("removed");
    let lines = goes_on(shop);
    assert_eq!(lines[..4], ["one", "two", "e1", "e2"]);
    assert_each_line_once(&lines);
}

#[test]
fn an_index_whose_segments_are_gone_does_not_order_new_output() {
    let mut shop = Shop::open();
    let index = [record(1, 1000), record(0, 1000)].concat().repeat(50);
    let path = shop.path(run(1), "chunks");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(&path, index).expect("written");
    shop.print(
        run(1),
        &[
            (Stream::Stdout, b"a\n"),
            (Stream::Stderr, b"b\n"),
            (Stream::Stdout, b"c\n"),
        ],
    );
    assert_eq!(read(&path).len(), 3 * 17);
    let lines = texts(&shop.view(run(1)), Selection::Both);
    assert_eq!(lines, ["a", "b", "c"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With any bytes for an index: a run that goes on, and one that has ended.
    #[test]
    fn no_index_hides_or_doubles_a_line(
        good in 0_usize..4,
        garbage in prop::collection::vec(prop_oneof![0_u8..3, any::<u8>()], 0..120),
    ) {
        let records = [record(1, 3), record(0, 8), record(1, 6)];
        let mut index = records[..good.min(3)].concat();
        index.extend(&garbage);
        assert_each_line_once(&goes_on(left_behind(&index)));

        let shop = left_behind(&index);
        let mut lines = texts(&shop.view(run(1)), Selection::Both);
        lines.sort();
        prop_assert_eq!(lines, ["e1", "e2", "one", "two"]);
    }
}

#[test]
fn the_bytes_of_a_large_segment_survive_a_damaged_index() {
    let shop = Shop::open();
    let text = numbered("line ", 1..=50_000);
    shop.put(run(1), Stream::Stdout, text.as_bytes());
    std::fs::write(shop.path(run(1), "chunks"), [0xff; 4096]).expect("written");
    assert_eq!(texts(&shop.view(run(1)), Selection::Both).len(), 50_000);
    let mut shop = shop.reopen();
    let (mut out, err) = shop.pipes(run(1), NO_CAP);
    out.write_all(b"end\n").expect("written");
    drop((out, err));
    assert_eq!(shop.closed().0, text.len() as u64 + 4);
    assert!(shop.segment(run(1), "out") == format!("{text}end\n").as_bytes());
}
