//! The server cannot execute: proved from inside, on threads that were there before and on later
//! ones, by every call that could.

use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use libc::{c_int, c_long};
use stagedoor_runner::{Confined, confine};

/// What a call answered: not negative, or the error.
type Answer = Result<c_long, c_int>;
type Attempt = (&'static str, fn() -> Answer);

/// Errors of calls that came through to where their arguments are looked at.
const CAME_THROUGH: &[c_int] = &[
    libc::ENOENT,
    libc::EFAULT,
    libc::EINVAL,
    libc::EBADF,
    libc::ESRCH,
    libc::EOPNOTSUPP,
];

fn call(number: c_long, arguments: [usize; 4]) -> Answer {
    let [a, b, c, d] = arguments;
    // SAFETY: none of the attempts below names memory that the kernel could write to.
    match unsafe { libc::syscall(number, a, b, c, d) } {
        -1 => Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        answer => Ok(answer),
    }
}

/// A call that may return twice; the second time in a new process, which ends at once.
fn split(number: c_long, arguments: [usize; 4]) -> Answer {
    let answer = call(number, arguments);
    if answer == Ok(0) {
        // SAFETY: it does not return.
        unsafe { libc::_exit(0) };
    }
    answer
}

fn nowhere() -> usize {
    c"/nowhere/at/all".as_ptr() as usize
}

fn started(command: &mut Command) -> Answer {
    match command.status() {
        Ok(status) => Ok(c_long::from(status.code().unwrap_or(-1))),
        Err(error) => Err(error.raw_os_error().unwrap_or(0)),
    }
}

/// The ways to a process or a program.
const WAYS: &[Attempt] = &[
    ("execve", || call(libc::SYS_execve, [nowhere(), 0, 0, 0])),
    ("execveat", || {
        call(libc::SYS_execveat, [usize::MAX, nowhere(), 0, 0])
    }),
    ("exec of the library", || {
        let error = Command::new("/nowhere/at/all").exec();
        Err(error.raw_os_error().unwrap_or(0))
    }),
    #[cfg(target_arch = "x86_64")]
    ("fork", || split(libc::SYS_fork, [0; 4])),
    ("clone without thread", || {
        split(libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0, 0])
    }),
    ("clone of the upper half", || {
        split(libc::SYS_clone, [libc::SIGCHLD as usize | 1 << 40, 0, 0, 0])
    }),
    // The library starts it by posix_spawn.
    ("posix_spawn", || started(&mut Command::new("/bin/true"))),
    // With another account it forks by itself.
    ("fork of the library", || {
        // SAFETY: no pointer is passed.
        let own = unsafe { libc::getuid() };
        started(Command::new("/bin/true").uid(own))
    }),
];

/// Other calls that a server never needs. Each is refused before its arguments are looked at.
const OTHERS: &[Attempt] = &[
    ("unshare", || call(libc::SYS_unshare, [0; 4])),
    ("setns", || call(libc::SYS_setns, [usize::MAX, 0, 0, 0])),
    ("keyctl", || call(libc::SYS_keyctl, [9999, 0, 0, 0])),
    ("ptrace", || {
        call(libc::SYS_ptrace, [9999, usize::MAX >> 33, 0, 0])
    }),
    ("process_vm_readv", || {
        call(libc::SYS_process_vm_readv, [usize::MAX >> 33, 0, 0, 0])
    }),
    ("pidfd_getfd", || {
        call(libc::SYS_pidfd_getfd, [usize::MAX, 0, 0, 0])
    }),
];

/// Needs a privilege without the filter too, so an ordinary user cannot tell the difference.
const PRIVILEGED: &[Attempt] = &[
    ("mount", || call(libc::SYS_mount, [0, 0, 0, 0])),
    ("ioctl TIOCSTI", || {
        call(libc::SYS_ioctl, [usize::MAX, 0x5412, 0, 0])
    }),
    ("ioctl TIOCLINUX", || {
        call(libc::SYS_ioctl, [usize::MAX, 0x541c, 0, 0])
    }),
    ("bpf", || call(libc::SYS_bpf, [9999, 0, 0, 0])),
    ("init_module", || call(libc::SYS_init_module, [0; 4])),
    ("io_uring_setup", || call(libc::SYS_io_uring_setup, [0; 4])),
    ("perf_event_open", || {
        call(libc::SYS_perf_event_open, [0; 4])
    }),
    ("userfaultfd", || {
        call(libc::SYS_userfaultfd, [usize::MAX, 0, 0, 0])
    }),
];

fn all() -> impl Iterator<Item = &'static Attempt> {
    WAYS.iter().chain(OTHERS).chain(PRIVILEGED)
}

/// In a thread: each attempt with its answer.
fn try_all() -> Vec<(&'static str, Answer)> {
    all().map(|(name, attempt)| (*name, attempt())).collect()
}

fn assert_confined(answers: &[(&str, Answer)], whose: &str) {
    assert_eq!(answers.len(), all().count());
    for (name, answer) in answers {
        assert_eq!(*answer, Err(libc::EPERM), "{name} in {whose}");
    }
}

/// What must go on: threads, files, sockets, names, the asynchronous runtime.
fn assert_works() {
    assert_eq!(thread::spawn(|| 7).join().expect("a thread"), 7);
    let mut file = tempfile::tempfile().expect("a file");
    std::io::Write::write_all(&mut file, b"x").expect("written");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let _client = TcpStream::connect(address).expect("connected");
    assert!(listener.accept().is_ok());
    assert!(
        ("localhost", 80)
            .to_socket_addrs()
            .expect("a name")
            .next()
            .is_some()
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let eight = runtime.block_on(async { tokio::task::spawn_blocking(|| 8).await });
    assert_eq!(eight.expect("done"), 8);
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    assert!(trace.contains("confined"), "{trace}");
    let own = std::fs::read_link("/proc/self/exe").expect("its own name");
    assert_eq!(own, std::env::current_exe().expect("its own name"));
}

/// Not a test of its own: what [`no_thread_of_a_confined_process_can_execute_or_fork`] starts.
#[test]
#[ignore = "gives up the rights of the process that it runs in"]
fn confined_from_inside() {
    let (go, wait) = mpsc::channel::<()>();
    let earlier = thread::spawn(move || {
        let _ = wait.recv();
        try_all()
    });
    assert_eq!(confine().expect("confined"), Confined::Fully);
    go.send(()).expect("the thread waits");
    assert_confined(&earlier.join().expect("a thread"), "an earlier thread");
    assert_confined(
        &thread::spawn(try_all).join().expect("a thread"),
        "a later thread",
    );
    assert_confined(&try_all(), "the thread that confined");
    #[cfg(target_arch = "x86_64")]
    {
        // Not among the attempts, because a child would spoil the stack of its parent.
        assert_eq!(call(libc::SYS_vfork, [0; 4]), Err(libc::EPERM));
        // The same numbers with the mark of x32: getpid and execve.
        for number in [39, 520] {
            assert_eq!(call(0x4000_0000 | number, [0; 4]), Err(libc::ENOSYS));
        }
    }
    assert_eq!(call(libc::SYS_clone3, [0; 4]), Err(libc::ENOSYS));
    assert_works();
    let dumpable = rustix::process::dumpable_behavior().expect("asked");
    assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
    // A second time changes nothing, and is no error.
    assert_eq!(confine().expect("confined"), Confined::Fully);
    println!("held in every thread");
}

#[test]
fn no_thread_of_a_confined_process_can_execute_or_fork() {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "confined::confined_from_inside",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .expect("started");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert!(said.contains("held in every thread"), "{said}{errors}");
}

#[test]
fn without_confinement_the_same_attempts_come_through() {
    for (name, attempt) in WAYS.iter().chain(OTHERS) {
        let answer = attempt();
        let came = answer.is_ok_and(|answer| answer >= 0)
            || answer.is_err_and(|error| CAME_THROUGH.contains(&error));
        assert!(came, "{name}: {answer:?}");
    }
    #[cfg(target_arch = "x86_64")]
    assert_ne!(call(libc::SYS_clone3, [0; 4]), Err(libc::ENOSYS));
    if crate::house::is_root() {
        for (name, attempt) in PRIVILEGED {
            let answer = attempt();
            assert_ne!(answer, Err(libc::EPERM), "{name}");
        }
    }
}
