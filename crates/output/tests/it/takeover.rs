use crate::shop::{EPOCH, NO_CAP, RealClock, Shop, command, numbered, run, sh, texts, wait_until};
use stagedoor_output::{Outputs, PumpEvent, Selection, Stream};
use std::io::{PipeReader, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

fn again(pipe: &PipeReader) -> PipeReader {
    pipe.try_clone().expect("clone")
}

#[test]
fn a_new_server_goes_on_where_the_old_one_ended() {
    let mut shop = Shop::open();
    let (out_reader, out) = std::io::pipe().expect("pipe");
    let (err_reader, err) = std::io::pipe().expect("pipe");
    let mut script = sh("for i in $(seq 1 20000); do echo $i; echo e$i >&2; done");
    let mut child = script.stdout(out).stderr(err).spawn().expect("started");
    drop(script);
    for round in 1..=5_u64 {
        shop.attach(run(1), Stream::Stdout, again(&out_reader), NO_CAP);
        shop.attach(run(1), Stream::Stderr, again(&err_reader), NO_CAP);
        let view = shop.view(run(1));
        wait_until(|| view.size(Stream::Stdout) > round * 5_000);
        shop = shop.reopen();
        assert_eq!(
            shop.view(run(1)).size(Stream::Stdout),
            shop.segment(run(1), "out").len() as u64
        );
    }
    shop.attach(run(1), Stream::Stdout, out_reader, NO_CAP);
    shop.attach(run(1), Stream::Stderr, err_reader, NO_CAP);
    child.wait().expect("waited");
    shop.closed();
    assert!(shop.segment(run(1), "out") == numbered("", 1..=20_000).as_bytes());
    assert!(shop.segment(run(1), "err") == numbered("e", 1..=20_000).as_bytes());
    let lines = texts(&shop.view(run(1)), Selection::Both);
    assert_eq!(lines.len(), 40_000);
    let out: Vec<_> = lines.iter().filter(|line| !line.starts_with('e')).collect();
    assert!(
        (1..=20_000)
            .zip(out)
            .all(|(i, line)| *line == i.to_string())
    );
}

#[test]
fn a_take_over_closes_a_gap_in_the_chunk_index() {
    let mut shop = Shop::open();
    shop.put(run(1), Stream::Stdout, b"one\ntwo\nthr");
    shop.put(run(1), Stream::Stderr, b"warning\n");
    let (mut out, mut err) = shop.pipes(run(1), NO_CAP);
    let view = shop.view(run(1));
    assert_eq!(
        texts(&view, Selection::Both),
        ["one", "two", "warning", "thr"]
    );
    err.write_all(b"late\n").expect("written");
    wait_until(|| view.size(Stream::Stderr) == 13);
    out.write_all(b"ee\n").expect("written");
    drop((out, err));
    assert_eq!(shop.closed(), (14, 13));
    let lines = ["one", "two", "warning", "late", "three"];
    assert_eq!(texts(&view, Selection::Both), lines);
    assert_eq!(texts(&shop.reopen().view(run(1)), Selection::Both), lines);
}

#[test]
fn the_cap_counts_what_an_earlier_server_wrote() {
    let mut shop = Shop::open();
    shop.put(run(1), Stream::Stdout, &[b'x'; 10]);
    let (mut out, _err) = shop.pipes(run(1), 12);
    out.write_all(b"yyy").expect("written");
    assert!(matches!(shop.event(), PumpEvent::OverLimit { .. }));
    shop.outputs.finish(run(1), EPOCH);
    assert_eq!(shop.closed(), (12, 0));
    assert_eq!(shop.segment(run(1), "out"), b"xxxxxxxxxxyy");
}

#[test]
fn a_stream_that_is_attached_twice_keeps_its_first_pipe() {
    let mut shop = Shop::open();
    let (mut out, err) = shop.pipes(run(1), NO_CAP);
    let (other, mut stranger) = std::io::pipe().expect("pipe");
    shop.attach(run(1), Stream::Stdout, other, NO_CAP);
    stranger.write_all(b"stranger").expect_err("nobody reads");
    out.write_all(b"friend").expect("written");
    drop((out, err));
    assert_eq!(shop.closed(), (6, 0));
    assert_eq!(shop.segment(run(1), "out"), b"friend");
}

/// Not a test: the server that [`a_server_that_is_killed_loses_and_doubles_nothing`] kills.
/// Its standard input is the pipe, its working directory the output folder.
#[test]
#[ignore = "started by another test"]
fn the_server_that_is_killed() {
    let pipe = std::io::stdin().as_fd().try_clone_to_owned().expect("pipe");
    let (outputs, _events) =
        Outputs::open(Path::new("."), 1, Arc::new(RealClock::new())).expect("opened");
    outputs
        .attach(run(1), EPOCH, Stream::Stdout, pipe, NO_CAP)
        .expect("attached");
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn a_server_that_is_killed_loses_and_doubles_nothing() {
    let mut shop = Shop::open();
    let (reader, out) = std::io::pipe().expect("pipe");
    let mut seq = command("seq");
    let mut script = seq
        .args(["1", "3000000"])
        .stdout(out)
        .spawn()
        .expect("started");
    drop(seq);
    let program = std::env::current_exe().expect("this binary");
    for round in 1..=8_u64 {
        let mut victim = command(&program)
            .args([
                "--ignored",
                "--exact",
                "takeover::the_server_that_is_killed",
            ])
            .current_dir(shop.dir.path())
            .stdin(again(&reader))
            .stdout(Stdio::null())
            .spawn()
            .expect("started");
        wait_until(|| shop.segment(run(1), "out").len() as u64 > round * 1_000_000);
        victim.kill().expect("killed");
        victim.wait().expect("waited");
    }
    shop.attach(run(1), Stream::Stdout, reader, NO_CAP);
    script.wait().expect("waited");
    let view = shop.view(run(1));
    let expected = numbered("", 1..=3_000_000);
    wait_until(|| view.size(Stream::Stdout) >= expected.len() as u64);
    shop.outputs.finish(run(1), EPOCH);
    assert_eq!(shop.closed(), (expected.len() as u64, 0));
    assert!(shop.segment(run(1), "out") == expected.as_bytes());
}
