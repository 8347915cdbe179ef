//! Mutated requests, through the gate into hyper: what passes must mean the same to both. The seeds
//! are the table of malformed requests; `STAGEDOOR_FUZZ_SECONDS` says for how long, and
//! `STAGEDOOR_FUZZ_SEED` with which chance.

mod chance;
mod reference;
mod serving;

use std::time::{Duration, Instant};

use super::framing::Then;
use super::framing::tests::{Found, found};
use super::malformed::cases;
use chance::Chance;
use reference::Request;
use serving::Served;

/// In a plain run of the tests.
const A_MOMENT: Duration = Duration::from_millis(400);

#[expect(clippy::disallowed_methods, reason = "how long, and with which chance")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What is mutated; good ones twice, so that more stands behind them.
fn seeds() -> Vec<Vec<u8>> {
    let cases = cases("token");
    let seeds = cases
        .into_iter()
        .flat_map(|case| [case.bad, case.good.clone(), case.good]);
    seeds.collect()
}

/// What hyper must have seen of these bytes, by what the parser found in them.
fn expected(bytes: &[u8], found: &Found) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut begin = 0;
    for end in &found.ends {
        requests.push(Request::whole(&bytes[begin..*end]));
        begin = *end;
    }
    if begin < found.passed {
        requests.push(Request::broken(&bytes[begin..found.passed]));
    }
    requests
}

/// What is wrong with how these bytes were served.
fn fault(bytes: &[u8], found: &Found, served: &Served) -> Option<String> {
    let expected = expected(bytes, found);
    let seen = &served.requests;
    // hyper may end a connection when a client asked for it, or speaks HTTP/1.0.
    let may_be_cut = expected.starts_with(seen) && served.was_to_end;
    if !may_be_cut && *seen != expected {
        return Some(format!("hyper saw {seen:?} instead of {expected:?}"));
    }
    let answers = served.answers();
    if answers.iter().any(|answer| !answer.is_ours) {
        return Some("an answer is not ours".to_owned());
    }
    let finals = answers.iter().filter(|answer| answer.status != 100);
    let statuses: Vec<u16> = finals.map(|answer| answer.status).collect();
    let of_hyper = vec![200; seen.len()];
    let is_broken = expected.len() > found.ends.len();
    let wanted = match found.then {
        Then::Refused(refusal) if !is_broken && *seen == expected => {
            [of_hyper.as_slice(), &[refusal.status.as_u16()]].concat()
        }
        _ => of_hyper.clone(),
    };
    let is_right = statuses == wanted || (may_be_cut && statuses == of_hyper);
    (!is_right).then(|| format!("answers {statuses:?} instead of {wanted:?}"))
}

/// One input, cut in two ways, and served.
fn check(bytes: &[u8], chance: &mut Chance) -> Option<String> {
    let whole = found(bytes, []);
    let cuts = chance.cuts(bytes.len());
    let in_pieces = found(bytes, cuts.iter().copied());
    if in_pieces != whole {
        return Some(format!("cut at {cuts:?}: {in_pieces:?}, whole: {whole:?}"));
    }
    let served = match serving::serve(bytes, &cuts, chance.below(3) == 0) {
        Ok(served) => served,
        Err(hang) => return Some(hang),
    };
    fault(bytes, &whole, &served)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "runs for a while")]
fn f8_what_the_gate_lets_pass_means_the_same_to_hyper() {
    let seeds = seeds();
    let mut chance = Chance::new(number("STAGEDOOR_FUZZ_SEED").unwrap_or(1));
    let long = number("STAGEDOOR_FUZZ_SECONDS").map_or(A_MOMENT, Duration::from_secs);
    let (begun, mut count, mut whole) = (Instant::now(), 0_u64, 0_u64);
    while begun.elapsed() < long {
        let bytes = chance.input(&seeds);
        if let Some(fault) = check(&bytes, &mut chance) {
            panic!("input {count}, {fault}: \"{}\"", bytes.escape_ascii());
        }
        count += 1;
        whole += found(&bytes, []).ends.len() as u64;
    }
    println!("{count} inputs, {whole} whole requests in them");
    assert!(count > 10 && whole > 0, "{count} inputs, {whole} requests");
}

#[test]
fn every_case_of_the_table_means_the_same_to_hyper() {
    let mut chance = Chance::new(1);
    for case in cases("token") {
        for bytes in [
            [&case.bad, &case.good].map(Vec::as_slice).concat(),
            case.good,
        ] {
            assert_eq!(check(&bytes, &mut chance), None, "{}", case.name);
        }
    }
}

/// The check can fail: hyper behind no gate takes a bare LF and two Hosts.
#[test]
fn a_disagreement_is_found() {
    let bytes = b"GET /a HTTP/1.1\nHost: a\nHost: b\n\n";
    let found = found(bytes, []);
    let served = Served {
        requests: vec![Request::whole(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")],
        output: Vec::new(),
        was_to_end: true,
    };
    assert!(fault(bytes, &found, &served).is_some_and(|fault| fault.contains("hyper saw")));
}
