use super::*;

pub(super) fn run(number: u128) -> RunId {
    RunId::from_bytes(number.to_be_bytes())
}

pub(super) fn entry(number: u128, user: i64, script: &str) -> Entry {
    Entry {
        run: run(number),
        user: UserId(user),
        script: ScriptName::parse(script).expect("a good name"),
        script_running: None,
        script_queued: None,
    }
}

fn queue(running: usize) -> Queue {
    Queue::new(Capacity {
        running,
        starting: 100,
        queued: 10,
        queued_per_user: 4,
    })
}

#[test]
fn a_free_slot_is_given_at_once_and_the_rest_waits_in_order() {
    let mut queue = queue(1);
    assert_eq!(queue.admit(entry(1, 1, "a")), Ok(Admission::Start));
    assert_eq!(queue.admit(entry(2, 1, "a")), Ok(Admission::Wait));
    assert_eq!(queue.admit(entry(3, 1, "a")), Ok(Admission::Wait));
    assert_eq!(
        (queue.position(run(2)), queue.position(run(3))),
        (Some(1), Some(2))
    );
    assert_eq!(queue.start_next(), None);
    assert!(queue.release(run(1)));
    assert_eq!(queue.start_next(), Some(run(2)));
    assert_eq!(queue.position(run(3)), Some(1));
}

#[test]
fn users_take_turns() {
    let mut queue = queue(1);
    for (number, user) in [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2)] {
        assert!(queue.admit(entry(number, user, "a")).is_ok());
    }
    assert_eq!(queue.position(run(5)), Some(2));
    let mut order = Vec::new();
    let mut held = run(1);
    while queue.release(held) {
        let Some(next) = queue.start_next() else {
            break;
        };
        order.push(next);
        held = next;
    }
    assert_eq!(order, [run(2), run(5), run(3), run(4)]);
}

#[test]
fn a_script_at_its_limit_lets_others_pass() {
    let mut queue = queue(2);
    let single = |number| Entry {
        script_running: Some(1),
        ..entry(number, 1, "single")
    };
    assert_eq!(queue.admit(single(1)), Ok(Admission::Start));
    assert_eq!(queue.admit(single(2)), Ok(Admission::Wait));
    assert_eq!(queue.admit(entry(3, 1, "other")), Ok(Admission::Start));
    assert!(queue.release(run(3)));
    assert_eq!(queue.start_next(), None);
    assert!(queue.release(run(1)));
    assert_eq!(queue.start_next(), Some(run(2)));
}

#[test]
fn each_limit_of_waiting_is_kept_and_named() {
    let mut queue = queue(0);
    for number in 0..4 {
        assert_eq!(queue.admit(entry(number, 1, "a")), Ok(Admission::Wait));
    }
    assert_eq!(queue.admit(entry(9, 1, "a")), Err(QueueFull::User(4)));
    let none = Entry {
        script_queued: Some(0),
        ..entry(9, 2, "b")
    };
    assert_eq!(queue.admit(none), Err(QueueFull::Script(0)));
    for number in 10..16_u8 {
        let other = entry(number.into(), number.into(), "a");
        assert!(queue.admit(other).is_ok());
    }
    assert_eq!(queue.admit(entry(20, 2, "b")), Err(QueueFull::All(10)));
}

#[test]
fn a_waiting_run_may_leave() {
    let mut queue = queue(1);
    assert!(queue.admit(entry(1, 1, "a")).is_ok());
    assert!(queue.admit(entry(2, 2, "a")).is_ok());
    assert!(queue.release(run(2)));
    assert!(!queue.release(run(2)));
    assert!(queue.release(run(1)));
    assert_eq!(
        (queue.start_next(), queue.waiting(), queue.running()),
        (None, 0, 0)
    );
}

#[test]
fn starts_in_flight_are_bounded_whatever_may_run() {
    let mut queue = Queue::new(Capacity {
        running: 100,
        starting: 2,
        queued: 10,
        queued_per_user: 10,
    });
    assert_eq!(queue.admit(entry(1, 1, "a")), Ok(Admission::Start));
    assert_eq!(queue.admit(entry(2, 1, "a")), Ok(Admission::Start));
    assert_eq!(queue.admit(entry(3, 1, "a")), Ok(Admission::Wait));
    assert_eq!((queue.start_next(), queue.starting()), (None, 2));
    assert!(queue.executes(run(1)));
    assert_eq!((queue.start_next(), queue.starting()), (Some(run(3)), 2));
    assert_eq!(queue.running(), 3, "who executes keeps the slot");
}

#[test]
fn a_start_that_fails_is_no_longer_in_flight() {
    let mut queue = Queue::new(Capacity {
        running: 100,
        starting: 1,
        queued: 10,
        queued_per_user: 10,
    });
    assert!(queue.admit(entry(1, 1, "a")).is_ok());
    assert!(queue.admit(entry(2, 1, "a")).is_ok());
    assert_eq!(queue.start_next(), None);
    assert!(queue.release(run(1)));
    assert_eq!(queue.start_next(), Some(run(2)));
    assert!(!queue.executes(run(1)), "it is long gone");
}

#[test]
fn after_a_restart_only_what_may_still_be_starting_is_in_flight() {
    let mut queue = queue(10);
    queue.restore_running(&entry(1, 1, "a"), true);
    queue.restore_running(&entry(2, 1, "a"), false);
    assert_eq!((queue.running(), queue.starting()), (2, 1));
}

#[test]
fn a_limit_that_a_script_gets_or_loses_counts_from_its_next_run_on() {
    let mut queue = queue(3);
    let limited = |number, most| Entry {
        script_running: Some(most),
        ..entry(number, 1, "a")
    };
    assert_eq!(queue.admit(limited(1, 1)), Ok(Admission::Start));
    assert_eq!(queue.admit(limited(2, 1)), Ok(Admission::Wait));
    assert_eq!(queue.start_next(), None);
    assert_eq!(queue.admit(limited(3, 2)), Ok(Admission::Wait));
    assert_eq!(queue.start_next(), Some(run(2)), "the older one goes first");
    assert_eq!(queue.start_next(), None);
    queue.restore_waiting(entry(4, 1, "a"));
    let mut rest = [queue.start_next(), queue.start_next()];
    assert_eq!(rest[0], Some(run(3)));
    assert!(queue.release(run(1)));
    rest[1] = queue.start_next();
    assert_eq!(rest[1], Some(run(4)));
}

/// What took 10,000 looks for each of 10,000 runs would not end in time.
#[test]
fn ten_thousand_waiting_runs_come_and_go_quickly() {
    const RUNS: u32 = 10_000;
    let mut queue = Queue::new(Capacity {
        running: 1,
        starting: 1,
        queued: 20_000,
        queued_per_user: 10_000,
    });
    for number in 0..RUNS {
        let user = i64::from(number % 7);
        assert!(queue.admit(entry(number.into(), user, "a")).is_ok());
        assert!(queue.start_next().is_none());
    }
    assert_eq!(queue.position(run(RUNS.into())), None);
    assert_eq!(queue.position(run(9_999)), Some(9_999));
    let mut held = run(0);
    for _ in 1..RUNS {
        assert!(queue.release(held));
        held = queue.start_next().expect("one more");
    }
    assert_eq!((queue.waiting(), queue.running()), (0, 1));
}
