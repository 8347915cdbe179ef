use crate::shop::{Shop, run};
use stagedoor_output::{MAX_QUERY, Selection, Stream};
use std::io::ErrorKind;

fn found(shop: &Shop, query: &str, from: u64) -> Vec<(u64, String)> {
    let view = shop.view(run(1));
    let (mut hits, mut next) = (Vec::new(), Some(from));
    while let Some(from) = next {
        let found = view.search(Selection::Both, query, from).expect("searched");
        hits.extend(found.items.into_iter().map(|hit| (hit.line, hit.text)));
        assert!(found.next.is_none_or(|next| next > from));
        next = found.next;
    }
    hits
}

#[test]
fn a_text_is_found_whatever_its_case_and_colours() {
    let shop = Shop::open();
    let out = "first\nan \u{1b}[31mEr\u{1b}[1mror\u{1b}[0m here\nold\rÄrger\nlast error";
    shop.put(run(1), Stream::Stdout, out.as_bytes());
    shop.put(run(1), Stream::Stderr, b"error on stderr\n");
    let hits = found(&shop, "error", 0);
    let expected = [
        (1, "an Error here"),
        (3, "error on stderr"),
        (4, "last error"),
    ];
    assert_eq!(hits, expected.map(|(line, text)| (line, text.to_owned())));
    assert_eq!(found(&shop, "ERROR", 2).len(), 2);
    assert_eq!(found(&shop, "ärger", 0), [(2, "Ärger".to_owned())]);
    assert_eq!(found(&shop, "[31m", 0), []);
}

#[test]
fn a_query_is_literal_and_bounded() {
    let shop = Shop::open();
    shop.put(run(1), Stream::Stdout, b"a.c (x|y)\nabc\n");
    assert_eq!(found(&shop, "a.c", 0).len(), 1);
    assert_eq!(found(&shop, "(X|Y)", 0).len(), 1);
    let view = shop.view(run(1));
    let kind = |query: &str| view.search(Selection::Both, query, 0).map_err(|e| e.kind());
    assert_eq!(kind(""), Err(ErrorKind::InvalidInput));
    assert_eq!(
        kind(&"x".repeat(MAX_QUERY + 1)),
        Err(ErrorKind::InvalidInput)
    );
    assert!(kind(&"ſ".repeat(MAX_QUERY / 2)).is_ok());
}

#[test]
fn a_text_is_found_wherever_reading_was_interrupted() {
    let shop = Shop::open();
    let mut out = String::new();
    while out.len() < 3 << 20 {
        out += if out.len() % 1000 < 40 {
            "the needle is here\n"
        } else {
            "only straw, and more straw\n"
        };
    }
    let lines = || out.lines().zip(0_u64..);
    let expected: Vec<u64> = lines()
        .filter(|(l, _)| l.contains("needle"))
        .map(|(_, n)| n)
        .collect();
    assert!(expected.len() > 1_000);
    shop.put(run(1), Stream::Stdout, out.as_bytes());
    let hits: Vec<u64> = found(&shop, "NEEDLE", 0)
        .into_iter()
        .map(|(line, _)| line)
        .collect();
    assert_eq!(hits, expected);
}

#[test]
fn a_search_stops_after_a_bounded_work_and_says_where_to_go_on() {
    let shop = Shop::open();
    let out = [
        format!("{}\n", "x".repeat(60_000)).repeat(350).as_bytes(),
        b"needle\n",
    ]
    .concat();
    shop.put(run(1), Stream::Stdout, &out);
    let first = shop
        .view(run(1))
        .search(Selection::Both, "needle", 0)
        .expect("searched");
    assert!(first.items.is_empty());
    assert!(first.next.is_some_and(|next| next > 200));
    assert_eq!(found(&shop, "needle", 0), [(350, "needle".to_owned())]);
}

#[test]
fn a_match_behind_the_cells_that_are_shown_is_found() {
    let shop = Shop::open();
    let out = format!("{}ä needle\n", "x".repeat(10_000));
    shop.put(run(1), Stream::Stdout, out.as_bytes());
    assert_eq!(found(&shop, "needle", 0).len(), 1);
}
