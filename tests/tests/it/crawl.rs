//! The table of routes and what can be reached are the same (row P19).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::person::Person;
use crate::program::{Program, stagedoor};

/// Method and path, as the table writes it.
type Spot = (String, String);

/// Addresses that no page and no description leads to, for machines that know them.
const UNLINKED: [&str; 3] = ["/favicon.ico", "/healthz", "/readyz"];

/// What other servers have, and this one may not.
const ELSEWHERE: [&str; 23] = [
    "/api",
    "/api/v1",
    "/api/v2/runs",
    "/metrics",
    "/debug",
    "/debug/pprof",
    "/status",
    "/server-status",
    "/server-info",
    "/info",
    "/version",
    "/.git/HEAD",
    "/.env",
    "/.well-known/security.txt",
    "/robots.txt",
    "/sitemap.xml",
    "/swagger",
    "/docs",
    "/openapi.json",
    "/static",
    "/static/style.css",
    "/console",
    "/phpinfo.php",
];

fn table() -> BTreeSet<Spot> {
    let output = stagedoor(&["routes", "--json"], "");
    assert!(output.status.success());
    let routes: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let routes = routes.as_array().expect("a list").iter();
    routes
        .map(|route| {
            let word = |key: &str| route[key].as_str().expect("a text").to_owned();
            (word("method"), word("path"))
        })
        .collect()
}

/// Does this address belong to a route of that path?
fn fits(path: &str, address: &str) -> bool {
    let mut parts = address.split('/');
    for wanted in path.split('/') {
        if wanted.starts_with("{*") {
            return parts.next().is_some_and(|part| !part.is_empty());
        }
        match parts.next() {
            Some(part) if wanted.starts_with('{') && !part.is_empty() => {}
            Some(part) if part == wanted => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

/// The most exact of the routes that fit: one without a placeholder comes first.
fn route_of(table: &BTreeSet<Spot>, method: &str, address: &str) -> Option<Spot> {
    let fitting = table
        .iter()
        .filter(|(m, path)| m == method && fits(path, address));
    fitting
        .min_by_key(|(_, path)| path.matches('{').count())
        .cloned()
}

/// Addresses in a page: what is loaded or linked, and where forms are sent.
fn addresses(page: &str) -> Vec<Spot> {
    let mut found = Vec::new();
    for (attribute, method) in [("href", "GET"), ("src", "GET"), ("action", "POST")] {
        for rest in page.split(&format!(" {attribute}=\"")).skip(1) {
            let address = rest.split('"').next().unwrap_or_default();
            let address = address.split(['?', '#']).next().unwrap_or_default();
            if address.starts_with('/') {
                found.push((method.to_owned(), address.to_owned()));
            }
        }
    }
    // A form that only asks is sent with GET.
    for form in page.split("<form").skip(1) {
        let head = form.split('>').next().unwrap_or_default();
        if head.contains("method=\"get\"") {
            found.retain(|(method, address)| {
                !(method == "POST" && head.contains(&format!("action=\"{address}")))
            });
        }
    }
    found
}

/// Follows what pages lead to, from the first one; where each was found.
fn crawl(person: &mut Person, start: &str) -> BTreeMap<Spot, String> {
    let mut found =
        BTreeMap::from([(("GET".to_owned(), start.to_owned()), "the start".to_owned())]);
    let mut waiting = vec![start.to_owned()];
    while let Some(address) = waiting.pop() {
        let answer = person.get(&address);
        assert!(
            matches!(answer.status, 200 | 303),
            "{address}: {}",
            answer.status
        );
        let is_page = answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"));
        // What a script printed is no page of ours.
        if !is_page || address.ends_with("/html") {
            continue;
        }
        let reports = answer
            .header("content-security-policy")
            .and_then(|policy| policy.split("report-uri ").nth(1))
            .and_then(|rest| rest.split([';', ' ']).next())
            .map(|address| ("POST".to_owned(), address.to_owned()));
        for spot in addresses(&answer.text()).into_iter().chain(reports) {
            if let Entry::Vacant(place) = found.entry(spot) {
                if place.key().0 == "GET" {
                    waiting.push(place.key().1.clone());
                }
                place.insert(address.clone());
            }
        }
        assert!(found.len() < 500, "the crawl does not end");
    }
    found
}

/// The calls of the API's description.
fn described(person: &mut Person) -> Vec<Spot> {
    let json = person.get("/api/v1/openapi.json").expect(200).json();
    let paths = json["paths"].as_object().expect("paths").clone();
    paths
        .into_iter()
        .flat_map(|(path, calls)| {
            let calls = calls.as_object().expect("calls").clone();
            calls
                .into_iter()
                .map(move |(method, _)| (method.to_uppercase(), path.clone()))
        })
        .collect()
}

/// What gives the pages of administration something to lead to; a link with which somebody chooses
/// a password.
fn somebody_to_manage(program: &Program, admin: &mut Person) -> String {
    let words = "four words are better";
    let add = [
        "user",
        "add",
        "locked",
        "--group",
        "left",
        "--password-stdin",
    ];
    program.manage(&add, words);
    for words in [
        &["user", "disable", "locked"][..],
        &["token", "create", "--user", "admin"],
        &[
            "grant",
            "add",
            "--group",
            "admins",
            "--scripts",
            "*",
            "--may",
            "view",
        ],
    ] {
        program.manage(words, "");
    }
    program.manage(&["secret", "set", "mail"], "kept");
    // Another session to end, and a block to lift.
    let mut elsewhere = Person::stranger(program);
    crate::person::led_to(&elsewhere.sign_in("admin", crate::robot::PASSWORD));
    for _ in 0..5 {
        elsewhere.sign_in("locked", "quite the wrong words");
    }
    let page = admin.get("/admin/users").expect(200).text();
    let form = crate::form::Form::of(&page, "/admin/users").fill("name", "new");
    let made = admin.send(&form).expect(200).text();
    let link = made.split("<code>http://").nth(1).expect("a link");
    let link = link.split('<').next().expect("its end");
    let path = link.split_once('/').expect("an address").1;
    format!("/{path}")
}

#[test]
fn p19_the_table_of_routes_is_what_a_crawler_reaches() {
    let table = table();
    let mut program = Program::with_examples();
    let link = program.setup_link();
    let setup = link
        .strip_prefix(&program.url)
        .expect("a link to this server")
        .to_owned();
    let mut stranger = Person::stranger(&program);
    let mut found = crawl(&mut stranger, &setup);
    let mut admin = Person::first(&mut program);
    found.extend(crawl(&mut stranger, "/login"));
    found.extend(crawl(
        &mut stranger,
        &somebody_to_manage(&program, &mut admin),
    ));
    for (script, live) in [("sales-report", false), ("slow-job", true)] {
        let path = format!("/scripts/{script}");
        let form = crate::form::Form::of(&admin.get(&path).expect(200).text(), &path);
        let form = if live {
            form.fill("steps", "100")
        } else {
            form
        };
        let run = crate::person::led_to(&admin.send(&form));
        if !live {
            admin.page_at_end(&run);
        }
        found.extend(crawl(&mut admin, &run));
    }
    let described = described(&mut admin);
    let mut reached = BTreeSet::new();
    let calls = described
        .into_iter()
        .map(|spot| (spot, "the description".to_owned()));
    for ((method, address), at) in found.into_iter().chain(calls) {
        let address = address.split('?').next().unwrap_or_default().to_owned();
        let route = route_of(&table, &method, &address);
        reached.insert(
            route.unwrap_or_else(|| panic!("{method} {address} of {at} is not in the table")),
        );
    }
    for path in UNLINKED {
        assert!(matches!(admin.get(path).status, 200 | 204), "{path}");
        reached.insert(("GET".to_owned(), path.to_owned()));
    }
    let unreached: Vec<&Spot> = table.difference(&reached).collect();
    assert!(
        unreached.is_empty(),
        "in the table and reached by nothing: {unreached:?}"
    );
    for path in ELSEWHERE {
        admin.get(path).expect(404);
    }
}

#[test]
fn an_address_fits_the_route_that_would_answer_it() {
    let rows = [
        ("/", "/", true),
        ("/runs", "/runs", true),
        ("/runs/{id}", "/runs/1", true),
        ("/runs/{id}", "/runs/", false),
        ("/runs/{id}", "/runs/1/stop", false),
        ("/runs/{id}/stop", "/runs/1/stop", true),
        ("/scripts/{*name}", "/scripts/a/b", true),
        ("/scripts/{*name}", "/scripts", false),
        ("/runs", "/", false),
    ];
    for (path, address, expected) in rows {
        assert_eq!(fits(path, address), expected, "{path} {address}");
    }
}
