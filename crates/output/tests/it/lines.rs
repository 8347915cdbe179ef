use crate::shop::{NO_CAP, Shop, numbered, run, texts, wait_until};
use proptest::prelude::*;
use stagedoor_output::{MAX_LINES, Selection, Stream, Style};
use std::fmt::Write as _;
use std::io::Write as _;

use Stream::{Stderr, Stdout};

#[test]
fn both_streams_stand_in_the_order_in_which_lines_were_completed() {
    let mut shop = Shop::open();
    let pieces: [(Stream, &[u8]); 7] = [
        (Stderr, b"e1\nbeg"),
        (Stdout, b"o1\no2"),
        (Stderr, b"un\n"),
        (Stdout, b" goes on\n"),
        (Stderr, b"open err"),
        (Stdout, b"open out"),
        (Stderr, b" still"),
    ];
    shop.print(run(1), &pieces);
    let view = shop.view(run(1));
    let expected = [
        "e1",
        "o1",
        "begun",
        "o2 goes on",
        "open out",
        "open err still",
    ];
    assert_eq!(texts(&view, Selection::Both), expected);
    assert_eq!(
        texts(&view, Selection::Stdout),
        ["o1", "o2 goes on", "open out"]
    );
    assert_eq!(
        texts(&view, Selection::Stderr),
        ["e1", "begun", "open err still"]
    );
    let lines = view.lines(Selection::Both, 0, 9).expect("lines");
    let from_stderr = |line: &stagedoor_output::Line| {
        line.spans()
            .all(|span| span.style.flags & Style::STDERR != 0)
    };
    let marked: Vec<_> = lines.lines.iter().map(from_stderr).collect();
    assert_eq!(marked, [true, false, true, false, false, true]);
    let alone = view.lines(Selection::Stderr, 0, 9).expect("lines");
    assert!(!alone.lines.iter().any(from_stderr));
}

#[test]
fn lines_that_are_not_ended_stand_last_and_may_change() {
    let mut shop = Shop::open();
    let (mut out, mut err) = shop.pipes(run(1), NO_CAP);
    let view = shop.view(run(1));
    out.write_all(b"whole\npart").expect("written");
    wait_until(|| view.size(Stdout) == 10);
    err.write_all(b"oops").expect("written");
    wait_until(|| view.size(Stderr) == 4);
    let lines = view.lines(Selection::Both, 0, 500).expect("lines");
    assert_eq!((lines.total, lines.partial, lines.next), (3, 2, None));
    assert_eq!(texts(&view, Selection::Both), ["whole", "part", "oops"]);
    out.write_all(b"ly\n").expect("written");
    wait_until(|| view.size(Stdout) == 13);
    assert_eq!(texts(&view, Selection::Both), ["whole", "partly", "oops"]);
    assert_eq!(view.lines(Selection::Both, 0, 1).expect("lines").partial, 1);
    drop((out, err));
    shop.closed();
    assert_eq!(view.lines(Selection::Both, 0, 1).expect("lines").partial, 0);
    assert_eq!(texts(&view, Selection::Both), ["whole", "partly", "oops"]);
}

#[test]
fn a_window_says_where_to_go_on() {
    let shop = Shop::open();
    let bytes = numbered("line ", 0..2_345);
    shop.put(run(1), Stdout, bytes.as_bytes());
    let view = shop.view(run(1));
    let window = view.lines(Selection::Both, 1_200, 10_000).expect("lines");
    assert_eq!(
        (window.from, window.total, window.next),
        (1_200, 2_345, Some(1_700))
    );
    assert_eq!(window.lines.len(), MAX_LINES);
    assert_eq!(window.lines[0].text(), "line 1200");
    let last = view.lines(Selection::Both, 2_340, 500).expect("lines");
    assert_eq!((last.lines.len(), last.next), (5, None));
    let behind = view.lines(Selection::Both, u64::MAX, 500).expect("lines");
    assert_eq!(
        (behind.lines.len(), behind.next, behind.total),
        (0, None, 2_345)
    );
    let json = serde_json::to_string(&view.lines(Selection::Both, 2_344, 1).expect("lines"));
    let expected = r#"{"from":2344,"total":2345,"lines":["line 2344"],"next":null,"partial":0}"#;
    assert_eq!(json.expect("JSON"), expected);
}

#[test]
fn an_answer_is_made_from_two_mebibytes_at_most_and_goes_on() {
    let shop = Shop::open();
    let bytes = format!("{}\n", "x".repeat(60_000)).repeat(200);
    shop.put(run(1), Stdout, bytes.as_bytes());
    let view = shop.view(run(1));
    let window = view.lines(Selection::Both, 0, 500).expect("lines");
    assert!(
        (30..=40).contains(&window.lines.len()),
        "{}",
        window.lines.len()
    );
    assert_eq!(window.next, Some(window.lines.len() as u64));
    assert!(
        window
            .lines
            .iter()
            .all(|line| line.text().chars().count() == 4096)
    );
    assert_eq!(texts(&view, Selection::Both).len(), 200);
}

#[test]
fn the_tail_is_the_end_whatever_stands_before_it() {
    let shop = Shop::open();
    let bytes = numbered("line ", 0..2_345);
    shop.put(run(1), Stdout, (bytes + "open").as_bytes());
    let view = shop.view(run(1));
    let tail = view.tail(Selection::Both, 3).expect("tail");
    assert_eq!((tail.from, tail.total), (2_343, 2_346));
    let lines: Vec<_> = tail
        .lines
        .iter()
        .map(stagedoor_output::Line::text)
        .collect();
    assert_eq!(lines, ["line 2343", "line 2344", "open"]);
    assert_eq!(view.tail(Selection::Stderr, 3).expect("tail").lines, []);

    shop.put(
        run(2),
        Stdout,
        format!("{}\n", "x".repeat(60_000)).repeat(200).as_bytes(),
    );
    let tail = shop.view(run(2)).tail(Selection::Both, 500).expect("tail");
    assert!(
        (30..=40).contains(&tail.lines.len()),
        "{}",
        tail.lines.len()
    );
    assert_eq!(tail.from + tail.lines.len() as u64, 200);
}

#[test]
fn a_progress_bar_is_one_line_that_shows_its_last_state() {
    let shop = Shop::open();
    let mut bytes = String::from("before\n");
    for i in 0..300_000 {
        write!(bytes, "\r\u{1b}[32mProgress {i} of 300000\u{1b}[0m").expect("text");
    }
    bytes += "\nafter\n";
    shop.put(run(1), Stdout, bytes.as_bytes());
    let view = shop.view(run(1));
    assert_eq!(
        texts(&view, Selection::Both),
        ["before", "Progress 299999 of 300000", "after"]
    );
    let line = &view.lines(Selection::Both, 1, 1).expect("lines").lines[0];
    assert!(line.spans().all(|span| span.style.fg == 1 << 24 | 2));
}

#[test]
fn hostile_output_can_be_read_at_any_line() {
    let size = 1 << 20;
    for (what, bytes) in [
        ("one line", vec![b'x'; size]),
        ("returns", vec![b'\r'; size]),
        ("escapes", vec![0x1b; size]),
        ("colours", b"\x1b[1m".repeat(size / 4)),
        (
            "a title without end",
            [b"\x1b]0;".to_vec(), vec![b'x'; size]].concat(),
        ),
        ("NULs", vec![0; size]),
        ("newlines", vec![b'\n'; size]),
        ("invalid bytes", vec![0xff; size]),
    ] {
        let shop = Shop::open();
        shop.put(run(1), Stdout, &bytes);
        let view = shop.view(run(1));
        let total = view.lines(Selection::Both, 0, 1).expect("lines").total;
        for from in [0, total / 2, total - 1] {
            let window = view.lines(Selection::Both, from, 500).expect("lines");
            assert!(!window.lines.is_empty(), "{what} from {from}");
        }
        assert!(
            !view
                .tail(Selection::Both, 500)
                .expect("tail")
                .lines
                .is_empty(),
            "{what}"
        );
    }
}

/// All lines made the simple way: the text, and the colour of its last character.
fn naive(bytes: &[u8]) -> Vec<(String, u32)> {
    const SOFT: usize = 65_536;
    let (mut lines, mut start, mut colour) = (Vec::new(), 0, 0);
    while start < bytes.len() {
        let window = &bytes[start..bytes.len().min(start + SOFT + 1)];
        let (end, next) = match window.iter().position(|b| *b == b'\n') {
            Some(length) => (start + length, start + length + 1),
            None if window.len() <= SOFT => (bytes.len(), bytes.len()),
            None => match window[1..SOFT].iter().rposition(|b| *b == b'\r') {
                Some(at) => {
                    naive_line(&bytes[start..=start + at], &mut colour);
                    start += 1 + at;
                    continue;
                }
                None => (start + SOFT, start + SOFT),
            },
        };
        lines.push(naive_line(&bytes[start..end], &mut colour));
        start = next;
    }
    lines
}

/// Knows text, `\r` and `ESC [ 3 x m` only.
fn naive_line(raw: &[u8], colour: &mut u32) -> (String, u32) {
    let mut cells: Vec<(char, u32)> = Vec::new();
    let (mut column, mut rest) = (0, raw);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            0x1b => {
                let whole = after.len() >= 4;
                *colour = if whole {
                    1 << 24 | u32::from(after[2] - b'0')
                } else {
                    *colour
                };
                rest = if whole { &after[4..] } else { &[] };
            }
            b'\r' => column = 0,
            byte => {
                let cell = (*byte as char, *colour);
                if column < cells.len() {
                    cells[column] = cell;
                } else {
                    cells.push(cell);
                }
                column += 1;
            }
        }
        // What stands behind the shown cells is not shown, but for its being there.
        cells.truncate(4097);
        column = column.min(4096);
    }
    if cells.len() > 4096 {
        cells.truncate(4096);
        cells[4095].0 = '…';
    }
    (
        cells.iter().map(|cell| cell.0).collect(),
        cells.last().map_or(0, |cell| cell.1),
    )
}

fn output() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        20 => "[a-z ]{0,30}".prop_map(String::into_bytes),
        15 => Just(b"\n".to_vec()),
        5 => Just(b"\r\n".to_vec()),
        5 => Just(b"\r".to_vec()),
        5 => (0_u8..8).prop_map(|c| format!("\u{1b}[3{c}m").into_bytes()),
        1 => (60_000_usize..140_000).prop_map(|n| vec![b'z'; n]),
        1 => (0_usize..1_500).prop_map(|n| vec![b'\n'; n]),
        1 => (0_usize..20_000).prop_map(|n| b"\rstate".repeat(n)),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_window_from_anywhere_agrees_with_the_whole(
        bytes in output(),
        starts in prop::collection::vec(any::<prop::sample::Index>(), 4),
    ) {
        let shop = Shop::open();
        shop.put(run(1), Stdout, &bytes);
        let view = shop.view(run(1));
        let whole = naive(&bytes);
        for start in starts {
            let from = start.index(whole.len() + 1);
            let window = view.lines(Selection::Both, from as u64, 500).expect("lines");
            prop_assert_eq!(window.total, whole.len() as u64);
            for (line, (text, colour)) in window.lines.iter().zip(&whole[from..]) {
                prop_assert_eq!(line.text(), text);
                let last = line.spans().last().map_or(0, |span| span.style.fg);
                prop_assert_eq!(last, *colour);
            }
            prop_assert!(window.next.is_some() || from + window.lines.len() == whole.len());
        }
    }

    #[test]
    fn the_order_of_both_streams_is_the_same_live_ended_and_from_anywhere(
        pieces in prop::collection::vec((any::<bool>(), output_small()), 0..12),
        start in any::<prop::sample::Index>(),
    ) {
        let mut shop = Shop::open();
        let (mut out, mut err) = shop.pipes(run(1), NO_CAP);
        let view = shop.view(run(1));
        for (is_out, piece) in &pieces {
            let stream = if *is_out { Stdout } else { Stderr };
            let size = view.size(stream) + piece.len() as u64;
            let pipe = if *is_out { &mut out } else { &mut err };
            pipe.write_all(piece).expect("written");
            wait_until(|| view.size(stream) == size);
            view.lines(Selection::Both, 0, 1).expect("lines");
        }
        let live = texts(&view, Selection::Both);
        drop((out, err));
        shop.closed();
        prop_assert_eq!(&texts(&view, Selection::Both), &live);
        let shop = shop.reopen();
        let view = shop.view(run(1));
        prop_assert_eq!(&texts(&view, Selection::Both), &live);
        let from = start.index(live.len() + 1);
        let window = view.lines(Selection::Both, from as u64, 500).expect("lines");
        let window: Vec<_> = window.lines.iter().map(stagedoor_output::Line::text).collect();
        prop_assert_eq!(&window[..], &live[from..live.len().min(from + 500)]);
    }
}

fn output_small() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(b'\n'), b'a'..=b'z', Just(b'\r')], 0..40)
}
