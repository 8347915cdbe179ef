use super::*;
use proptest::prelude::*;

fn fresh() -> Life {
    Life::accepted(false, vec![0])
}

/// Applies events in order and returns the last life with all effects.
fn play(life: Life, events: &[Event]) -> (Life, Vec<Effect>) {
    events
        .iter()
        .fold((life, Vec::new()), |(life, mut all), event| {
            let (next, effects) = step(&life, event);
            all.extend(effects);
            (next, all)
        })
}

fn outcome_of(events: &[Event]) -> Option<Outcome> {
    play(fresh(), events).0.ending.map(|ending| ending.outcome)
}

const ONE: Epoch = Epoch(1);

fn exit(code: i32) -> Exit {
    Exit {
        code: Some(code),
        ..Exit::default()
    }
}

fn signalled(stopped: bool) -> Exit {
    Exit {
        signal: Some(15),
        stopped,
        ..Exit::default()
    }
}

#[test]
fn a_run_is_claimed_started_and_ends_by_its_exit_code() {
    let go = [Event::Claimed, Event::Started(ONE)];
    let ended = |exit| outcome_of(&[go.as_slice(), &[Event::Exited(ONE, exit)]].concat());
    assert_eq!(ended(exit(0)), Some(Outcome::Succeeded));
    assert_eq!(ended(exit(3)), Some(Outcome::Failed));
    assert_eq!(ended(signalled(false)), Some(Outcome::Signalled));
    assert_eq!(
        ended(Exit {
            timed_out: true,
            ..signalled(true)
        }),
        Some(Outcome::TimedOut)
    );
}

#[test]
fn a_run_that_the_kernel_ended_for_a_call_says_so() {
    let ended = |signal| {
        let exit = Exit {
            signal: Some(signal),
            ..Exit::default()
        };
        let events = [
            Event::Claimed,
            Event::Started(ONE),
            Event::Exited(ONE, exit),
        ];
        play(fresh(), &events).0.ending.expect("an end")
    };
    let ending = ended(31);
    assert_eq!(ending.outcome, Outcome::Signalled);
    assert!(
        ending
            .reason
            .is_some_and(|reason| reason.contains("32-bit"))
    );
    assert_eq!(ended(11).reason, None);
}

#[test]
fn a_run_beyond_a_limit_says_which_its_value_and_where_to_change_it() {
    let limits = ProcessLimits {
        file_size: Some(1 << 20),
        ..ProcessLimits::default()
    };
    let by_signal = |signal| Exit {
        signal: Some(signal),
        ..Exit::default()
    };
    let size = Some(Limit::FileSize(1 << 20));
    assert_eq!(Limit::behind(&by_signal(25), Met::default(), &limits), size);
    assert_eq!(
        Limit::behind(&exit(153), Met::default(), &limits),
        size,
        "said by a shell"
    );
    assert_eq!(
        Limit::behind(&by_signal(24), Met::default(), &limits),
        None,
        "not limited"
    );
    assert_eq!(Limit::behind(&exit(25), Met::default(), &limits), None);
    assert_eq!(
        Limit::behind(&by_signal(25), Met::default(), &ProcessLimits::default()),
        None
    );
    let beyond = Exit {
        limit: size,
        ..by_signal(25)
    };
    let events = [
        Event::Claimed,
        Event::Started(ONE),
        Event::Exited(ONE, beyond),
    ];
    let ending = play(fresh(), &events).0.ending.expect("an end");
    assert_eq!(ending.outcome, Outcome::OverLimit);
    let reason = ending.reason.expect("a reason");
    assert!(
        reason.contains("1 MiB") && reason.contains("`limits.file_size`"),
        "{reason}"
    );
}

#[test]
fn exit_codes_that_the_author_calls_success_are_success() {
    let life = Life::accepted(false, vec![0, 3]);
    let (life, _) = play(
        life,
        &[
            Event::Claimed,
            Event::Started(ONE),
            Event::Exited(ONE, exit(3)),
        ],
    );
    assert_eq!(life.ending.map(|e| e.outcome), Some(Outcome::Succeeded));
}

#[test]
fn a_stop_before_the_start_is_known_waits_for_the_answer() {
    let (life, effects) = play(
        fresh(),
        &[
            Event::Claimed,
            Event::Stop(StopCause::Asked),
            Event::Started(ONE),
        ],
    );
    assert_eq!(life.state, State::Stopping);
    assert!(effects.contains(&Effect::Stop(ONE)));
    let (life, _) = step(&life, &Event::Exited(ONE, signalled(true)));
    assert_eq!(life.ending.map(|e| e.outcome), Some(Outcome::Cancelled));
}

#[test]
fn a_queued_run_that_is_stopped_never_starts() {
    let (life, effects) = play(fresh(), &[Event::Stop(StopCause::Asked), Event::Claimed]);
    assert_eq!(life.ending.map(|e| e.outcome), Some(Outcome::Cancelled));
    assert!(!effects.iter().any(|e| matches!(e, Effect::Start(_))));
}

#[test]
fn a_script_that_ends_by_itself_just_before_the_stop_reaches_it_keeps_its_own_outcome() {
    let events = [
        Event::Claimed,
        Event::Started(ONE),
        Event::Stop(StopCause::Asked),
        Event::Exited(ONE, exit(0)),
    ];
    assert_eq!(outcome_of(&events), Some(Outcome::Succeeded));
}

#[test]
fn too_much_output_is_over_limit() {
    let events = [
        Event::Claimed,
        Event::Started(ONE),
        Event::Stop(StopCause::Output),
        Event::Exited(ONE, signalled(true)),
    ];
    assert_eq!(outcome_of(&events), Some(Outcome::OverLimit));
}

#[test]
fn what_was_never_started_is_queued_again_and_what_may_have_started_is_lost() {
    let (life, effects) = play(fresh(), &[Event::Claimed, Event::NeverStarted(ONE)]);
    assert_eq!(life.state, State::Queued);
    assert!(effects.contains(&Effect::Requeue));
    assert_eq!(
        outcome_of(&[Event::Claimed, Event::Unknown(ONE)]),
        Some(Outcome::Lost)
    );
    assert_eq!(
        outcome_of(&[Event::Claimed, Event::Started(ONE), Event::Unknown(ONE)]),
        Some(Outcome::Lost)
    );
}

#[test]
fn an_idempotent_script_is_started_again_with_a_new_epoch() {
    let life = Life::accepted(true, vec![0]);
    let (life, effects) = play(
        life,
        &[
            Event::Claimed,
            Event::Started(ONE),
            Event::Unknown(ONE),
            Event::Claimed,
        ],
    );
    assert_eq!((life.state, life.epoch), (State::Starting, Epoch(2)));
    assert!(effects.contains(&Effect::Start(Epoch(2))));
}

#[test]
fn a_process_that_no_record_vouches_for_is_killed() {
    let (_, effects) = play(
        fresh(),
        &[Event::Claimed, Event::Unknown(ONE), Event::Started(ONE)],
    );
    assert_eq!(effects.last(), Some(&Effect::Kill(ONE)));
}

fn any_event() -> impl Strategy<Value = Event> {
    let epoch = (0u32..4).prop_map(Epoch);
    prop_oneof![
        Just(Event::Claimed),
        epoch.clone().prop_map(Event::Started),
        epoch
            .clone()
            .prop_map(|e| Event::Refused(e, "gone".to_owned())),
        epoch.clone().prop_map(Event::NeverStarted),
        epoch.clone().prop_map(Event::Unknown),
        Just(Event::Stop(StopCause::Asked)),
        Just(Event::Stop(StopCause::Output)),
        (epoch.clone(), 0i32..3).prop_map(|(e, code)| Event::Exited(e, exit(code))),
        (epoch, any::<bool>()).prop_map(|(e, stopped)| Event::Exited(e, signalled(stopped))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Any order, loss or doubling of events: one outcome, and each epoch is started once.
    #[test]
    fn whatever_happens_a_run_has_one_outcome_and_no_epoch_starts_twice(
        events in prop::collection::vec(any_event(), 0..40),
        idempotent: bool,
    ) {
        let mut life = Life::accepted(idempotent, vec![0]);
        let mut started = Vec::new();
        let mut first_ending = None;
        let mut releases_owed = 0i32;
        for event in &events {
            let was = life.clone();
            let (next, effects) = step(&life, event);
            for effect in &effects {
                match effect {
                    Effect::Start(epoch) => {
                        prop_assert!(!started.contains(epoch), "epoch {epoch:?} started twice");
                        started.push(*epoch);
                        releases_owed += 1;
                    }
                    Effect::Release if was.state != State::Queued => releases_owed -= 1,
                    _ => {}
                }
            }
            prop_assert!(next.epoch >= was.epoch, "an epoch never goes back");
            prop_assert_eq!(next.ending.is_some(), next.state == State::Ended);
            if let Some(ending) = &first_ending {
                prop_assert_eq!(next.ending.as_ref(), Some(ending));
            }
            first_ending = first_ending.or_else(|| next.ending.clone());
            let holds = matches!(next.state, State::Starting | State::Running | State::Stopping);
            prop_assert_eq!(releases_owed, i32::from(holds), "a slot is held exactly while it is used");
            life = next;
        }
    }

    /// A report of another epoch changes nothing.
    #[test]
    fn a_report_of_another_epoch_changes_nothing(events in prop::collection::vec(any_event(), 0..20), stale in any_event()) {
        let (life, _) = play(fresh(), &events);
        let epoch = match &stale {
            Event::Started(e) | Event::Refused(e, _) | Event::NeverStarted(e) | Event::Unknown(e) | Event::Exited(e, _) => *e,
            Event::Claimed | Event::Stop(_) => return Ok(()),
        };
        prop_assume!(epoch != life.epoch);
        let (next, effects) = step(&life, &stale);
        prop_assert_eq!(next, life);
        prop_assert!(effects.iter().all(|e| matches!(e, Effect::Forget(_) | Effect::Kill(_))));
    }
}
