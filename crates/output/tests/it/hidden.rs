//! Secret values in output: never seen while it comes, and gone from the segments afterwards.

use crate::shop::{EPOCH, NO_CAP, Shop, run, texts, wait_until};
use proptest::prelude::*;
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_output::{Outputs, Selection, Stream, View};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

const VALUE: &str = "hunter2-violet";
const STARS: &str = "**************";

fn hide(outputs: &Outputs, run: RunId, values: &[&str]) {
    let bytes = |value: &&str| Zeroizing::new(value.as_bytes().to_vec());
    let values: Vec<_> = values.iter().map(bytes).collect();
    outputs.hide(run, &[], &values);
}

fn all(view: &View) -> Vec<u8> {
    view.read(Stream::Stdout, 0..u64::MAX).expect("read")
}

fn text(view: &View) -> String {
    String::from_utf8(all(view)).expect("text")
}

/// The last tail that was made, once there is one like this.
fn tail(
    tails: &mut tokio::sync::watch::Receiver<std::sync::Arc<stagedoor_output::Tail>>,
    is: impl Fn(&str) -> bool,
) -> String {
    let mut last = String::new();
    wait_until(|| {
        last = tails.borrow_and_update().json().to_string();
        assert!(!last.contains("hunter"), "{last}");
        is(&last)
    });
    last
}

#[test]
fn who_watches_sees_a_value_as_stars_once_it_is_whole_and_no_half_of_it_before() {
    let mut shop = Shop::open();
    hide(&shop.outputs, run(1), &[VALUE]);
    let (mut out, err) = shop.pipes(run(1), NO_CAP);
    let mut tails = shop.outputs.watch(run(1), EPOCH).expect("live");
    let view = shop.view(run(1));
    out.write_all(b"key: hunter2-").expect("written");
    tail(&mut tails, |json| json.contains("key: "));
    assert_eq!(
        (text(&view).as_str(), view.size(Stream::Stdout)),
        ("key: ", 5)
    );
    out.write_all(b"violet, ").expect("written");
    tail(&mut tails, |json| json.contains(STARS));
    assert_eq!(text(&view), format!("key: {STARS}, "));
    // A beginning that is none is shown when that is known.
    out.write_all(b"hunt").expect("written");
    wait_until(|| shop.segment(run(1), "out").ends_with(b"hunt"));
    assert_eq!(text(&view), format!("key: {STARS}, "));
    out.write_all(b"s\n").expect("written");
    wait_until(|| text(&view).ends_with("hunts\n"));
    drop((out, err));
    shop.closed();
    shop.outputs.mask(run(1), EPOCH).expect("masked");
    shop.outputs.reveal(run(1));
    let expected = format!("key: {STARS}, hunts\n");
    assert_eq!(shop.segment(run(1), "out"), expected.as_bytes());
    assert_eq!(text(&shop.view(run(1))), expected);
}

#[test]
fn a_run_is_masked_when_its_last_byte_has_come_and_all_its_attempts_are() {
    let mut shop = Shop::open();
    hide(&shop.outputs, run(1), &[VALUE]);
    let (mut out, _err) = shop.pipes(run(1), NO_CAP);
    out.write_all(VALUE.as_bytes()).expect("written");
    let second = Epoch(2);
    let (reader, mut writer) = std::io::pipe().expect("pipe");
    shop.outputs
        .attach(run(1), second, Stream::Stdout, reader.into(), NO_CAP)
        .expect("attached");
    writer.write_all(VALUE.as_bytes()).expect("written");
    let error = shop.outputs.mask(run(1), second).expect_err("it is live");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    wait_until(|| shop.outputs.mask(run(1), second).is_ok());
    assert_eq!(shop.segment(run(1), "out"), STARS.as_bytes());
    let view = shop.outputs.view(run(1), second).expect("view");
    assert_eq!(text(&view), STARS);
    assert!(!shop.path(run(1), "out.spans").exists());
    // Both are closed, and told so.
    assert_eq!((shop.closed(), shop.closed()), ((14, 0), (14, 0)));
}

#[test]
fn values_with_line_ends_and_escapes_leave_lines_and_colours_as_they_are() {
    let value = "\x1b[31mred-one\nhunter-two\r\n\x1b[1mthree";
    let printed = format!("first\n{value}\nplain\n\x1b[32mgreen {value} still green\nlast\n");
    let mut shop = Shop::open();
    hide(&shop.outputs, run(1), &[value]);
    let (mut out, err) = shop.pipes(run(1), NO_CAP);
    let view = shop.view(run(1));
    let mut live = Vec::new();
    // The index is brought up to date in the middle of values, too.
    for piece in printed.as_bytes().chunks(3) {
        out.write_all(piece).expect("written");
        live = texts(&view, Selection::Both);
    }
    let expected = [
        "first",
        "************",
        "**********",
        "*********",
        "plain",
        "green ************",
        "**********",
        "********* still green",
        "last",
    ];
    wait_until(|| {
        live = texts(&view, Selection::Both);
        live == expected
    });
    let lines = |view: &View| {
        serde_json::to_string(&view.lines(Selection::Both, 0, 99).expect("lines").lines)
            .expect("json")
    };
    let (styled, live_view) = (lines(&view), text(&view));
    assert!(!styled.contains("31"), "no colour of the value: {styled}");
    drop((out, err));
    shop.closed();
    assert_eq!(lines(&shop.view(run(1))), styled);
    shop.outputs.mask(run(1), EPOCH).expect("masked");
    shop.outputs.reveal(run(1));
    let shop = shop.reopen();
    assert_eq!(lines(&shop.view(run(1))), styled);
    assert_eq!(text(&shop.view(run(1))), live_view);
}

#[test]
fn a_search_for_a_value_finds_nothing_and_for_what_is_around_it_does() {
    let shop = Shop::open();
    hide(&shop.outputs, run(1), &[VALUE]);
    shop.put(
        run(1),
        Stream::Stdout,
        format!("one {VALUE} two\n").as_bytes(),
    );
    let view = shop.view(run(1));
    let hits = |query| {
        view.search(Selection::Both, query, 0)
            .expect("searched")
            .items
            .len()
    };
    assert_eq!((hits(VALUE), hits("hunter"), hits("one")), (0, 0, 1));
}

#[test]
fn a_segment_of_an_earlier_server_is_held_back_until_its_end_is_known() {
    let mut shop = Shop::open();
    shop.put(run(1), Stream::Stdout, b"key: hunter2-");
    hide(&shop.outputs, run(1), &[VALUE]);
    assert_eq!(text(&shop.view(run(1))), "key: ");
    let (mut out, err) = shop.pipes(run(1), NO_CAP);
    assert_eq!(text(&shop.view(run(1))), "key: ");
    out.write_all(b"violet").expect("written");
    drop((out, err));
    shop.closed();
    assert_eq!(text(&shop.view(run(1))), format!("key: {STARS}"));
}

#[test]
fn who_reads_while_a_segment_is_masked_sees_stars_and_nothing_else() {
    let shop = Shop::open();
    let long: String = ('a'..='z').cycle().take(10_007).collect();
    let line = format!("{VALUE} and {long}\n");
    shop.put(run(1), Stream::Stdout, line.repeat(100).as_bytes());
    hide(&shop.outputs, run(1), &[VALUE, &long]);
    let masked = format!("{STARS} and {}\n", "*".repeat(long.len())).repeat(100);
    let (is_done, outputs) = (AtomicBool::new(false), &shop.outputs);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !is_done.load(Ordering::Acquire) || reads == 0 {
                let view = outputs.view(run(1), EPOCH).expect("view");
                for at in (0..masked.len()).step_by(100_003) {
                    let seen = view
                        .read(Stream::Stdout, at as u64..at as u64 + 20_000)
                        .expect("read");
                    assert!(seen == masked.as_bytes()[at..at + seen.len()], "at {at}");
                    reads += 1;
                }
            }
        });
        outputs.mask(run(1), EPOCH).expect("masked");
        is_done.store(true, Ordering::Release);
        reader.join().expect("only stars");
    });
    assert!(shop.segment(run(1), "out") == masked.as_bytes());
}

#[test]
fn of_a_run_that_is_withheld_nobody_sees_more_than_its_line_ends_and_its_segments_stay() {
    let mut shop = Shop::open();
    let earlier = format!("{VALUE}\nand\n");
    shop.put(run(1), Stream::Stdout, earlier.as_bytes());
    shop.outputs.withhold(run(1));
    let (mut out, err) = shop.pipes(run(1), NO_CAP);
    let mut tails = shop.outputs.watch(run(1), EPOCH).expect("live");
    let view = shop.view(run(1));
    out.write_all(b"hunt").expect("written");
    let expected = format!("{STARS}\n***\n****");
    wait_until(|| text(&view) == expected);
    let shown = tail(&mut tails, |json| json.contains("\"total\":3"));
    assert!(shown.contains(STARS) && !shown.contains("and\""), "{shown}");
    assert_eq!(texts(&view, Selection::Both), [STARS, "***", "****"]);
    let found = view.search(Selection::Both, "and", 0).expect("searched");
    assert!(found.items.is_empty());
    drop((out, err));
    shop.closed();
    assert_eq!(text(&shop.view(run(1))), expected);
    assert_eq!(
        shop.segment(run(1), "out"),
        format!("{earlier}hunt").as_bytes()
    );
    // Another run is as it was printed.
    shop.print(run(2), &[(Stream::Stdout, b"plain")]);
    assert_eq!(text(&shop.view(run(2))), "plain");
    shop.outputs.mask(run(1), EPOCH).expect("masked");
    shop.outputs.reveal(run(1));
    assert_eq!(shop.segment(run(1), "out"), expected.as_bytes());
    assert_eq!(text(&shop.view(run(1))), expected);
}

#[test]
fn a_segment_that_cannot_be_masked_is_named_and_the_others_are_masked() {
    let shop = Shop::open();
    hide(&shop.outputs, run(1), &[VALUE]);
    std::fs::create_dir_all(shop.path(run(1), "out")).expect("in the way");
    shop.put(run(1), Stream::Stderr, VALUE.as_bytes());
    let error = shop.outputs.mask(run(1), EPOCH).expect_err("a folder");
    let name = format!("{}.1.out: ", run(1));
    assert!(error.to_string().contains(&name), "{error}");
    assert_eq!(shop.segment(run(1), "err"), STARS.as_bytes());
    std::fs::remove_dir(shop.path(run(1), "out")).expect("out of the way");
    shop.outputs.mask(run(1), EPOCH).expect("masked");
}

#[test]
fn nothing_is_hidden_of_other_runs_and_of_values_that_are_too_short() {
    let mut shop = Shop::open();
    hide(&shop.outputs, run(1), &[VALUE]);
    hide(&shop.outputs, run(2), &["abc", ""]);
    assert!(shop.outputs.hides(run(1)) && !shop.outputs.hides(run(2)));
    let printed = format!("{VALUE} abc");
    shop.print(run(2), &[(Stream::Stdout, printed.as_bytes())]);
    assert_eq!(text(&shop.view(run(2))), printed);
    shop.outputs.mask(run(2), EPOCH).expect("nothing to do");
    assert_eq!(shop.segment(run(2), "out"), printed.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// However it comes, and wherever one looks.
    #[test]
    fn what_is_seen_at_any_moment_is_a_part_of_what_is_kept_in_the_end(
        values in prop::collection::vec("[ab]{4,12}|abba[a-d\n]{0,30}", 1..4),
        pieces in prop::collection::vec("([ab]{0,9}|[a-d\n]{0,5}|abbaabbaab){1,4}", 1..12),
        looks in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40), 12),
    ) {
        let mut shop = Shop::open();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        hide(&shop.outputs, run(1), &values);
        let (mut out, err) = shop.pipes(run(1), NO_CAP);
        let view = shop.view(run(1));
        let (mut seen, mut size) = (Vec::new(), 0);
        for (piece, (at, length)) in pieces.iter().zip(looks) {
            out.write_all(piece.as_bytes()).expect("written");
            size += piece.len();
            wait_until(|| shop.segment(run(1), "out").len() == size);
            let whole = all(&view);
            let from = at.index(whole.len() + 1);
            let to = (from + length).min(whole.len());
            let window = view.read(Stream::Stdout, from as u64..to as u64).expect("read");
            prop_assert_eq!(&window[..], &whole[from..to]);
            let lines = texts(&view, Selection::Stdout);
            seen.push((whole, lines));
        }
        drop((out, err));
        shop.closed();
        let last = all(&shop.view(run(1)));
        let lines = texts(&shop.view(run(1)), Selection::Stdout);
        shop.outputs.mask(run(1), EPOCH).expect("masked");
        prop_assert_eq!(&shop.segment(run(1), "out"), &last);
        shop.outputs.reveal(run(1));
        let shop = shop.reopen();
        prop_assert_eq!(&texts(&shop.view(run(1)), Selection::Stdout), &lines);
        for (then, then_lines) in seen {
            prop_assert!(last.starts_with(&then));
            let complete = then_lines.len().saturating_sub(1);
            prop_assert_eq!(&then_lines[..complete], &lines[..complete]);
        }
    }
}
