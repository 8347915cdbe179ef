//! What somebody may: what the rules give, cut by the scope of a token.
//!
//! The oracle spells out, by hand, what each word and each pattern means in a world of three
//! scripts, and unites sets. It shares no code with what it judges.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::script::Script;

const SCRIPTS: [&str; 3] = ["a", "f/x", "f/y"];
const WORDS: [&str; 5] = ["view", "run", "stop", "output", "schedule"];
const PATTERNS: [&str; 4] = ["*", "f/*", "f/x", "a"];
const GROUPS: [&str; 3] = ["ops", "dev", "everyone"];

/// A verb and a script.
type Pair = (&'static str, &'static str);

fn meant(pattern: &str) -> &'static [&'static str] {
    match pattern {
        "*" => &["a", "f/x", "f/y"],
        "f/*" => &["f/x", "f/y"],
        "f/x" => &["f/x"],
        "a" => &["a"],
        other => panic!("{other}"),
    }
}

fn included(word: &str) -> &'static [&'static str] {
    match word {
        "view" => &["view"],
        "run" => &["view", "run"],
        "schedule" => &["view", "run", "schedule"],
        "stop" => &["stop"],
        "output" => &["output"],
        other => panic!("{other}"),
    }
}

fn spelled_out(words: &[&str], patterns: &[&str]) -> BTreeSet<Pair> {
    let mut all = BTreeSet::new();
    for verb in words.iter().flat_map(|word| included(word)) {
        for script in patterns.iter().flat_map(|pattern| meant(pattern)) {
            all.insert((*verb, *script));
        }
    }
    all
}

/// Group, verbs, patterns; in the file or in the store.
type Given = (&'static str, Vec<&'static str>, Vec<&'static str>, bool);
/// Script, verb, who.
type Own = (&'static str, &'static str, &'static str);
type Cut = Option<(Vec<&'static str>, Vec<&'static str>)>;

fn grant((group, words, patterns, stored): &Given) -> Grant {
    let patterns = patterns.iter().map(|text| ScriptPattern::parse(text));
    Grant {
        group: GroupName::parse(group).expect("a group"),
        gives: Gives::Scripts {
            scripts: patterns.collect::<Result<_, _>>().expect("patterns"),
            may: words.iter().filter_map(|word| Verb::parse(word)).collect(),
        },
        origin: if *stored {
            Origin::Stored(7)
        } else {
            Origin::File(Place::default())
        },
    }
}

fn access_of(script: &str, own: &[Own]) -> Access {
    let mine = own.iter().filter(|(name, ..)| *name == script);
    let rule = |(_, word, who): &Own| AccessRule {
        verb: Verb::parse(word).expect("a verb"),
        who: vec![match who.strip_prefix("user:") {
            Some(user) => Who::User(UserName::parse(user).expect("a user")),
            None => Who::Group(GroupName::parse(who).expect("a group")),
        }],
        place: Place::default(),
    };
    Access {
        rules: mine.map(rule).collect(),
    }
}

fn scope((words, patterns): &(Vec<&'static str>, Vec<&'static str>)) -> Scope {
    let patterns = patterns.iter().map(|text| ScriptPattern::parse(text));
    Scope {
        actions: Actions::parse(&words.join(" ")).expect("actions"),
        scripts: patterns.collect::<Result<_, _>>().expect("patterns"),
    }
}

fn user(name: &str, groups: &[&str]) -> User {
    let groups = groups.iter().map(|group| GroupName::parse(group));
    User::new(
        UserId(1),
        UserName::parse(name).expect("a name"),
        groups.collect::<Result<_, _>>().expect("groups"),
    )
}

/// Sets, united by hand.
fn expected(groups: &[&str], given: &[Given], own: &[Own], cut: &Cut) -> BTreeSet<Pair> {
    let mut all = BTreeSet::new();
    if groups.contains(&"admins") {
        all = spelled_out(&WORDS, &["*"]);
    }
    for (group, words, patterns, _) in given {
        if *group == "everyone" || groups.contains(group) {
            all.extend(spelled_out(words, patterns));
        }
    }
    for (script, word, who) in own {
        if *who == "everyone" || *who == "user:ann" || groups.contains(who) {
            all.extend(spelled_out(&[word], &[script]));
        }
    }
    match cut {
        None => all,
        Some((words, patterns)) => &all & &spelled_out(words, patterns),
    }
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

fn some_of(words: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(one_of(words), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn what_one_may_is_what_all_rules_give_together_cut_by_the_scope(
        groups in some_of(&["ops", "dev", "admins"]),
        given in prop::collection::vec(
            (one_of(&GROUPS), some_of(&WORDS), some_of(&PATTERNS), any::<bool>()), 0..4),
        own in prop::collection::vec(
            (one_of(&["a", "f/x"]), one_of(&WORDS), one_of(&["ops", "everyone", "user:ann", "user:bob"])), 0..3),
        cut in prop::option::of((some_of(&["view", "run", "stop", "output", "schedule", "admin"]), some_of(&PATTERNS))),
    ) {
        let grants = Grants(given.iter().map(grant).collect());
        let mut ann = user("ann", &groups);
        let cut: Cut = cut;
        if let Some(cut) = &cut {
            ann = ann.within(scope(cut));
        }
        let without_admin = cut.clone().map(|(mut words, patterns)| {
            words.retain(|word| *word != "admin");
            (words, patterns)
        });
        let expected = expected(&groups, &given, &own, &without_admin);
        for script in SCRIPTS {
            let name = ScriptName::parse(script).expect("a name");
            let access = access_of(script, &own);
            for (word, verb) in Verb::ALL {
                let wish = Wish::Script { verb, name: &name, access: Some(&access) };
                prop_assert_eq!(
                    deciding_rule(&ann, wish, &grants).is_some(),
                    expected.contains(&(word, script)),
                    "{} {}", word, script
                );
            }
        }
        let may_admin = groups.contains(&"admins")
            && cut.is_none_or(|(words, _)| words.contains(&"admin"));
        prop_assert_eq!(super::may_admin(&ann, &grants).is_ok(), may_admin);
    }
}

fn rule_of<'a>(who: &User, verb: Verb, access: &'a Access, grants: &'a Grants) -> Option<Rule<'a>> {
    let name = ScriptName::parse("f/x").expect("a name");
    // The name is not part of what is given back.
    let wish = Wish::Script {
        verb,
        name: &name,
        access: Some(access),
    };
    match deciding_rule(who, wish, grants)? {
        Rule::Grant(rule) => grants.0.iter().find(|own| *own == rule).map(Rule::Grant),
        Rule::Access(rule) => access
            .rules
            .iter()
            .find(|own| *own == rule)
            .map(Rule::Access),
        Rule::Admins => Some(Rule::Admins),
        Rule::Starter => Some(Rule::Starter),
    }
}

#[test]
fn the_rule_that_decides_is_named_with_its_place() {
    let in_file = Grant {
        origin: Origin::File(Place {
            file: "stagedoor.toml".to_owned(),
            line: 4,
        }),
        ..grant(&("ops", vec!["stop"], vec!["f/*"], false))
    };
    let grants = Grants(vec![
        in_file,
        grant(&("dev", vec!["schedule"], vec!["*"], true)),
    ]);
    let mut access = access_of("f/x", &[("f/x", "output", "everyone")]);
    access.rules[0].place = Place {
        file: "f/x.sh".to_owned(),
        line: 3,
    };
    let said = |groups: &[&str], verb| {
        let who = user("ann", groups);
        rule_of(&who, verb, &access, &grants).map(|rule| rule.to_string())
    };
    assert_eq!(
        said(&["ops"], Verb::Stop).as_deref(),
        Some("the grant in stagedoor.toml, line 4: ops may stop: f/*")
    );
    assert_eq!(
        said(&["dev"], Verb::View).as_deref(),
        Some("grant 7: dev may schedule: *")
    );
    assert_eq!(
        said(&[], Verb::Output).as_deref(),
        Some("`access` in f/x.sh, line 3: output = everyone")
    );
    assert_eq!(
        said(&["admins"], Verb::Run).as_deref(),
        Some("a member of `admins` may do everything")
    );
    assert_eq!(said(&["ops"], Verb::Run), None);
}

#[test]
fn a_grant_of_admin_opens_administration_and_no_script() {
    let grants = Grants(vec![Grant {
        group: GroupName::parse("wardens").expect("a group"),
        gives: Gives::Admin,
        origin: Origin::Stored(1),
    }]);
    let (warden, other) = (user("wim", &["wardens"]), user("ann", &["ops"]));
    assert!(may_admin(&warden, &grants).is_ok());
    assert!(may_admin(&other, &grants).is_err());
    for (_, verb) in Verb::ALL {
        assert_eq!(rule_of(&warden, verb, &Access::default(), &grants), None);
    }
    let token = |may| warden.clone().within(scope(&(may, vec!["*"])));
    assert!(may_admin(&token(vec!["admin"]), &grants).is_ok());
    assert!(may_admin(&token(WORDS.to_vec()), &grants).is_err());
    assert!(may_admin(&other.within(scope(&(vec!["admin"], vec![]))), &grants).is_err());
}

#[test]
fn a_token_of_an_admin_may_no_more_than_its_scope() {
    let root = user("root", &["admins"]);
    let grants = Grants::default();
    let script = Arc::new(Script::for_tests("f/x"));
    let other = Arc::new(Script::for_tests("a"));
    assert!(may_run(&root, &script, &grants).is_ok());
    assert!(may_admin(&root, &grants).is_ok());
    let token = root.clone().within(scope(&(vec!["run"], vec!["f/*"])));
    assert!(may_run(&token, &script, &grants).is_ok());
    assert!(may_run(&token, &other, &grants).is_err());
    assert!(may_admin(&token, &grants).is_err());
    let whole = root.within(Scope::all_scripts());
    assert!(may_run(&whole, &other, &grants).is_ok());
    assert!(may_admin(&whole, &grants).is_err());
}

#[test]
fn ones_own_runs_are_read_and_stopped_with_a_token_that_may_run() {
    let name = ScriptName::parse("f/x").expect("a name");
    let grants = Grants::default();
    let ann = user("ann", &[]);
    let run = |started_by| RunFacts {
        started_by: UserId(started_by),
        script_name: &name,
        access: None,
    };
    for (may, patterns, reads, stops) in [
        (vec!["run"], vec!["f/*"], true, true),
        (vec!["run"], vec!["a"], false, false),
        (vec!["output"], vec!["*"], true, false),
        (vec!["stop"], vec!["*"], false, true),
        (vec!["view", "admin"], vec!["*"], false, false),
    ] {
        let token = ann.clone().within(scope(&(may.clone(), patterns)));
        assert_eq!(may_read(&token, run(1), &grants).is_ok(), reads, "{may:?}");
        assert_eq!(may_stop(&token, run(1), &grants).is_ok(), stops, "{may:?}");
        assert!(may_read(&token, run(2), &grants).is_err());
    }
    assert!(may_read(&ann, run(1), &grants).is_ok());
    assert!(may_stop(&ann, run(1), &grants).is_ok());
    assert!(may_read(&ann, run(2), &grants).is_err());
}

#[test]
fn only_who_may_read_every_script_reads_all_runs() {
    let all = grant(&("ops", vec!["output"], vec!["*"], true));
    let some = grant(&("dev", vec!["output"], vec!["f/*"], true));
    let grants = Grants(vec![all, some]);
    assert!(may_read_all(&user("ann", &["ops"]), &grants));
    assert!(may_read_all(&user("ann", &["admins"]), &grants));
    assert!(!may_read_all(&user("ann", &["dev"]), &grants));
    let token = |patterns| user("ann", &["admins"]).within(scope(&(vec!["output"], patterns)));
    assert!(may_read_all(&token(vec!["*"]), &grants));
    assert!(!may_read_all(&token(vec!["f/*"]), &grants));
}
