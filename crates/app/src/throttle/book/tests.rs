use std::net::{IpAddr, Ipv4Addr};

use stagedoor_domain::time::Timestamp;

use super::*;
use crate::throttle::place::Account;

const LIMITS: Limits = Limits {
    failures: 5,
    blocked_for: Duration::from_mins(15),
};
const MINUTE: Duration = Duration::from_mins(1);

fn at(minutes: u32) -> Now {
    let passed = MINUTE * minutes;
    Now {
        monotonic: passed,
        wall: Timestamp::from_millis(1_795_291_200_000).plus(passed),
    }
}

fn network(n: u32) -> Network {
    Network::of(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)))
}

fn account(n: u32) -> Account {
    let mut account = [0; 16];
    account[..4].copy_from_slice(&n.to_le_bytes());
    account
}

fn stranger(who: u32, from: u32) -> Visitor {
    Visitor {
        account: account(who),
        network: network(from),
        is_known: false,
    }
}

fn owner(who: u32, from: u32) -> Visitor {
    Visitor {
        is_known: true,
        ..stranger(who, from)
    }
}

/// A try that fails, if it is let in.
fn guess(book: &mut Book, visitor: &Visitor, now: Now) -> Option<Changes> {
    book.begin(visitor, LIMITS, now.monotonic).ok()?;
    let changes = book.failed(visitor, None, LIMITS, now);
    book.done(visitor);
    Some(changes)
}

fn may(book: &mut Book, visitor: &Visitor, now: Now) -> bool {
    let begun = book.begin(visitor, LIMITS, now.monotonic).is_ok();
    if begun {
        book.done(visitor);
    }
    begun
}

#[test]
fn w21_five_failures_of_one_account_from_one_address_block_both_together_alone() {
    let mut book = Book::new();
    let let_in = (0..50).filter(|_| guess(&mut book, &stranger(1, 1), at(1)).is_some());
    assert_eq!(let_in.count(), 5);
    assert!(!may(&mut book, &stranger(1, 1), at(15)));
    assert!(may(&mut book, &stranger(1, 2), at(1)), "another address");
    assert!(may(&mut book, &stranger(2, 1), at(1)), "another account");
    assert!(may(&mut book, &stranger(1, 1), at(16)), "later");
}

#[test]
fn w21_an_address_is_blocked_by_failures_over_many_accounts() {
    let mut book = Book::new();
    let let_in = (0..50).filter(|who| guess(&mut book, &stranger(*who, 1), at(1)).is_some());
    assert_eq!(let_in.count(), 20);
    assert!(!may(&mut book, &stranger(99, 1), at(15)));
    assert!(may(&mut book, &stranger(99, 2), at(1)));
    assert!(may(&mut book, &stranger(99, 1), at(16)));
}

#[test]
fn w21_a_botnet_gets_few_tries_and_locks_nobody_out_who_is_known() {
    let mut book = Book::new();
    let burst = (0..1000).filter(|from| guess(&mut book, &stranger(1, *from), at(1)).is_some());
    assert_eq!(burst.count(), 100);
    let hour = (0..3600_u32).filter(|second| {
        let now = Now {
            monotonic: MINUTE + Duration::from_secs(u64::from(*second)),
            ..at(1)
        };
        guess(&mut book, &stranger(1, 2000 + *second), now).is_some()
    });
    let count = hour.count();
    assert!((1190..=1200).contains(&count), "{count}");
    guess(&mut book, &stranger(1, 8000), at(61));
    assert!(!may(&mut book, &stranger(1, 9000), at(61)));
    assert!(may(&mut book, &owner(1, 9000), at(61)));
}

#[test]
fn w21_no_stranger_locks_the_owner_out_where_they_are_known() {
    let mut book = Book::new();
    for _ in 0..50 {
        guess(&mut book, &stranger(1, 1), at(1));
    }
    // From the owner's own address, but for others.
    for who in 2..50 {
        guess(&mut book, &stranger(who, 7), at(1));
    }
    assert!(!may(&mut book, &stranger(1, 7), at(1)), "not known there");
    assert!(may(&mut book, &owner(1, 7), at(1)));
    for _ in 0..5 {
        guess(&mut book, &owner(1, 7), at(1));
    }
    assert!(!may(&mut book, &owner(1, 7), at(1)), "failed there itself");
    assert!(may(&mut book, &owner(1, 8), at(1)), "known elsewhere too");
}

#[test]
fn w21_who_sends_many_at_once_has_no_more_tries() {
    let mut book = Book::new();
    let visitor = stranger(1, 1);
    let begun = (0..50).filter(|_| book.begin(&visitor, LIMITS, MINUTE).is_ok());
    assert_eq!(begun.count(), 5);
    for _ in 0..5 {
        book.done(&visitor);
    }
    assert!(may(&mut book, &visitor, at(1)));
    assert!(book.trying.is_empty());
}

#[test]
fn w21_who_has_many_addresses_and_sends_from_all_at_once_has_no_more_tries() {
    let mut book = Book::new();
    for from in 0..99 {
        guess(&mut book, &stranger(1, from), at(1)).expect("let in");
    }
    let begun = (1000..2000).filter(|from| {
        let visitor = stranger(*from, *from);
        book.begin(&visitor, LIMITS, MINUTE).is_ok()
    });
    let begun: Vec<u32> = begun.collect();
    assert_eq!(begun, [1000], "one is left of a hundred");
    assert!(
        may(&mut book, &owner(1, 9000), at(1)),
        "who is known waits for nobody"
    );
    book.done(&stranger(1000, 1000));
    assert!(may(&mut book, &stranger(7, 7000), at(1)));
    assert!(book.trying.is_empty());
}

#[test]
fn w21_wrong_tokens_from_any_number_of_addresses_are_written_down_a_few_at_a_time() {
    let mut book = Book::new();
    let counted =
        (0..5000).filter(|from| book.failed_token(network(*from), LIMITS, at(1)).is_some());
    assert_eq!(counted.count(), 100);
    assert!(book.tokens.len() <= 100, "{}", book.tokens.len());
    let later = Now {
        monotonic: at(1).monotonic + Duration::from_mins(10),
        ..at(11)
    };
    let mut stands_for = Vec::new();
    for from in 0..5000 {
        let changes = book.failed_token(network(9000 + from), LIMITS, later);
        stands_for.extend(changes.map(|changes| changes.left_out));
    }
    assert_eq!(
        stands_for.len(),
        100,
        "as many as have leaked, and no more than at first"
    );
    assert_eq!(stands_for.first(), Some(&4900));
    assert!(stands_for.iter().skip(1).all(|left_out| *left_out == 0));
}

#[test]
fn w21_a_flood_of_wrong_tokens_pushes_no_running_block_out() {
    let mut book = Book::new();
    for _ in 0..20 {
        book.failed_token(network(1), LIMITS, at(1))
            .expect("counted");
    }
    let blocked = Place::token(network(1));
    // As many as anybody can send in a minute, from as many addresses as there are places twice over.
    for from in 0..20_000 {
        book.failed_token(network(10 + from), LIMITS, at(2));
    }
    assert!(book.wait(&blocked, LIMITS, at(3).monotonic).is_some());
    assert!(book.tokens.len() < 200, "{}", book.tokens.len());
}

#[test]
fn what_was_right_forgets_its_own_failures_and_not_those_of_others() {
    let mut book = Book::new();
    for _ in 0..4 {
        guess(&mut book, &stranger(1, 1), at(1));
        guess(&mut book, &stranger(2, 1), at(1));
    }
    let changes = book.succeeded(&stranger(1, 1));
    assert_eq!(changes.gone.len(), 1);
    let more = (0..9).filter(|_| guess(&mut book, &stranger(1, 1), at(1)).is_some());
    assert_eq!(more.count(), 5);
    assert!(guess(&mut book, &stranger(2, 1), at(1)).is_some());
    assert!(!may(&mut book, &stranger(2, 1), at(1)));
}

#[test]
fn w21_a_hundred_thousand_names_take_a_fixed_number_of_places() {
    let mut book = Book::new();
    let (mut kept, mut forgotten) = (0, 0);
    for who in 0..100_000 {
        // Each from an address of its own, and slowly: else hardly one would be let in.
        if let Some(changes) = guess(&mut book, &stranger(who, who), at(who)) {
            kept += changes.changed.len();
            forgotten += changes.gone.len();
        }
    }
    assert!(kept > 200_000, "{kept}");
    assert!(forgotten > 150_000, "{forgotten}");
    assert!(book.pairs.len() <= PAIRS, "{}", book.pairs.len());
    assert!(book.addresses.len() <= NETWORKS, "{}", book.addresses.len());
    assert!(book.trying.is_empty());
}

#[test]
fn w21_a_flood_of_names_pushes_no_running_block_out() {
    let mut book = Book::new();
    for _ in 0..5 {
        guess(&mut book, &stranger(1, 1), at(1));
    }
    for who in 0..50 {
        guess(&mut book, &stranger(who, 2), at(1));
    }
    // All at one time, past what bounds strangers, so that only making room is looked at.
    for who in 0..100_000 {
        book.failed(&stranger(who, 10 + who), None, LIMITS, at(2));
    }
    assert!(!may(&mut book, &owner(1, 1), at(3)));
    let address = Place::address(network(2));
    assert!(book.wait(&address, LIMITS, at(3).monotonic).is_some());
    assert!(book.pairs.len() <= PAIRS && book.addresses.len() <= NETWORKS);
}

#[test]
fn tokens_and_passwords_of_one_address_do_not_count_for_each_other() {
    let mut book = Book::new();
    for _ in 0..20 {
        book.failed_token(network(1), LIMITS, at(1));
    }
    let now = at(1).monotonic;
    assert!(book.wait(&Place::token(network(1)), LIMITS, now).is_some());
    assert!(book.blocks_tokens(now));
    assert!(may(&mut book, &stranger(1, 1), at(1)));
    for who in 0..20 {
        guess(&mut book, &stranger(who, 2), at(1));
    }
    assert!(!may(&mut book, &stranger(1, 2), at(1)));
    assert!(book.wait(&Place::token(network(2)), LIMITS, now).is_none());
}

/// Blocked at minute 1, and kept: what a server that starts `monotonic` after zero and finds the
/// clock on the wall at `wall` says.
fn left_after(monotonic: Duration, wall: Timestamp) -> Option<Duration> {
    let mut first = Book::new();
    let mut kept = Vec::new();
    for _ in 0..5 {
        kept = guess(&mut first, &stranger(1, 1), at(1))
            .expect("let in")
            .changed;
    }
    let mut second = Book::new();
    let now = Now { monotonic, wall };
    for record in &kept {
        second.take_up(record, LIMITS, now);
    }
    second
        .begin(&owner(1, 1), LIMITS, monotonic)
        .err()
        .map(|(_, wait)| wait)
}

#[test]
fn w21_a_restart_goes_on_with_a_block_and_no_clock_makes_it_endless() {
    let restarted = |wall| left_after(Duration::from_secs(1), wall);
    assert_eq!(restarted(at(1).wall), Some(MINUTE * 15));
    assert_eq!(restarted(at(11).wall), Some(MINUTE * 5));
    assert_eq!(restarted(at(16).wall), None);
    let years = Duration::from_hours(24 * 3650);
    assert_eq!(restarted(at(1).wall.minus(years)), Some(MINUTE * 15));
}

#[test]
fn what_counts_no_more_is_swept() {
    let mut book = Book::new();
    guess(&mut book, &stranger(1, 1), at(1));
    let strangers = book.sweep(LIMITS, at(2).monotonic);
    assert_eq!(strangers.gone, [Place::all()]);
    let rest = book.sweep(LIMITS, at(1000).monotonic);
    assert_eq!(rest.gone.len(), 2);
    assert_eq!(book.pairs.len() + book.addresses.len(), 0);
}
