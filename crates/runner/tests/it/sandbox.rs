//! What a script may do beside what its account may: levels, paths, ports, limits.

use std::net::TcpListener;

use stagedoor_domain::sandbox::{Level, Measure, Network, ProcessLimits, Sandbox};
use stagedoor_domain::script::Launch;
use stagedoor_runner::{Plan, Refusal, Runner};

use crate::accounts::forbid;
use crate::house::*;

/// System calls by number, in a language that is on every Debian.
fn perl(house: &House, file: &str, body: &str) -> Plan {
    house.script(
        file,
        &format!("#!/usr/bin/perl\nuse strict; use Socket; $| = 1;\n{body}\n"),
    )
}

fn shell(house: &House, file: &str, body: &str) -> Plan {
    house.script(file, &format!("#!/bin/sh\n{body}\n"))
}

fn at(level: Level, mut plan: Plan) -> Plan {
    plan.sandbox = Sandbox {
        level,
        ..Sandbox::default()
    };
    if level == Level::Strict {
        plan.sandbox.network = Network::Off;
        plan.sandbox.write = Some(Vec::new());
    }
    plan
}

/// Tells which of these the kernel at hand lacks, so that a skipped part is never silent.
async fn has(house: &mut House, measures: &[Measure]) -> bool {
    let mut plan = at(Level::Strict, shell(house, "probe", "true"));
    plan.sandbox.network = Network::Ports(vec![443]);
    plan.sandbox.read = Some(Vec::new());
    let (run, epoch) = (plan.run, plan.epoch);
    let enforced = house.start(plan).await.enforced;
    house.exited().await;
    house.runner.forget(&[(run, epoch)]).await.expect("sent");
    let lacks: Vec<_> = enforced
        .missing
        .iter()
        .filter(|(measure, _)| measures.contains(measure))
        .collect();
    println!("held here: {:?}; lacking: {lacks:?}", enforced.held);
    for (measure, why) in &lacks {
        let since = match measure {
            Measure::Processes => 6,
            Measure::Read | Measure::Write => 3,
            Measure::NetworkPorts => 4,
            _ => continue,
        };
        let version = landlock_version();
        assert!(
            version < since,
            "Landlock {version} can hold {measure:?}: {why}"
        );
    }
    lacks.is_empty()
}

/// As on a kernel that was built or started without it.
#[tokio::test]
async fn w43_without_landlock_a_script_goes_on_with_less_and_says_so_or_is_refused() {
    let base = new_base();
    let begun = std::thread::spawn(move || {
        forbid(libc::SYS_landlock_create_ruleset);
        let connection = Runner::ensure(binary(), &options(base.path()));
        (base, connection.expect("a runner"))
    });
    let (base, connection) = begun.join().expect("begun");
    let mut house = House::with(base, connection);
    let plan = at(Level::Strict, shell(&house, "less", "echo ran"));
    let started = house.start(plan.clone()).await;
    assert_eq!(read_all(started.stdout), b"ran\n");
    house.exited().await;
    for measure in [Measure::Processes, Measure::Write] {
        let missing = &started.enforced.missing;
        let why = missing.iter().find(|(missing, _)| *missing == measure);
        let why = why.map(|(_, why)| why.as_str()).unwrap_or_default();
        assert!(
            why.contains("this needs Landlock as Linux 6."),
            "{measure:?}: {missing:?}"
        );
    }
    assert!(
        started.enforced.holds(Measure::NetworkOff),
        "filters hold it"
    );
    let mut demanding = Plan {
        run: new_run(),
        ..plan
    };
    demanding.sandbox.required = true;
    let refusal = house.refusal(demanding).await;
    assert!(
        matches!(&refusal, Refusal::Confinement(text) if text.contains("Landlock")),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn w43_an_interpreter_that_the_sandbox_keeps_a_script_from_is_named_with_the_mend() {
    let mut house = House::open();
    if !has(&mut house, &[Measure::Read]).await {
        return;
    }
    let tools = house.base.path().join("tools");
    std::fs::create_dir(&tools).expect("made");
    set_mode(&tools, 0o755);
    let shell = tools.join("sh");
    std::fs::copy("/bin/sh", &shell).expect("copied");
    let mut plan = house.script("own", &format!("#!{}\necho reached\n", shell.display()));
    plan.sandbox.read = Some(Vec::new());
    for launch in [
        plan.launch.clone(),
        Launch::Command {
            argv: vec![shell.display().to_string()],
        },
    ] {
        let mut plan = Plan {
            run: new_run(),
            launch,
            fingerprint: None,
            ..plan.clone()
        };
        let refusal = house.refusal(plan.clone()).await;
        let says = |text: &str| {
            text.contains("stands in no path of `sandbox.read`") && text.contains("tools/sh")
        };
        assert!(
            matches!(&refusal, Refusal::Confinement(text) if says(text)),
            "{refusal:?}"
        );
        plan.run = new_run();
        plan.sandbox.read = Some(vec![tools.display().to_string()]);
        assert_eq!(house.run(plan).await.record.exit_code, Some(0));
    }
}

#[tokio::test]
async fn w43_a_script_can_gain_no_privileges_and_uses_no_call_that_it_does_not_need() {
    let mut house = House::open();
    let plan = shell(
        &house,
        "status",
        "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status",
    );
    let done = house.run(plan).await;
    assert_eq!(done.text(), "NoNewPrivs:\t1\nSeccomp:\t2\n");
    // keyctl(KEYCTL_GET_KEYRING_ID, …) and a raw packet socket, beside what scripts do need.
    let keyctl = if cfg!(target_arch = "x86_64") {
        250
    } else {
        219
    };
    let body = format!(
        "print syscall({keyctl}, 0, -3, 0) < 0 ? \"$!\\n\" : \"keyring\\n\";\n\
         print socket(my $p, 17, 3, 0) ? \"packet\\n\" : \"$!\\n\";\n\
         print socket(my $t, AF_INET, SOCK_STREAM, 0) ? \"tcp\\n\" : \"$!\\n\";"
    );
    let plan = perl(&house, "calls", &body);
    let done = house.run(plan).await;
    let refused = "Operation not permitted";
    assert_eq!(done.text(), format!("{refused}\n{refused}\ntcp\n"));
}

#[tokio::test]
async fn f11_a_script_is_kept_from_what_speculation_tells() {
    let mut house = House::open();
    let plan = shell(&house, "status", "grep -i '^Speculation' /proc/self/status");
    let scripts = house.run(plan).await.text();
    let own = std::fs::read_to_string("/proc/self/status").expect("a status");
    let open: Vec<&str> = own
        .lines()
        .filter(|line| line.starts_with("Speculation"))
        .filter(|line| line.contains("thread vulnerable") || line.contains("conditional enabled"))
        .collect();
    println!("open here without it: {open:?}; with it: {scripts}");
    for line in open {
        let (name, _) = line.split_once(':').expect("a name");
        let of_script = scripts.lines().find(|line| line.starts_with(name));
        assert!(
            of_script.is_some_and(|line| line.contains("force")),
            "{scripts}"
        );
    }
}

#[tokio::test]
async fn w43_the_strict_level_has_no_network_and_no_namespaces_and_the_standard_one_has() {
    let mut house = House::open();
    let body = "print socket(my $t, AF_INET, SOCK_STREAM, 0) ? \"tcp\\n\" : \"$!\\n\";\n\
                print socket(my $u, AF_UNIX, SOCK_STREAM, 0) ? \"unix\\n\" : \"$!\\n\";\n\
                system('/usr/bin/unshare --user --map-root-user true 2>&1');";
    let plan = at(Level::Strict, perl(&house, "strict", body));
    let strict = house.run(plan).await.text();
    assert!(
        strict.starts_with("Operation not permitted\nunix\n"),
        "{strict}"
    );
    assert!(
        strict.contains("unshare failed: Operation not permitted"),
        "{strict}"
    );
    let plan = at(Level::Standard, perl(&house, "standard", body));
    let standard = house.run(plan).await.text();
    assert!(standard.starts_with("tcp\nunix\n"), "{standard}");
    // Whether an ordinary user may make namespaces is the machine's rule.
    println!("unshare at the level standard: {standard}");
}

#[tokio::test]
async fn w43_the_strict_level_writes_nowhere_but_in_its_own_folders_and_the_named_ones() {
    let mut house = House::open();
    if !has(&mut house, &[Measure::Write]).await {
        return println!("skipped: this kernel cannot restrict writing");
    }
    let open = house.base.path().join("open");
    let named = house.base.path().join("named");
    for folder in [&open, &named] {
        std::fs::create_dir(folder).expect("made");
        set_mode(folder, 0o777);
    }
    let body = format!(
        "touch {0}/x && echo outside; touch {1}/x && echo named; touch $HOME/x $TMPDIR/x && echo own; \
         echo y > /dev/null && echo device; mktemp >/dev/null && echo temporary; ls {0} >/dev/null && echo seen",
        open.display(),
        named.display()
    );
    let mut plan = at(Level::Strict, shell(&house, "strict", &body));
    plan.sandbox.write = Some(vec![named.display().to_string()]);
    let strict = house.run(plan).await.text();
    assert_eq!(strict, "named\nown\ndevice\ntemporary\nseen\n");
    assert!(!open.join("x").exists());
    let plan = at(Level::Standard, shell(&house, "standard", &body));
    let standard = house.run(plan).await.text();
    assert_eq!(standard, "outside\nnamed\nown\ndevice\ntemporary\nseen\n");
}

#[tokio::test]
async fn w43_only_named_paths_are_read_where_a_definition_says_so() {
    let mut house = House::open();
    if !has(&mut house, &[Measure::Read]).await {
        return println!("skipped: this kernel cannot restrict reading");
    }
    let (data, other) = (
        house.base.path().join("data"),
        house.base.path().join("other"),
    );
    for file in [&data, &other] {
        std::fs::write(file, "text\n").expect("written");
        set_mode(file, 0o644);
    }
    let body = format!(
        "cat {} && cat ./helper && cat /etc/passwd >/dev/null && echo system; cat {} 2>&1",
        data.display(),
        other.display()
    );
    std::fs::write(house.scripts().join("helper"), "helper\n").expect("written");
    set_mode(&house.scripts().join("helper"), 0o644);
    let mut plan = shell(&house, "reader", &body);
    plan.sandbox.read = Some(vec![data.display().to_string()]);
    let text = house.run(plan).await.text();
    let renames = "mkdir $HOME/a $HOME/b; echo x > $HOME/a/x; mv $HOME/a/x $HOME/b/x; ln $HOME/b/x $HOME/a/y && echo moved";
    let mut mover = shell(&house, "mover", renames);
    mover.sandbox.read = Some(Vec::new());
    assert_eq!(house.run(mover).await.text(), "moved\n");
    assert!(text.starts_with("text\nhelper\nsystem\ncat: "), "{text}");
    assert!(text.contains("Permission denied"), "{text}");
}

#[tokio::test]
async fn w43_tcp_reaches_the_named_ports_only() {
    let mut house = House::open();
    if !has(&mut house, &[Measure::NetworkPorts]).await {
        return println!("skipped: this kernel cannot restrict ports");
    }
    let listeners = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).expect("a port"));
    let ports = listeners.map(|listener| {
        let port = listener.local_addr().expect("an address").port();
        // It stays open until the test has ended.
        std::mem::forget(listener);
        port
    });
    let other_ways = format!(
        "print socket(my $m, AF_INET, SOCK_STREAM, 262) ? \"mptcp\\n\" : \"$!\\n\";\n\
         socket(my $f, AF_INET, SOCK_STREAM, 0) or die;\n\
         print send($f, 'x', 0x20000000, sockaddr_in({}, inet_aton('127.0.0.1'))) ? \"fast\\n\" : \"$!\\n\";\n\
         socket(my $u, AF_INET, SOCK_DGRAM, 17) or die;\n\
         print send($u, 'x', 0, sockaddr_in({}, inet_aton('127.0.0.1'))) ? \"udp\\n\" : \"$!\\n\";",
        ports[1], ports[1]
    );
    let body = format!(
        "for my $port ({}, {}) {{ socket(my $s, AF_INET, SOCK_STREAM, 0) or die;\n\
         print connect($s, sockaddr_in($port, inet_aton('127.0.0.1'))) ? \"in\\n\" : \"$!\\n\" }}",
        ports[0], ports[1]
    );
    let mut plan = perl(&house, "client", &body);
    plan.sandbox.network = Network::Ports(vec![ports[0]]);
    assert_eq!(house.run(plan).await.text(), "in\nPermission denied\n");
    let mut plan = perl(&house, "ways", &other_ways);
    plan.sandbox.network = Network::Ports(vec![ports[0]]);
    let refused = "Operation not permitted";
    assert_eq!(
        house.run(plan).await.text(),
        format!("{refused}\n{refused}\nudp\n")
    );
    let plan = perl(&house, "open", &other_ways);
    let open = house.run(plan).await.text();
    assert!(
        open.contains("fast\n") || open.contains("mptcp\n"),
        "open without it: {open}"
    );
}

#[tokio::test]
async fn w43_two_runs_of_one_account_cannot_reach_into_each_other() {
    let mut house = House::open();
    if !has(&mut house, &[Measure::Processes]).await {
        return println!("skipped: this kernel cannot separate processes");
    }
    let mut plan = shell(&house, "victim", "sleep 60");
    plan.env = vec![("CANARY".into(), "c4n4ry".into())];
    let (run, epoch) = (plan.run, plan.epoch);
    let victim = house.start(plan).await;
    let pid = victim.pid;
    let body = format!(
        "kill -TERM {pid} && echo signalled; cat /proc/{pid}/environ && echo environ; \
         cat /proc/{pid}/maps > /dev/null && echo memory; readlink /proc/{pid}/cwd && echo folder; \
         sleep 9 & kill -TERM $! && echo own"
    );
    let plan = shell(&house, "attacker", &body);
    let done = house.run(plan).await;
    assert_eq!(
        done.text(),
        "own\n",
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    house.kill(run, epoch).await;
    assert_eq!(
        house.exited().await.signal,
        Some(9),
        "the victim lived until then"
    );
}

#[tokio::test]
async fn w43_a_run_cannot_change_the_limits_or_the_priority_of_another_process() {
    let mut house = House::open();
    let plan = shell(&house, "victim", "sleep 60");
    let (run, epoch) = (plan.run, plan.epoch);
    let pid = house.start(plan).await.pid;
    let (prlimit, setpriority) = if cfg!(target_arch = "x86_64") {
        (302, 141)
    } else {
        (261, 140)
    };
    let body = format!(
        "my $limits = pack('QQ', 1, 1);\n\
         for my $who ({pid}, 0) {{\n\
           print syscall({prlimit}, $who, 0, $who ? $limits : 0, 0) < 0 ? \"$!\\n\" : \"limits\\n\";\n\
           print syscall({setpriority}, 0, $who, 19) < 0 ? \"$!\\n\" : \"priority\\n\"; }}\n\
         print syscall({setpriority}, 2, 0, 19) < 0 ? \"$!\\n\" : \"all of the account\\n\";"
    );
    let plan = perl(&house, "attacker", &body);
    let refused = "Operation not permitted";
    assert_eq!(
        house.run(plan).await.text(),
        format!("{refused}\n{refused}\nlimits\npriority\n{refused}\n")
    );
    house.kill(run, epoch).await;
    house.exited().await;
}

#[tokio::test]
async fn a_limit_stops_what_goes_beyond_it_and_what_stays_below_goes_on() {
    let mut house = House::open();
    let limited = |wanted: ProcessLimits, mut plan: Plan| {
        plan.process_limits = wanted;
        plan
    };
    let large = "dd if=/dev/zero of=$HOME/large bs=4096 count=512 2>/dev/null; echo $?";
    let bounds = ProcessLimits {
        file_size: Some(1 << 20),
        ..ProcessLimits::default()
    };
    let plan = limited(bounds, shell(&house, "large", &format!("exec {large}")));
    assert_eq!(house.run(plan).await.record.signal, Some(25), "SIGXFSZ");
    let plan = limited(ProcessLimits::default(), shell(&house, "small", large));
    assert_eq!(house.run(plan).await.text(), "0\n");

    let bounds = ProcessLimits {
        memory: Some(64 << 20),
        ..ProcessLimits::default()
    };
    let eat = |size: u32| format!("my $x = 'x' x ({size} << 20); print length($x) >> 20, \"\\n\";");
    let plan = limited(bounds, perl(&house, "much", &eat(200)));
    let much = house.run(plan).await;
    assert_eq!(much.text(), "");
    assert_ne!(much.record.exit_code, Some(0));
    let plan = limited(bounds, perl(&house, "little", &eat(8)));
    assert_eq!(house.run(plan).await.text(), "8\n");

    let bounds = ProcessLimits {
        cpu: Some(std::time::Duration::from_secs(1)),
        ..ProcessLimits::default()
    };
    let plan = limited(bounds, shell(&house, "busy", "while :; do :; done"));
    assert_eq!(house.run(plan).await.record.signal, Some(24), "SIGXCPU");

    let bounds = ProcessLimits {
        open_files: Some(16),
        nice: Some(7),
        ..ProcessLimits::default()
    };
    let plan = limited(bounds, shell(&house, "files", "ulimit -n; nice"));
    // Whoever runs these tests may yield already, and nobody but root takes that back.
    let own = rustix::process::getpriority_process(None).expect("a priority");
    assert_eq!(
        house.run(plan).await.text(),
        format!("16\n{}\n", own.max(7))
    );
}

#[tokio::test]
async fn an_account_that_has_too_many_processes_already_is_told_so() {
    // With cgroups each run is counted by itself.
    let without = if is_root() {
        House::without_cgroups()
    } else {
        Some(House::open())
    };
    let Some(mut house) = without else { return };
    let plan = shell(&house, "first", "sleep 60");
    let (run, epoch) = (plan.run, plan.epoch);
    let _started = house.start(plan).await;
    let mut plan = shell(&house, "second", "/bin/true; echo $?");
    plan.process_limits.processes = Some(1);
    if is_root() {
        let refusal = house.refusal(plan).await;
        assert!(
            matches!(&refusal, Refusal::Confinement(text) if text.contains("`limits.processes`")),
            "{refusal:?}"
        );
    } else {
        // It takes the place of a process of its account, and then there is none for another.
        let done = house.run(plan).await;
        assert_ne!(done.record.exit_code, Some(0), "{done:?}");
        assert!(done.text().is_empty(), "{done:?}");
    }
    house.kill(run, epoch).await;
    house.exited().await;
}

#[tokio::test]
async fn without_a_sandbox_nothing_is_inherited_and_the_others_are_held_as_ever() {
    let base = new_base();
    let mut options = options(base.path());
    options.some_go_without = true;
    let connection = Runner::ensure(binary(), &options).expect("a runner");
    let mut house = House::with(base, connection);
    let body = "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status";
    let plan = at(Level::None, shell(&house, "free", body));
    assert_eq!(
        house.run(plan).await.text(),
        "NoNewPrivs:\t0\nSeccomp:\t0\n"
    );
    let plan = at(Level::Standard, shell(&house, "held", body));
    assert_eq!(
        house.run(plan).await.text(),
        "NoNewPrivs:\t1\nSeccomp:\t2\n"
    );
}

#[tokio::test]
async fn a_path_that_is_not_there_or_a_link_refuses_the_run_and_says_which() {
    let mut house = House::open();
    if !has(&mut house, &[Measure::Write]).await {
        return println!("skipped: this kernel cannot restrict writing");
    }
    let link = house.base.path().join("link");
    std::os::unix::fs::symlink("/tmp", &link).expect("linked");
    for (path, says) in [
        ("/no/such/folder".to_owned(), "does not exist"),
        (link.display().to_string(), "is a symbolic link"),
    ] {
        let mut plan = shell(&house, "x", "true");
        plan.sandbox.write = Some(vec![path.clone()]);
        let refusal = house.refusal(plan).await;
        let Refusal::Confinement(text) = &refusal else {
            panic!("{refusal:?}");
        };
        assert!(text.contains(&path) && text.contains(says), "{text}");
    }
}

#[tokio::test]
async fn what_was_enforced_is_told_with_the_start() {
    let mut house = House::open();
    let plan = at(Level::Strict, shell(&house, "told", "true"));
    let (run, epoch) = (plan.run, plan.epoch);
    let enforced = house.start(plan).await.enforced;
    assert_eq!(enforced.level, Level::Strict);
    for measure in [
        Measure::Privileges,
        Measure::Calls,
        Measure::StrictCalls,
        Measure::NetworkOff,
    ] {
        assert!(enforced.holds(measure), "{measure:?}: {enforced:?}");
    }
    assert_eq!(enforced.holds(Measure::Pinned), is_root(), "{enforced:?}");
    let mut sorted = enforced.held.clone();
    sorted.sort_unstable();
    assert_eq!(enforced.held, sorted, "in one order");
    house.exited().await;
    house.runner.forget(&[(run, epoch)]).await.expect("sent");
}
