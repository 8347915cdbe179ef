//! What a script is given, byte for byte, and what it is not given.

use std::os::fd::AsRawFd;

use stagedoor_domain::invocation::{PrivateFile, Word};
use stagedoor_domain::script::Launch;

use crate::house::*;

const HOSTILE: [&str; 14] = [
    "",
    " ",
    ";id",
    "$(id)",
    "`id`",
    "*",
    "a\nb",
    "-rf",
    "--",
    "@file",
    "\\",
    "'\"",
    "\u{202e}ä\u{7f}\u{1}",
    "${IFS}|&<>#!~",
];

#[tokio::test]
async fn arguments_arrive_byte_for_byte() {
    let mut house = House::open();
    let mut plan = house.script("show", "#!/bin/sh\nexec cat /proc/$$/cmdline\n");
    // Written as the kernel hands it to the shell, before anything could interpret it.
    plan.launch = Launch::File {
        file: "show".into(),
        interpreter: vec!["/bin/sh".into(), "-c".into(), "cat /proc/$$/cmdline".into()],
    };
    let long = "x".repeat(131_000);
    plan.invocation.args = texts(&HOSTILE);
    plan.invocation.args.push(Word::Text(long.clone()));
    let done = house.run(plan).await;
    let mut wanted = b"/bin/sh\0-c\0cat /proc/$$/cmdline\0./show\0".to_vec();
    for word in HOSTILE.iter().copied().chain([long.as_str()]) {
        wanted.extend_from_slice(word.as_bytes());
        wanted.push(0);
    }
    assert_eq!(hex(&done.stdout), hex(&wanted));
    assert_eq!(done.record.exit_code, Some(0));
}

#[tokio::test]
async fn a_shebang_script_gets_its_name_and_its_arguments_unchanged() {
    let mut house = House::open();
    let mut plan = house.script("show", "#!/bin/sh\nprintf '%s\\0' \"$0\" \"$@\"\n");
    plan.invocation.args = texts(&HOSTILE);
    let done = house.run(plan).await;
    let words: Vec<&[u8]> = done.stdout.split(|byte| *byte == 0).collect();
    assert_eq!(words[0], b"./show");
    assert_eq!(words[1..=HOSTILE.len()], HOSTILE.map(str::as_bytes));
}

#[tokio::test]
async fn the_environment_is_built_and_nothing_is_inherited() {
    let mut house = House::open();
    let mut plan = command(&["/bin/cat", "/proc/self/environ"]);
    plan.env = vec![
        ("GREETING".into(), "$(id) `id`\n".into()),
        ("LANG".into(), "de".into()),
    ];
    plan.invocation.env = vec![("PARAM_X".into(), Word::Text("*;\u{1}".into()))];
    let run = plan.run.to_string();
    let done = house.run(plan).await;
    let text = done.text();
    let words: Vec<&str> = text.split_terminator('\0').collect();
    let scratch = house.base.path().join("scratch").join("attempt-0");
    let zone = words
        .iter()
        .find(|word| word.starts_with("TZ="))
        .expect("a zone");
    let home = format!("HOME={}/home", scratch.display());
    let tmp = format!("TMPDIR={}/tmp", scratch.display());
    let id = format!("STAGEDOOR_RUN_ID={run}");
    let wanted = [
        "GREETING=$(id) `id`\n",
        &home,
        "LANG=de",
        "PARAM_X=*;\u{1}",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONDONTWRITEBYTECODE=1",
        "PYTHONNOUSERSITE=1",
        &id,
        &tmp,
        zone,
    ];
    assert_eq!(words, wanted);
}

#[tokio::test]
async fn p4_python_leaves_no_compiled_file_beside_a_script() {
    let mut house = House::open();
    let scripts = house.scripts();
    // Here anybody could write one.
    set_mode(&scripts, 0o755);
    std::fs::write(scripts.join("beside.py"), "word = 'found'\n").expect("written");
    set_mode(&scripts.join("beside.py"), 0o644);
    let text = "import sys; sys.path.insert(0, '.'); import beside; print(beside.word, sys.dont_write_bytecode)";
    let plan = house.script("tool.py", &format!("#!/usr/bin/python3\n{text}\n"));
    assert_eq!(house.run(plan).await.text(), "found True\n");
    let by_shell = house.script("tool.sh", &format!("#!/bin/sh\npython3 -c \"{text}\"\n"));
    assert_eq!(house.run(by_shell).await.text(), "found True\n");
    assert!(!scripts.join("__pycache__").exists());
}

#[tokio::test]
async fn standard_input_is_empty_or_exactly_what_was_given() {
    let mut house = House::open();
    assert_eq!(house.run(command(&["/bin/cat"])).await.stdout, b"");
    let mut plan = command(&["/bin/cat"]);
    // Larger than a packet, so the plan travels in a memory file.
    plan.invocation.stdin = (0..500_u32 << 10)
        .map(|i| i.to_le_bytes()[0] ^ 0x5a)
        .collect();
    let wanted = plan.invocation.stdin.clone();
    let done = house.run(plan).await;
    assert!(
        done.stdout == wanted,
        "{} of {} bytes",
        done.stdout.len(),
        wanted.len()
    );
}

#[tokio::test]
async fn a_script_can_open_its_standard_streams_again() {
    let mut house = House::open();
    let mut plan = house.script(
        "reopen",
        "#!/bin/sh\ncat /dev/stdin\necho out > /dev/stdout\necho err > /dev/stderr\n",
    );
    plan.invocation.stdin = b"in\n".to_vec();
    let done = house.run(plan).await;
    assert_eq!(
        (&*done.stdout, &*done.stderr),
        (&b"in\nout\n"[..], &b"err\n"[..])
    );
}

#[tokio::test]
async fn no_descriptor_is_inherited() {
    let base = new_base();
    // Left open on purpose: without care it would reach the runner and each script.
    let flags = rustix::fs::OFlags::RDONLY;
    let leak = rustix::fs::open(c"/dev/null", flags, rustix::fs::Mode::empty()).expect("opened");
    let high = rustix::io::fcntl_dupfd_cloexec(&leak, 300).expect("a duplicate");
    rustix::io::fcntl_setfd(&high, rustix::io::FdFlags::empty()).expect("inheritable");
    assert!(high.as_raw_fd() >= 300);
    let mut house = House::in_base(base);
    // The fourth is the folder that `ls` itself reads.
    let done = house.run(command(&["/bin/ls", "/proc/self/fd"])).await;
    assert_eq!(done.text(), "0\n1\n2\n3\n");
}

#[tokio::test]
async fn a_script_begins_in_a_clean_process_of_its_own() {
    let mut house = House::open();
    let done = house.run(command(&["/bin/cat", "/proc/self/stat"])).await;
    // What follows the name. A session that began outside this pid namespace has the number 0, which
    // `getsid` of a library may not expect.
    let fields_of = |stat: &str| -> Vec<String> {
        let fields = stat.rsplit(") ").next().expect("fields");
        fields.split(' ').map(str::to_owned).collect()
    };
    let fields = fields_of(&done.text());
    let pid = done.pid.to_string();
    assert_eq!((&*fields[2], &*fields[4]), (&*pid, "0"), "group, terminal");
    let own = fields_of(&std::fs::read_to_string("/proc/self/stat").expect("read"));
    assert_ne!(fields[3], own[3], "the session is not the server's");
    let status = house
        .run(command(&["/bin/cat", "/proc/self/status"]))
        .await
        .text();
    let field = |name: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect("a field");
        line[name.len() + 1..].trim().to_owned()
    };
    assert_eq!(
        field("Uid"),
        [script_uid().to_string().as_str(); 4].join("\t")
    );
    assert_eq!(field("NoNewPrivs"), "1");
    assert_eq!(field("Umask"), "0077");
    for set in ["SigBlk", "SigIgn", "SigCgt", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(field(set).trim_start_matches('0'), "", "{set}");
    }
    let limits = house
        .run(command(&["/bin/cat", "/proc/self/limits"]))
        .await
        .text();
    let limit = |name: &str| {
        let line = limits
            .lines()
            .find(|line| line.starts_with(name))
            .expect("a limit");
        line[name.len()..]
            .split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    // At 0 the kernel still hands a core to a program that it starts for that.
    assert_eq!(limit("Max core file size"), "1 1");
    let own = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let given = limit("Max open files");
    assert_eq!(
        given.split(' ').next(),
        own.current.map(|n| n.to_string()).as_deref()
    );
}

#[tokio::test]
async fn a_script_begins_in_its_folder_or_in_its_working_directory() {
    let mut house = House::open();
    let folder = house.scripts().join("ops/db");
    std::fs::create_dir_all(&folder).expect("made");
    set_mode(&house.scripts().join("ops"), 0o755);
    set_mode(&folder, 0o755);
    let mut plan = house.script("ops/db/where", "#!/bin/sh\npwd -P\n");
    plan.launch = Launch::File {
        file: "where".into(),
        interpreter: Vec::new(),
    };
    plan.folder = "ops/db".into();
    let done = house.run(plan.clone()).await;
    assert_eq!(
        done.text().trim_end(),
        folder.canonicalize().expect("a path").to_string_lossy()
    );
    for (interpreter, directory) in [(vec![], "/usr"), (vec!["/bin/sh".to_owned()], "/")] {
        plan.run = new_run();
        plan.launch = Launch::File {
            file: "where".into(),
            interpreter,
        };
        plan.working_directory = Some(directory.into());
        assert_eq!(house.run(plan.clone()).await.text().trim_end(), directory);
    }
}

#[tokio::test]
async fn w33_a_binary_is_started_too_even_one_that_nobody_may_read() {
    let mut house = House::open();
    let path = house.scripts().join("copy");
    std::fs::copy("/bin/pwd", &path).expect("copied");
    for (mode, directory) in [
        (0o755, None),
        (0o111, None),
        (0o111, Some("/usr".to_owned())),
    ] {
        set_mode(&path, mode);
        let mut plan = plan(Launch::File {
            file: "copy".into(),
            interpreter: Vec::new(),
        });
        plan.fingerprint = Some(fingerprint(&path));
        plan.working_directory.clone_from(&directory);
        let wanted = directory.unwrap_or_else(|| house.scripts().to_string_lossy().into_owned());
        assert_eq!(house.run(plan).await.text().trim_end(), wanted, "{mode:o}");
    }
}

#[tokio::test]
async fn private_files_and_credentials_are_for_the_script_alone() {
    let mut house = House::open();
    let mut plan = house.script(
        "files",
        "#!/bin/sh\nstat -c '%a %u' \"$CREDENTIALS_DIRECTORY\" \"$CREDENTIALS_DIRECTORY/key\" \
         \"${1#--x=}\" \"$HOME\" \"$TMPDIR\" \"$HOME/..\"\ncat \"$CREDENTIALS_DIRECTORY/key\" \"${1#--x=}\"\n",
    );
    plan.invocation.args = vec![Word::FilePath {
        before: "--x=".into(),
        file: "body".into(),
    }];
    let file = |name: &str, content: &[u8], secret| PrivateFile {
        name: name.into(),
        content: content.to_vec(),
        secret,
    };
    plan.invocation.files = vec![
        file("key", b"s3cret\n", true),
        file("body", b"\0\xff", false),
    ];
    let done = house.run(plan).await;
    let uid = script_uid();
    let modes = [500, 400, 400, 700, 700].map(|mode| format!("{mode} {uid}\n"));
    // What they stand in is the runner's.
    let top = if is_root() { "711 0\n" } else { &*modes[3] };
    let wanted = [modes.concat().as_bytes(), top.as_bytes(), b"s3cret\n\0\xff"].concat();
    assert_eq!(done.stdout, wanted);
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
