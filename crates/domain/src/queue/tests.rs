use super::*;
use proptest::prelude::*;

fn run(number: u8) -> RunId {
    RunId::from_bytes([number; 16])
}

fn entry(number: u8, user: i64, script: &str) -> Entry {
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
    for number in 10..16 {
        assert!(queue.admit(entry(number, i64::from(number), "a")).is_ok());
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

proptest! {
    /// Whatever comes and goes: limits hold, nobody is forgotten, everyone is served.
    #[test]
    fn limits_hold_and_nobody_is_forgotten(
        arrivals in prop::collection::vec((1i64..4, 0u8..3), 1..60),
        slots in 1usize..4,
    ) {
        let mut queue = Queue::new(Capacity { running: slots, queued: 1_000, queued_per_user: 1_000 });
        let mut running: Vec<Entry> = Vec::new();
        let mut entries = HashMap::new();
        let mut served = 0;
        for (at, (user, script)) in arrivals.iter().enumerate() {
            let number = u8::try_from(at).unwrap_or(0);
            let script_running = (*script == 0).then_some(1);
            let e = Entry { script_running, ..entry(number, *user, &format!("s{script}")) };
            entries.insert(e.run, e.clone());
            if queue.admit(e.clone()) == Ok(Admission::Start) {
                running.push(e);
            }
        }
        while let Some(ended) = running.pop() {
            served += 1;
            prop_assert!(queue.release(ended.run));
            while let Some(next) = queue.start_next() {
                running.push(entries[&next].clone());
            }
            prop_assert!(running.len() <= slots);
            let singles = running.iter().filter(|e| e.script.as_str() == "s0").count();
            prop_assert!(singles <= 1);
        }
        prop_assert_eq!(served, arrivals.len());
        prop_assert_eq!(queue.waiting(), 0);
    }
}
