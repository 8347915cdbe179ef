//! What a mode does not show: capabilities of files, and access control lists (W31).

use std::path::Path;

use rustix::fs::{XattrFlags, removexattr, setxattr};
use rustix::io::Errno;
use stagedoor_domain::acl;
use stagedoor_domain::script::Launch;
use stagedoor_runner::{Plan, Refusal};

use crate::house::*;

const HELLO: &str = "#!/bin/sh\necho hello\n";
const CAPABILITY: &str = "security.capability";

/// A plan for the file as it is now, whatever was checked before.
fn now(plan: &Plan) -> Plan {
    Plan {
        run: new_run(),
        fingerprint: None,
        ..plan.clone()
    }
}

/// False, with the reason printed, where this cannot be set here.
fn set(path: &Path, name: &str, value: &[u8]) -> bool {
    match setxattr(path, name, value, XattrFlags::empty()) {
        Ok(()) => true,
        Err(errno @ (Errno::OPNOTSUPP | Errno::PERM)) => {
            println!(
                "skipped: {name} cannot be set in {}: {errno}",
                path.display()
            );
            false
        }
        Err(errno) => panic!("{name} of {}: {errno}", path.display()),
    }
}

/// `cap_net_bind_service=ep`, as `setcap` writes it: `struct vfs_cap_data` of version 2.
fn capability() -> Vec<u8> {
    let (version, effective, bind_service) = (0x0200_0000_u32, 1, 1 << 10);
    let words = [version | effective, bind_service, 0, 0, 0];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A list that lets this account or group (tag 2 or 8) do this, beside what the mode 0755 says.
fn list(tag: u16, number: u32, permissions: u16) -> Vec<u8> {
    let nobody = u32::MAX;
    let entries: [(u16, u16, u32); 5] = [
        (1, 7, nobody),
        if tag == 2 {
            (2, permissions, number)
        } else {
            (4, 5, nobody)
        },
        if tag == 2 {
            (4, 5, nobody)
        } else {
            (8, permissions, number)
        },
        (16, permissions | 5, nobody),
        (32, 5, nobody),
    ];
    let mut bytes = vec![2, 0, 0, 0];
    for (tag, permissions, number) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(number.to_le_bytes());
    }
    bytes
}

fn reason(refusal: Refusal) -> String {
    match refusal {
        Refusal::Unsafe(why) => why,
        other => panic!("another reason: {other:?}"),
    }
}

#[tokio::test]
async fn w31_a_file_with_capabilities_is_not_started() {
    let mut house = House::open();
    let plan = house.script("hello", HELLO);
    let path = house.scripts().join("hello");
    assert_eq!(house.run(now(&plan)).await.stdout, b"hello\n");
    if !set(&path, CAPABILITY, &capability()) {
        return;
    }
    let command = Plan {
        launch: Launch::Command {
            argv: vec![path.display().to_string(), "argument".into()],
        },
        fingerprint: Some(fingerprint(&path)),
        ..now(&plan)
    };
    let mut interpreted = now(&plan);
    interpreted.launch = Launch::File {
        file: "hello".into(),
        interpreter: vec!["/bin/sh".into()],
    };
    for plan in [now(&plan), command, interpreted] {
        let why = reason(house.refusal(plan).await);
        assert!(why.contains("`hello` has capabilities"), "{why}");
        assert!(why.contains("setcap -r hello"), "{why}");
    }
    removexattr(&path, CAPABILITY).expect("removed");
    assert_eq!(house.run(now(&plan)).await.stdout, b"hello\n");
}

#[tokio::test]
async fn w31_a_file_that_an_access_control_list_lets_somebody_change_is_not_started() {
    let mut house = House::open();
    let plan = house.script("hello", HELLO);
    let path = house.scripts().join("hello");
    for (tag, number, who) in [
        (2, 7777, "uid 7777"),
        (2, script_uid(), "uid"),
        (8, 7778, "the group 7778"),
    ] {
        if number == script_uid() && !is_root() {
            // It owns the file.
            continue;
        }
        if !set(&path, acl::ATTRIBUTE, &list(tag, number, 7)) {
            return;
        }
        let why = reason(house.refusal(now(&plan)).await);
        assert!(
            why.contains(who) && why.contains("setfacl -b hello"),
            "{why}"
        );
        // To read is no harm.
        assert!(set(&path, acl::ATTRIBUTE, &list(tag, number, 5)));
        assert_eq!(house.run(now(&plan)).await.stdout, b"hello\n");
    }
    removexattr(&path, acl::ATTRIBUTE).expect("removed");
    assert_eq!(house.run(now(&plan)).await.stdout, b"hello\n");
}

#[tokio::test]
async fn w31_neither_is_one_below_a_folder_with_such_a_list() {
    let mut house = House::open();
    let folder = house.scripts().join("ops/nightly");
    std::fs::create_dir_all(&folder).expect("made");
    set_mode(&house.scripts().join("ops"), 0o755);
    set_mode(&folder, 0o755);
    let mut plan = house.script("ops/nightly/hello", HELLO);
    plan.folder = "ops/nightly".into();
    plan.launch = Launch::File {
        file: "hello".into(),
        interpreter: Vec::new(),
    };
    for (path, named) in [
        (folder, "the script's folder `ops/nightly`"),
        (house.scripts().join("ops"), "the script's folder `ops`"),
        (house.scripts(), "the folder of scripts"),
    ] {
        assert_eq!(house.run(now(&plan)).await.stdout, b"hello\n");
        if !set(&path, acl::ATTRIBUTE, &list(2, 7777, 7)) {
            return;
        }
        let why = reason(house.refusal(now(&plan)).await);
        assert!(why.contains(named) && why.contains("uid 7777"), "{why}");
        removexattr(&path, acl::ATTRIBUTE).expect("removed");
    }
    assert_eq!(house.run(now(&plan)).await.stdout, b"hello\n");
}

#[tokio::test]
async fn w4_an_interpreter_is_named_by_an_absolute_path_or_nothing_is_started() {
    let mut house = House::open();
    let mut plan = house.script("hello", HELLO);
    plan.fingerprint = None;
    for (interpreter, is_started) in [
        ("/bin/sh", true),
        ("sh", false),
        ("./hello", false),
        ("", false),
    ] {
        plan.launch = Launch::File {
            file: "hello".into(),
            interpreter: vec![interpreter.into()],
        };
        if is_started {
            assert_eq!(house.run(now(&plan)).await.stdout, b"hello\n");
        } else {
            let why = reason(house.refusal(now(&plan)).await);
            assert!(why.contains("not an absolute path"), "{interpreter}: {why}");
        }
    }
}
