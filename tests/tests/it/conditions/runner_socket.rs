//! The runner's socket: left behind, taken by something else, or by somebody else.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{goes_on, refused, says, used};
use crate::program::as_root;

#[test]
fn a_socket_that_a_dead_runner_left_is_replaced() {
    let (home, scripts) = used();
    let socket = home.state().join("runner.sock");
    drop(UnixListener::bind(&socket).expect("a socket that nobody listens on"));
    goes_on(&home, &scripts);
}

#[test]
fn a_file_or_a_folder_in_the_place_of_the_runners_socket_is_named_and_kept() {
    let (home, scripts) = used();
    let socket = home.state().join("runner.sock");
    fs::write(&socket, "mine").expect("written");
    says(
        &refused(&home, &scripts),
        &[
            socket.to_str().expect("text"),
            "not a socket",
            "move it away",
        ],
    );
    assert_eq!(fs::read_to_string(&socket).expect("kept"), "mine");
    fs::remove_file(&socket).expect("removed");
    fs::create_dir(&socket).expect("made");
    says(&refused(&home, &scripts), &["not a socket"]);
    fs::remove_dir(&socket).expect("removed");
    goes_on(&home, &scripts);
}

/// Not a test of its own: a process that listens where the runner should, until its input ends.
#[test]
#[ignore = "started by another test"]
#[expect(clippy::disallowed_methods, reason = "the parent test says where")]
fn listen_in_the_runners_place() {
    let path = std::env::var_os("LISTEN_AT").expect("where");
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        None,
    )
    .expect("a socket");
    let address = rustix::net::SocketAddrUnix::new(Path::new(&path)).expect("an address");
    rustix::net::bind(&socket, &address).expect("bound");
    rustix::net::listen(&socket, 8).expect("listens");
    println!("listens");
    let _ = std::io::stdin().read_line(&mut String::new());
}

struct Stranger(std::process::Child);

impl Stranger {
    #[expect(clippy::disallowed_methods, reason = "a process in the runner's place")]
    fn at(socket: &Path, uid: Option<u32>) -> Option<Self> {
        use std::io::BufRead;
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .args([
                "conditions::runner_socket::listen_in_the_runners_place",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env("LISTEN_AT", socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(uid) = uid {
            command.uid(uid).gid(uid).current_dir("/");
        }
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                println!("skipped: another account may not start this test: {error}");
                return None;
            }
        };
        let out = std::io::BufReader::new(child.stdout.as_mut().expect("its output"));
        let listens = out
            .lines()
            .map_while(Result::ok)
            .any(|line| line.contains("listens"));
        assert!(listens, "it listens");
        Some(Self(child))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_runners_socket_that_someone_else_listens_on_is_refused_with_whose_it_is() {
    if !as_root() {
        println!("skipped: to listen as another account needs root");
        return;
    }
    let (home, scripts) = used();
    let socket = home.state().join("runner.sock");
    let state = home.state();
    let owner = fs::metadata(&state).expect("there").uid();
    fs::set_permissions(&state, Permissions::from_mode(0o777)).expect("chmod");
    let Some(stranger) = Stranger::at(&socket, Some(65534)) else {
        return;
    };
    let said = refused(&home, &scripts);
    says(
        &said,
        &[
            "uid 65534",
            &stranger.0.id().to_string(),
            "runner.sock",
            "another state directory",
        ],
    );
    assert!(socket.exists(), "it is left as it is");
    drop(stranger);
    assert_eq!(fs::metadata(&state).expect("there").uid(), owner);
    goes_on(&home, &scripts);
}

#[test]
fn a_runner_that_does_not_answer_is_named_with_its_process() {
    let (home, scripts) = used();
    let socket = home.state().join("runner.sock");
    let silent = Stranger::at(&socket, None).expect("this account may start it");
    let said = refused(&home, &scripts);
    says(
        &said,
        &[
            &format!("process {}", silent.0.id()),
            "does not answer",
            "runner.sock",
        ],
    );
    drop(silent);
    goes_on(&home, &scripts);
}
