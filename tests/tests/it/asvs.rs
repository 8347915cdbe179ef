//! docs/asvs.csv: the chapters of OWASP's ASVS 5.0 on what stands before the program. Whoever is
//! said to have been met names tests that are there.

use std::collections::BTreeSet;

use crate::tree;

/// Chapter and how many requirements ASVS 5.0 has in it.
const CHAPTERS: [(&str, usize); 39] = [
    ("2.1", 3),
    ("2.2", 3),
    ("2.3", 5),
    ("2.4", 2),
    ("3.4", 8),
    ("4.1", 5),
    ("4.2", 5),
    ("4.3", 2),
    ("4.4", 4),
    ("6.1", 3),
    ("6.2", 12),
    ("6.3", 8),
    ("6.4", 6),
    ("6.5", 8),
    ("6.6", 4),
    ("6.7", 2),
    ("6.8", 4),
    ("7.1", 3),
    ("7.2", 4),
    ("7.3", 2),
    ("7.4", 5),
    ("7.5", 3),
    ("7.6", 2),
    ("8.1", 4),
    ("8.2", 4),
    ("8.3", 3),
    ("8.4", 2),
    ("12.1", 5),
    ("12.2", 2),
    ("12.3", 5),
    ("13.4", 7),
    ("14.1", 2),
    ("14.2", 8),
    ("14.3", 3),
    ("16.1", 1),
    ("16.2", 5),
    ("16.3", 4),
    ("16.4", 3),
    ("16.5", 4),
];

/// What is wrong with a line, if anything. `sources` holds every place where a test may stand.
fn fault(line: &str, sources: &str) -> Option<String> {
    let cells: Vec<&str> = line.splitn(5, ',').collect();
    let [id, level, summary, state, how] = cells.as_slice() else {
        return Some(format!("{line}: not five cells"));
    };
    let parts: Vec<&str> = how.split("; ").collect();
    let tests: Vec<&str> = parts
        .iter()
        .filter_map(|part| part.strip_prefix("test "))
        .collect();
    if !["1", "2", "3"].contains(level) || summary.is_empty() {
        return Some(format!("{id}: a level and a summary"));
    }
    let is_whole = match *state {
        "met" => !tests.is_empty(),
        "partly" => !tests.is_empty() && parts.len() > tests.len(),
        "not applicable" => !how.is_empty(),
        "open" | "not" => true,
        _ => false,
    };
    if !is_whole {
        return Some(format!("{id}: {state:?} without what it needs"));
    }
    let missing = tests
        .iter()
        .find(|name| !sources.contains(&format!("fn {name}(")));
    missing.map(|name| format!("{id}: there is no test {name}"))
}

#[test]
fn every_line_of_the_asvs_table_names_tests_that_exist() {
    let sources: String = ["crates", "tests"]
        .into_iter()
        .flat_map(|folder| tree::files(folder, &[".rs"]))
        .map(|(_, text)| text)
        .collect();
    let table = tree::read("docs/asvs.csv");
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("id,level,summary,state,how"));
    let faults: Vec<String> = lines.filter_map(|line| fault(line, &sources)).collect();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn the_asvs_table_has_each_requirement_of_its_chapters_once() {
    let table = tree::read("docs/asvs.csv");
    let ids: Vec<&str> = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next())
        .collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    let expected: BTreeSet<String> = CHAPTERS
        .iter()
        .flat_map(|(chapter, last)| (1..=*last).map(move |n| format!("{chapter}.{n}")))
        .collect();
    assert_eq!(ids.len(), distinct.len());
    assert!(expected.iter().map(String::as_str).eq({
        let mut sorted: Vec<&str> = distinct.into_iter().collect();
        sorted.sort_unstable();
        sorted
    }));
}

#[test]
fn a_line_without_a_real_test_is_found() {
    let sources = "fn a_real_test() {}";
    for good in [
        "1.1.1,1,Sum,met,test a_real_test; and a word",
        "1.1.1,2,Sum,partly,test a_real_test; left: the rest",
        "1.1.1,3,Sum,not,",
        "1.1.1,2,Sum,open,",
        "1.1.1,3,Sum,not applicable,no such thing",
    ] {
        assert_eq!(fault(good, sources), None, "{good}");
    }
    for bad in [
        "1.1.1,1,Sum,met,by hand",
        "1.1.1,1,Sum,met,test no_such_test",
        "1.1.1,1,Sum,partly,test a_real_test",
        "1.1.1,4,Sum,met,test a_real_test",
        "1.1.1,1,Sum,not applicable,",
        "1.1.1,1,Sum,done,test a_real_test",
        "1.1.1,1",
    ] {
        assert!(fault(bad, sources).is_some(), "{bad}");
    }
}
