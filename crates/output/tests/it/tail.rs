use crate::shop::{EPOCH, NO_CAP, PATIENCE, RealClock, Shop, run};
use stagedoor_domain::time::Clock;
use stagedoor_output::{TAIL_LINES, Tail};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::time::timeout;

/// The next tail; `None` when there will be none.
async fn next(receiver: &mut Receiver<Arc<Tail>>) -> Option<Arc<Tail>> {
    let changed = timeout(PATIENCE, receiver.changed())
        .await
        .expect("in time");
    changed.ok().map(|()| receiver.borrow_and_update().clone())
}

fn texts(tail: &Tail) -> Vec<&str> {
    tail.lines
        .iter()
        .map(stagedoor_output::Line::text)
        .collect()
}

#[tokio::test]
async fn the_tail_follows_a_run_to_its_end() {
    let shop = Shop::open();
    let (mut out, mut err) = shop.pipes(run(1), NO_CAP);
    let mut watch = shop.outputs.watch(run(1), EPOCH).expect("live");
    let tail = next(&mut watch)
        .await
        .expect("the first comes at once, although nothing does");
    assert_eq!((tail.seq, tail.total, tail.ended), (1, 0, false));
    out.write_all(b"hello\nwor").expect("written");
    let tail = next(&mut watch).await.expect("a tail");
    assert_eq!(
        (texts(&tail), tail.total, tail.first, tail.partial),
        (vec!["hello", "wor"], 2, 0, 1)
    );
    let json =
        r#"{"seq":19,"total":2,"first":0,"partial":1,"ended":false,"lines":["hello","wor"]}"#;
    assert_eq!(&**tail.json(), json);
    err.write_all(b"oops\n").expect("written");
    let tail = next(&mut watch).await.expect("a tail");
    assert_eq!(texts(&tail), ["hello", "oops", "wor"]);
    assert!(tail.json().contains(r#"["oops",4,0,0,256]"#));
    drop((out, err));
    let tail = next(&mut watch).await.expect("the last tail");
    assert_eq!((tail.ended, tail.partial, tail.total), (true, 0, 3));
    assert!(next(&mut watch).await.is_none());
    assert!(shop.outputs.watch(run(1), EPOCH).is_none());
}

#[tokio::test]
async fn many_writes_make_few_tails_and_the_last_state_arrives() {
    let shop = Shop::open();
    let (mut out, err) = shop.pipes(run(1), NO_CAP);
    let mut watch = shop.outputs.watch(run(1), EPOCH).expect("live");
    let writer = std::thread::spawn(move || {
        for i in 0..4_000 {
            writeln!(out, "line {i}").expect("written");
            std::thread::sleep(Duration::from_micros(200));
        }
        drop((out, err));
    });
    let clock = RealClock::new();
    let (mut count, mut last) = (0_u32, None);
    while let Some(tail) = next(&mut watch).await {
        assert!(tail.lines.len() <= TAIL_LINES);
        assert!(
            last.as_ref()
                .is_none_or(|last: &Arc<Tail>| last.seq < tail.seq)
        );
        count += 1;
        last = Some(tail);
    }
    writer.join().expect("joined");
    let most = clock.monotonic().as_secs_f64() * 30.0 + 2.0;
    assert!(f64::from(count) <= most, "{count} tails of at most {most}");
    assert!(count > 5, "{count} tails");
    let last = last.expect("some");
    assert_eq!((last.total, last.first, last.ended), (4_000, 3_800, true));
    assert_eq!(last.lines[199].text(), "line 3999");
}

#[tokio::test]
async fn whoever_comes_later_gets_the_present_state_at_once() {
    let shop = Shop::open();
    let (mut out, _err) = shop.pipes(run(1), NO_CAP);
    let mut first = shop.outputs.watch(run(1), EPOCH).expect("live");
    next(&mut first).await.expect("a tail");
    out.write_all(b"now\n").expect("written");
    next(&mut first).await.expect("a tail");
    let mut second = shop.outputs.watch(run(1), EPOCH).expect("live");
    let tail = next(&mut second).await.expect("a tail");
    assert_eq!(texts(&tail), ["now"]);
    assert!(Arc::ptr_eq(&tail, &first.borrow()), "made once for both");
}

#[tokio::test]
async fn whoever_returns_after_nobody_watched_gets_the_present_state() {
    let shop = Shop::open();
    let (mut out, _err) = shop.pipes(run(1), NO_CAP);
    let mut watch = shop.outputs.watch(run(1), EPOCH).expect("live");
    next(&mut watch).await.expect("a tail");
    drop(watch);
    for text in ["one\n", "two\n"] {
        out.write_all(text.as_bytes()).expect("written");
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    let mut watch = shop.outputs.watch(run(1), EPOCH).expect("live");
    let tail = next(&mut watch).await.expect("a tail");
    assert_eq!(texts(&tail), ["one", "two"]);
}

#[tokio::test]
async fn who_watches_when_the_server_stops_learns_that_no_more_comes() {
    let shop = Shop::open();
    let (_out, _err) = shop.pipes(run(1), NO_CAP);
    let mut watch = shop.outputs.watch(run(1), EPOCH).expect("live");
    next(&mut watch).await.expect("a tail");
    drop(shop.outputs);
    assert!(next(&mut watch).await.is_none());
}

#[tokio::test]
async fn a_tail_of_hostile_lines_is_small() {
    let shop = Shop::open();
    let (mut out, _err) = shop.pipes(run(1), NO_CAP);
    let line = "\u{1b}[31mx\u{1b}[32my".repeat(5_000) + "\n";
    let writer = std::thread::spawn(move || {
        out.write_all(line.repeat(100).as_bytes()).expect("written");
        out
    });
    let _out = writer.join().expect("joined");
    let mut watch = shop.outputs.watch(run(1), EPOCH).expect("live");
    let tail = loop {
        let tail = next(&mut watch).await.expect("a tail");
        if tail.total >= 100 {
            break tail;
        }
    };
    assert!(!tail.lines.is_empty());
    assert!(tail.json().len() < 2 << 20, "{}", tail.json().len());
}
