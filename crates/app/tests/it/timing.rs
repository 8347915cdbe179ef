//! How long a refusal takes tells nobody whether there is such a user.
//!
//! Tries of a known, an unknown and a disabled user take turns in an order that changes, so that
//! whatever else the machine does slows all three alike. Of two kinds one may be seen to differ
//! only if ranks say so beyond doubt (Mann–Whitney) and the medians differ by enough to be worth
//! anything to somebody far away: a busy machine makes neither. `STAGEDOOR_SIGN_INS` says how many
//! tries of each kind there are.

use std::time::{Duration, Instant};

use stagedoor_app::password::Password;

use crate::house::House;
use crate::sessions::PASSWORD;

/// Tries of each kind where nothing is said.
const FEW: usize = 40;
/// Standard deviations of the rank sum that chance does not reach: once in 15,000 times.
const BEYOND_DOUBT: f64 = 4.0;
/// A difference of the medians that could be worth something, in parts of the whole.
const WORTH: f64 = 0.02;

#[expect(clippy::disallowed_methods, reason = "says how long to measure")]
fn tries() -> usize {
    let said = std::env::var("STAGEDOOR_SIGN_INS").ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(FEW)
}

fn median(times: &[Duration]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2].as_secs_f64()
}

/// The rank sum of the first against what equal distributions give, in standard deviations.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn mann_whitney(first: &[Duration], second: &[Duration]) -> f64 {
    let mut all: Vec<(Duration, bool)> = first.iter().map(|time| (*time, true)).collect();
    all.extend(second.iter().map(|time| (*time, false)));
    all.sort_unstable();
    // Equal times are as good as never on a clock of nanoseconds; they share a rank all the same.
    let rank = |time: Duration| {
        let below = all.partition_point(|(other, _)| *other < time);
        let up_to = all.partition_point(|(other, _)| *other <= time);
        (below + up_to + 1) as f64 / 2.0
    };
    let sum: f64 = first.iter().map(|time| rank(*time)).sum();
    let (m, n) = (first.len() as f64, second.len() as f64);
    let mean = m * (m + n + 1.0) / 2.0;
    (sum - mean) / (m * n * (m + n + 1.0) / 12.0).sqrt()
}

/// Could somebody tell these apart?
fn is_worth_using(first: &[Duration], second: &[Duration]) -> bool {
    let (one, other) = (median(first), median(second));
    mann_whitney(first, second).abs() > BEYOND_DOUBT && (one - other).abs() > WORTH * one.min(other)
}

#[tokio::test]
async fn w21_how_long_a_refusal_takes_does_not_tell_whether_there_is_such_a_user() {
    let house = House::with(&[]).await;
    house.person("known", PASSWORD).await;
    let disabled = house.person("disabled", PASSWORD).await;
    let locked = house.store().set_disabled(disabled.id, true);
    locked.await.expect("the store");
    let kinds = [
        ("known", "a guess of a password"),
        ("unknown", "a guess of a password"),
        ("disabled", PASSWORD),
    ];
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let address = [192, 0, 2, 7];
    for round in 0..tries() {
        for turn in 0..3 {
            // Each kind comes first, second and third equally often, behind each other one.
            let kind = if round % 2 == 0 {
                (round + turn) % 3
            } else {
                (round + 3 - turn) % 3
            };
            let (name, password) = kinds[kind];
            let password = Password::from(password.to_owned());
            let took = house.inside(move |app| async move {
                #[expect(clippy::disallowed_methods, reason = "measures")]
                let began = Instant::now();
                let refused = app.sign_in(name, password, address.into()).await;
                assert!(refused.is_err(), "{name}");
                began.elapsed()
            });
            times[kind].push(took.await);
            // So that nobody is blocked.
            house.clock.pass(Duration::from_hours(24));
        }
    }
    let [known, unknown, disabled] = &times;
    for (name, other) in [("unknown", unknown), ("disabled", disabled)] {
        println!(
            "{} each: known {:.2} ms, {name} {:.2} ms in the median, z = {:.2}",
            known.len(),
            median(known) * 1e3,
            median(other) * 1e3,
            mann_whitney(known, other)
        );
        assert!(
            !is_worth_using(known, other),
            "{name} can be told from known"
        );
    }
}

/// Times that spread like those of a busy machine.
fn made_up(base: f64, seed: u64) -> Vec<Duration> {
    let mut state = seed;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        f64::from(u32::try_from(state >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    };
    (0..300)
        .map(|_| Duration::from_secs_f64(base * (1.0 + noise() * noise())))
        .collect()
}

#[test]
fn a_difference_that_is_worth_using_is_found_and_noise_is_not() {
    let known = made_up(0.030, 1);
    assert!(!is_worth_using(&known, &made_up(0.030, 2)));
    assert!(is_worth_using(&known, &made_up(0.036, 3)));
    assert!(is_worth_using(&made_up(0.036, 4), &known));
    // Evident and yet too small to be seen from elsewhere.
    let shifted: Vec<_> = known
        .iter()
        .map(|time| *time + Duration::from_micros(3))
        .collect();
    assert!(!is_worth_using(&known, &shifted));
}

#[test]
fn ranks_are_those_of_the_book() {
    let of = |millis: &[u64]| -> Vec<Duration> {
        millis
            .iter()
            .map(|millis| Duration::from_millis(*millis))
            .collect()
    };
    // U = 0 of 5 and 5: (15 - 27.5) / sqrt(5 * 5 * 11 / 12).
    let z = mann_whitney(&of(&[1, 2, 3, 4, 5]), &of(&[6, 7, 8, 9, 10]));
    assert!((z + 2.611).abs() < 0.001, "{z}");
    let same = mann_whitney(&of(&[1, 2, 3]), &of(&[1, 2, 3]));
    assert!(same.abs() < 1e-9, "{same}");
}
