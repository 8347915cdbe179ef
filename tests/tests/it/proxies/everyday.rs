//! What people and programs do every day, through a proxy.

use super::visitor::{Visitor, until};
use super::{ELSEWHERE, HERE, House};
use crate::form::Form;
use crate::person::led_to;

/// A page, signing in, a run by form and by API, `?wait`, signing out.
pub fn people_and_programs(house: &House) {
    let mut ann = house.visitor();
    let page = ann.get("/login").expect(200).text();
    assert!(page.contains("Sign in"), "{page}");
    assert_eq!(led_to(&ann.sign_in("", "ann", &[])), "/");
    is_bound_to_the_address(house, &ann);
    let form = Form::of(
        &ann.get("/scripts/hello").expect(200).text(),
        "/scripts/hello",
    );
    let run = led_to(&ann.send_form(&form, &[]));
    assert!(run.starts_with("/runs/"), "{run}");
    let home = ann.get("/").expect(200).text();
    let out = ann.send_form(&Form::of(&home, "/logout"), &[]);
    assert_eq!(led_to(&out), "/login");
    assert_eq!(led_to(&ann.get("/runs")), "/login?next=%2Fruns");

    let mut robot = house.robot();
    assert_eq!(robot.get("/api/v1/me").expect(200).json()["name"], "ann");
    let answer = robot.post_json("/api/v1/runs?wait=30", "{\"script\":\"hello\"}");
    let place = answer.header("location").expect("a place").to_owned();
    let run = answer.expect(201).json();
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert_eq!(robot.get(&place).expect(200).json()["id"], run["id"]);
    let output = robot
        .get(&format!("{place}/output?stream=stdout"))
        .expect(200);
    assert!(output.text().starts_with("hello\n"), "{}", output.text());
}

/// The server knows who it is, and not only that it is the proxy.
fn is_bound_to_the_address(house: &House, ann: &Visitor) {
    assert_eq!(house.addresses(), [HERE.to_string()]);
    ann.moved(HERE).get("/runs").expect(200);
    // A cookie that comes from somewhere else was taken, and its session ends.
    let mut taken = house.visitor();
    assert_eq!(led_to(&taken.sign_in("", "ann", &[])), "/");
    let mut thief = taken.moved(ELSEWHERE);
    assert_eq!(led_to(&thief.get("/runs")), "/login?next=%2Fruns");
}

/// The script goes on only when its first line was seen, so a proxy that holds lines back would
/// never show one.
pub fn live_output(house: &House) {
    let mut robot = house.robot();
    let run = robot.post_json("/api/v1/runs", "{\"script\":\"live\"}");
    let place = run.header("location").expect("a place").to_owned();
    run.expect(201);
    let mut stream = robot.open("GET", &format!("{place}/events"), &[], b"");
    let head = until(&mut stream, "one-and-only");
    assert!(head.contains("text/event-stream"), "{head}");
    std::fs::write(house.program.scripts().join("go"), "").expect("written");
    let tail = until(&mut stream, "\"succeeded\"");
    assert!(tail.contains("gone-on"), "{tail}");
}
