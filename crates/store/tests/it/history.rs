use futures_util::future::join_all;
use stagedoor_domain::id::{Epoch, RunId, UserId};
use stagedoor_domain::run::{Outcome, State};
use stagedoor_store::{Cursor, LONGEST_PAGE, RunFilter, RunRecord, Visible};

use crate::world::{World, at, queued, script, world};

const USERS: i64 = 7;
const SCRIPTS: [&str; 5] = ["a", "b", "ops/c", "ops/d", "e"];

/// So many runs of several users and scripts, in several states, several in one millisecond.
async fn history(world: &World, runs: i64) -> Vec<RunRecord> {
    let mut records: Vec<RunRecord> = (0..runs).map(record).collect();
    let inserted = join_all(records.iter().map(|run| world.store.insert_run(run))).await;
    assert!(inserted.iter().all(Result::is_ok));
    records.sort_by_key(|run| std::cmp::Reverse(run.id));
    for run in &mut records {
        run.secrets = None;
    }
    records
}

fn record(n: i64) -> RunRecord {
    let nth = |n: i64| usize::try_from(n).expect("not negative");
    let script = SCRIPTS.get(nth(n * n % 5)).expect("five");
    let mut run = queued(script, UserId(n % USERS), at(n / 3));
    if n % 50 == 0 {
        run.secrets = Some(vec![1]);
    } else {
        let (_, outcome) = *Outcome::ALL.get(nth(n / 2 % 8)).expect("eight");
        run.state = State::Ended;
        run.epoch = Epoch(1);
        run.outcome = Some(outcome);
        run.ended_at = Some(at(n + 1));
    }
    run
}

/// Every page to the last, by cursor.
async fn all_pages(world: &World, filter: &RunFilter) -> Vec<RunRecord> {
    let mut filter = filter.clone();
    let mut all = Vec::new();
    loop {
        let page = world.store.runs(&filter).await.expect("a page");
        assert!(page.items.len() <= filter.limit);
        assert!(page.next.is_none() || page.items.len() == filter.limit);
        all.extend(page.items);
        let Some(next) = page.next else { return all };
        filter.cursor = Cursor::parse(&next.to_string());
        assert_eq!(filter.cursor, Some(next));
    }
}

fn ids(runs: &[RunRecord]) -> Vec<RunId> {
    runs.iter().map(|run| run.id).collect()
}

#[tokio::test]
async fn five_thousand_runs_page_by_page_without_a_gap_or_a_double() {
    let world = world();
    let expected = history(&world, 5000).await;
    for limit in [500, 499, 37] {
        let filter = RunFilter {
            limit,
            ..RunFilter::default()
        };
        assert_eq!(all_pages(&world, &filter).await, expected);
    }
}

#[tokio::test]
async fn a_run_that_begins_meanwhile_does_not_move_the_next_page() {
    let world = world();
    let expected = history(&world, 30).await;
    let first = RunFilter {
        limit: 10,
        ..RunFilter::default()
    };
    let page = world.store.runs(&first).await.expect("a page");
    world
        .store
        .insert_run(&queued("new", UserId(1), at(9999)))
        .await
        .expect("inserted");
    let rest = RunFilter {
        cursor: page.next,
        limit: 100,
        ..RunFilter::default()
    };
    let rest = world.store.runs(&rest).await.expect("a page");
    assert_eq!(ids(&rest.items), ids(&expected[10..]));
    assert_eq!(rest.next, None);
}

fn matches(filter: &RunFilter, run: &RunRecord) -> bool {
    filter
        .script
        .as_ref()
        .is_none_or(|script| run.script == *script)
        && filter.user.is_none_or(|user| run.user == user)
        && filter.state.is_none_or(|state| run.state == state)
        && filter
            .outcome
            .is_none_or(|outcome| run.outcome == Some(outcome))
        && filter.from.is_none_or(|from| run.created_at >= from)
        && filter.to.is_none_or(|to| run.created_at < to)
        && filter.visible.as_ref().is_none_or(|visible| {
            let of = visible.own_of.as_ref();
            (run.user == visible.own && of.is_none_or(|of| of.contains(&run.script)))
                || visible.scripts.contains(&run.script)
        })
}

/// Every combination of these filters.
fn filters() -> Vec<RunFilter> {
    let mut filters = vec![RunFilter {
        limit: 7,
        ..RunFilter::default()
    }];
    let mut vary = |change: &dyn Fn(&mut RunFilter)| {
        let varied = filters.clone().into_iter().map(|mut filter| {
            change(&mut filter);
            filter
        });
        let varied: Vec<_> = varied.collect();
        filters.extend(varied);
    };
    vary(&|filter| filter.script = Some(script("ops/d")));
    vary(&|filter| filter.user = Some(UserId(2)));
    vary(&|filter| filter.outcome = Some(Outcome::Failed));
    vary(&|filter| filter.from = Some(at(20)));
    vary(&|filter| filter.to = Some(at(100)));
    let states = [
        None,
        Some(State::Queued),
        Some(State::Running),
        Some(State::Ended),
    ];
    let visibles = [
        None,
        Some(Visible {
            own: UserId(2),
            own_of: None,
            scripts: vec![],
        }),
        Some(Visible {
            own: UserId(2),
            own_of: None,
            scripts: vec![script("ops/d"), script("a"), script("a")],
        }),
        Some(Visible {
            own: UserId(3),
            own_of: None,
            scripts: vec![script("ops/c"), script("ops/d")],
        }),
        Some(Visible {
            own: UserId(99),
            own_of: None,
            scripts: vec![script("b")],
        }),
        Some(Visible {
            own: UserId(99),
            own_of: None,
            scripts: vec![],
        }),
        Some(Visible {
            own: UserId(2),
            own_of: Some(vec![script("a"), script("ops/c")]),
            scripts: vec![script("ops/d"), script("a")],
        }),
        Some(Visible {
            own: UserId(2),
            own_of: Some(vec![]),
            scripts: vec![],
        }),
    ];
    filters
        .iter()
        .flat_map(|filter| {
            states.iter().map(move |state| RunFilter {
                state: *state,
                ..filter.clone()
            })
        })
        .flat_map(|filter| {
            visibles.clone().map(|visible| RunFilter {
                visible,
                ..filter.clone()
            })
        })
        .collect()
}

#[tokio::test]
async fn every_combination_of_filters_gives_what_it_names_and_nothing_else() {
    let world = world();
    let history = history(&world, 600).await;
    let mut found = 0;
    for filter in filters() {
        let expected: Vec<_> = history
            .iter()
            .filter(|run| matches(&filter, run))
            .map(|run| run.id)
            .collect();
        assert_eq!(
            ids(&all_pages(&world, &filter).await),
            expected,
            "{filter:?}"
        );
        found += expected.len();
    }
    assert!(found > 1000, "the filters do find something: {found}");
}

#[tokio::test]
async fn a_page_has_at_least_one_run_and_never_too_many() {
    let world = world();
    history(&world, 600).await;
    for (limit, expected) in [(0, 1), (1, 1), (5, 5), (100_000, LONGEST_PAGE)] {
        let page = world
            .store
            .runs(&RunFilter {
                limit,
                ..RunFilter::default()
            })
            .await
            .expect("a page");
        assert_eq!(page.items.len(), expected);
        assert!(page.next.is_some());
    }
}

#[tokio::test]
async fn an_empty_history_has_an_empty_page() {
    let world = world();
    let page = world
        .store
        .runs(&RunFilter::default())
        .await
        .expect("a page");
    assert_eq!((page.items.len(), page.next), (0, None));
}

#[test]
fn a_cursor_is_the_text_it_was_given_as_and_nothing_else() {
    let text = "0198f0e0-0000-7000-8000-000000000001";
    assert_eq!(
        Cursor::parse(text)
            .map(|cursor| cursor.to_string())
            .as_deref(),
        Some(text)
    );
    for text in ["", "1", "0198f0e0000070008000000000000001", "' OR 1=1 --"] {
        assert_eq!(Cursor::parse(text), None);
    }
}
