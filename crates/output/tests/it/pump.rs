use crate::shop::{NO_CAP, Shop, command, numbered, run, sh, wait_until};
use stagedoor_output::{PumpEvent, Stream};
use std::io::{Read, Write};
use std::process::Stdio;

#[test]
fn eleven_bytes_arrive_and_need_no_chunk_index() {
    let mut shop = Shop::open();
    let mut echo = command("echo");
    echo.arg("hello folk");
    assert_eq!(shop.run_to_end(run(1), echo), (11, 0));
    assert_eq!(shop.segment(run(1), "out"), b"hello folk\n");
    assert!(!shop.path(run(1), "err").exists());
    assert!(!shop.path(run(1), "chunks").exists());
}

#[test]
fn only_the_pipe_of_a_large_stream_is_made_larger() {
    let shop = Shop::open();
    let (mut out, mut err) = shop.pipes(run(1), NO_CAP);
    let before = rustix::pipe::fcntl_getpipe_size(&out).expect("a size");
    out.write_all(&vec![b'x'; before]).expect("written");
    err.write_all(b"a line\n").expect("written");
    let size = |pipe: &std::io::PipeWriter| rustix::pipe::fcntl_getpipe_size(pipe).expect("a size");
    wait_until(|| size(&out) > before);
    wait_until(|| shop.path(run(1), "err").exists());
    assert_eq!(size(&err), before);
}

#[test]
fn a_silent_run_leaves_no_file() {
    let mut shop = Shop::open();
    assert_eq!(shop.run_to_end(run(1), command("true")), (0, 0));
    assert_eq!(std::fs::read_dir(shop.dir.path()).expect("list").count(), 0);
    assert_eq!(shop.view(run(1)).size(Stream::Stdout), 0);
}

#[test]
fn ten_megabytes_arrive_byte_for_byte() {
    let mut shop = Shop::open();
    let mut source = vec![0; 10 << 20];
    std::fs::File::open("/dev/urandom")
        .expect("open")
        .read_exact(&mut source)
        .expect("read");
    let path = shop.dir.path().join("source");
    std::fs::write(&path, &source).expect("written");
    let mut head = command("head");
    head.args(["-c", "10485760"]).arg(&path);
    assert_eq!(shop.run_to_end(run(1), head), (10 << 20, 0));
    assert!(shop.segment(run(1), "out") == source);
    let view = shop.view(run(1));
    assert_eq!(view.read(Stream::Stdout, 5..9).expect("read"), source[5..9]);
    assert_eq!(
        view.read(Stream::Stdout, 0..u64::MAX).expect("read").len(),
        256 * 1024
    );
    assert_eq!(
        view.read(Stream::Stdout, (10 << 20) - 3..u64::MAX)
            .expect("read")
            .len(),
        3
    );
    assert_eq!(
        view.read(Stream::Stdout, (10 << 20) + 3..u64::MAX)
            .expect("read")
            .len(),
        0
    );
    assert_eq!(view.read(Stream::Stderr, 0..9).expect("read").len(), 0);
}

#[test]
fn many_runs_at_once_with_both_streams_lose_and_mix_nothing() {
    let mut shop = Shop::open();
    let script = "for i in $(seq 1 300); do echo out $1 $i; echo err $1 $i >&2; done; head -c 300000 /dev/zero; head -c 200000 /dev/zero >&2";
    let children: Vec<_> = (1..=12_u8)
        .map(|n| {
            let (out, err) = shop.pipes(run(n), NO_CAP);
            let mut script = sh(script);
            script
                .args(["sh", &n.to_string()])
                .stdout(out)
                .stderr(err)
                .spawn()
                .expect("started")
        })
        .collect();
    for mut child in children {
        child.wait().expect("waited");
    }
    for _ in 1..=12 {
        let (stdout, stderr) = shop.closed();
        assert!(stdout > 300_000 && stderr > 200_000);
    }
    for n in 1..=12 {
        for (ending, zeros) in [("out", 300_000), ("err", 200_000)] {
            let lines = numbered(&format!("{ending} {n} "), 1..=300);
            let expected = lines + &"\0".repeat(zeros);
            assert!(
                shop.segment(run(n), ending) == expected.as_bytes(),
                "run {n} {ending}"
            );
        }
    }
}

#[test]
fn writers_that_share_a_pipe_lose_nothing() {
    let mut shop = Shop::open();
    let (out, err) = shop.pipes(run(1), NO_CAP);
    let children: Vec<_> = (0..4)
        .map(|_| {
            let out = out.try_clone().expect("clone");
            let err = err.try_clone().expect("clone");
            sh("yes abcdefg | head -c 400000 | tee /dev/stderr")
                .stdout(out)
                .stderr(err)
                .spawn()
        })
        .collect();
    drop((out, err));
    for child in children {
        child.expect("started").wait().expect("waited");
    }
    assert_eq!(shop.closed(), (1_600_000, 1_600_000));
    for ending in ["out", "err"] {
        let bytes = shop.segment(run(1), ending);
        assert_eq!(bytes.len(), 1_600_000);
        assert_eq!(bytes.split(|b| *b == b'\n').count(), 200_001);
    }
}

#[test]
fn the_cap_is_exact_and_said_once() {
    let mut shop = Shop::open();
    let (out, err) = shop.pipes(run(1), 100_000);
    let mut child = command("yes")
        .stdout(out)
        .stderr(err)
        .spawn()
        .expect("started");
    match shop.event() {
        PumpEvent::OverLimit {
            stream: Stream::Stdout,
            ..
        } => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(shop.view(run(1)).size(Stream::Stdout), 100_000);
    child.kill().expect("killed");
    child.wait().expect("waited");
    assert_eq!(shop.closed(), (100_000, 0));
    assert_eq!(shop.segment(run(1), "out").len(), 100_000);
}

#[test]
fn output_of_exactly_the_cap_is_within_the_limit() {
    let mut shop = Shop::open();
    let (out, err) = shop.pipes(run(1), 100_000);
    let mut head = command("head");
    head.args(["-c", "100000", "/dev/zero"])
        .stdout(out)
        .stderr(err);
    let mut child = head.spawn().expect("started");
    drop(head);
    child.wait().expect("waited");
    assert_eq!(shop.closed(), (100_000, 0));
}

#[test]
fn finish_takes_what_is_there_although_a_stray_process_holds_the_pipes() {
    let mut shop = Shop::open();
    let (mut out, err) = shop.pipes(run(1), NO_CAP);
    out.write_all(b"last words").expect("written");
    shop.outputs.finish(run(1), crate::shop::EPOCH);
    assert_eq!(shop.closed(), (10, 0));
    assert_eq!(shop.segment(run(1), "out"), b"last words");
    out.write_all(b"too late").expect_err("nobody reads");
    drop(err);
}

#[test]
fn finish_ends_although_a_stray_process_writes_without_end() {
    let mut shop = Shop::open();
    let (out, err) = shop.pipes(run(1), NO_CAP);
    let mut stray = sh("yes")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .expect("started");
    let view = shop.view(run(1));
    wait_until(|| view.size(Stream::Stdout) > 1_000_000);
    shop.outputs.finish(run(1), crate::shop::EPOCH);
    let (stdout, _) = shop.closed();
    assert_eq!(shop.segment(run(1), "out").len() as u64, stdout);
    stray.wait().expect("ended by the broken pipe");
    shop.outputs.finish(run(1), crate::shop::EPOCH);
    assert!(shop.events.try_recv().is_err(), "closed twice");
}

#[test]
fn finish_of_an_attempt_with_one_stream_closes_it() {
    let mut shop = Shop::open();
    let (reader, mut out) = std::io::pipe().expect("pipe");
    shop.attach(run(1), Stream::Stdout, reader, NO_CAP);
    out.write_all(b"x").expect("written");
    drop(out);
    let view = shop.view(run(1));
    wait_until(|| view.size(Stream::Stdout) == 1);
    assert!(
        shop.events.try_recv().is_err(),
        "the other stream may still come"
    );
    shop.outputs.finish(run(1), crate::shop::EPOCH);
    assert_eq!(shop.closed(), (1, 0));
}

#[test]
fn finish_above_the_limit_keeps_the_limit() {
    let mut shop = Shop::open();
    let (mut out, _err) = shop.pipes(run(1), 10);
    out.write_all(b"0123456789").expect("written");
    let view = shop.view(run(1));
    wait_until(|| view.size(Stream::Stdout) == 10);
    out.write_all(b"more").expect("written");
    assert!(matches!(shop.event(), PumpEvent::OverLimit { .. }));
    shop.outputs.finish(run(1), crate::shop::EPOCH);
    assert_eq!(shop.closed(), (10, 0));
}

#[test]
fn a_segment_that_cannot_be_written_stalls_and_resumes_without_loss() {
    let mut shop = Shop::open();
    let shelf = shop
        .path(run(1), "out")
        .parent()
        .expect("folder")
        .to_owned();
    let (mut out, err) = shop.pipes(run(1), NO_CAP);
    std::fs::write(&shelf, b"in the way").expect("written");
    out.write_all(b"first ").expect("written");
    assert!(matches!(shop.event(), PumpEvent::Stalled { .. }));
    out.write_all(b"second").expect("written");
    drop((out, err));
    shop.outputs.finish(run(1), crate::shop::EPOCH);
    std::fs::remove_file(&shelf).expect("removed");
    assert!(matches!(shop.event(), PumpEvent::Resumed { .. }));
    assert_eq!(shop.closed(), (12, 0));
    assert_eq!(shop.segment(run(1), "out"), b"first second");
}

#[test]
fn removing_a_run_removes_its_files() {
    let mut shop = Shop::open();
    shop.print(
        run(1),
        &[(Stream::Stderr, b"a\n"), (Stream::Stdout, b"b\n")],
    );
    assert!(shop.path(run(1), "chunks").exists());
    shop.outputs.remove(run(1)).expect("removed");
    assert_eq!(std::fs::read_dir(shop.dir.path()).expect("list").count(), 0);
    assert_eq!(shop.view(run(1)).size(Stream::Stdout), 0);
}
