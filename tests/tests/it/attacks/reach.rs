//! To read, change, signal or call what is not the script's.

use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use serde_json::{Value, json};

use super::{Arena, holds, perl, shell};
use crate::processes;
use crate::program::{Home, as_root};
use crate::robot::id;

/// Has a file in its home and a value in its environment, says where, and waits.
const VICTIM: &str = "echo c4n4ry > $HOME/file; chmod 777 $HOME $HOME/file\n\
                      echo \"at $$ $HOME end\"\nexport CANARY=c4n4ry; exec sleep 600";

/// Bob's run that goes on, its process and its folder.
fn victim(arena: &Arena) -> (Value, u32, String) {
    let run = arena.bob.start("victim", &json!({})).expect(201).json();
    arena.bob.until_printed(&run, " end");
    let said = String::from_utf8_lossy(&arena.bob.output(&run, "stdout")).into_owned();
    let mut words = said.split_whitespace().skip(1);
    let pid = words.next().and_then(|word| word.parse().ok());
    let home = words.next().expect("a folder").to_owned();
    (run, pid.expect("a number"), home)
}

/// Tries all that one process can do to another; prints what came through.
const AGAINST_PROCESSES: &str = r#"
sub came { print "@_\n" }
sub try {
    my ($whose, $pid) = @_;
    for my $file (qw(environ mem maps auxv syscall stack)) {
        my ($in, $byte);
        open($in, '<', "/proc/$pid/$file") or next;
        # Memory is not mapped at 0; that it is open is enough.
        came($whose, $file) if $file eq 'mem' || sysread($in, $byte, 1);
    }
    open(my $out, '+<', "/proc/$pid/mem") and came($whose, 'mem to write');
    for my $link (qw(cwd root exe)) {
        readlink("/proc/$pid/$link") and came($whose, $link);
    }
    # Whose number somebody has may see how many are open.
    readlink("/proc/$pid/fd/$_") and came($whose, 'fd') for 0 .. 9;
    open(my $dup, '<', "/proc/$pid/fd/0") and came($whose, 'an open file');
    opendir(my $root, "/proc/$pid/root/") and came($whose, 'root');
    opendir(my $cwd, "/proc/$pid/cwd/") and came($whose, 'cwd');
    kill(0, $pid) and came($whose, 'signal');
    # PTRACE_SEIZE stops nobody.
    syscall(SEIZE, 0x4206, $pid, 0, 0) == 0 and came($whose, 'ptrace');
    my $pidfd = syscall(434, $pid, 0);
    $pidfd >= 0 && syscall(438, $pidfd, 0, 0) >= 0 and came($whose, 'a descriptor');
    $pidfd >= 0 && syscall(424, $pidfd, 0, 0, 0) == 0 and came($whose, 'signal by pidfd');
}
"#;

fn against_processes(body: &str) -> String {
    let seize = if cfg!(target_arch = "x86_64") {
        "101"
    } else {
        "117"
    };
    let text = format!("{AGAINST_PROCESSES}{body}");
    perl("", &text.replace("SEIZE", seize))
}

#[test]
fn w43_a_hostile_script_reaches_no_process_but_its_own() {
    let mut arena = Arena::with(&[("victim.sh", &shell("", VICTIM))]);
    let (bobs, pid, _) = victim(&arena);
    let runner = processes::runner(&arena.program.state()).expect("a runner");
    let server = arena.program.pid();
    let body = format!(
        "try('server', {server}); try('runner', {runner}); try('victim', {pid}); try('keeper', getppid());\n\
         my $child = fork // die; if (!$child) {{ sleep 60; exit }}\ntry('own', $child); kill 9, $child;"
    );
    arena.add("prober.pl", &against_processes(&body));
    let run = arena.attack("prober");
    let text = arena.printed(&run);
    assert_eq!(run["outcome"], "succeeded", "{run}");
    for own in ["environ", "mem", "fd", "cwd", "signal", "ptrace"] {
        assert!(text.contains(&format!("own {own}\n")), "{text}");
    }
    let others: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("own"))
        .collect();
    let apart = holds(&run, "processes", "processes of the same account");
    let of_another_account = |line: &&str| !line.starts_with("victim") && as_root();
    let reached: Vec<_> = others
        .into_iter()
        .filter(|line| apart || of_another_account(line))
        .collect();
    assert!(reached.is_empty(), "{reached:?}");
    let still = arena.bob.get(&format!("/api/v1/runs/{}", id(&bobs))).json();
    assert_eq!(still["state"], "running", "{still}");
}

/// Tries all that can be done with files; prints what came through.
fn against_files(state: &str, home: &str, settings: &str) -> String {
    format!(
        "exec 2>/dev/null
got() {{ head -c 1 \"$1\" | grep -q . && echo \"read $1\"; (echo x >> \"$1\") && [ -s \"$1\" ] && echo \"wrote $1\"; }}
for file in {state}/* {state}/*/* {state}/*/*/*; do [ -d \"$file\" ] || got \"$file\"; done
for file in stagedoor.db secret.key secrets.keys cookie.keys audit.key runner.sock; do got {state}/$file; done
got /proc/self/root{state}/stagedoor.db; got /proc/self/cwd/../state/stagedoor.db
ln -s {state} $HOME/link; got $HOME/link/stagedoor.db
ln {state}/stagedoor.db $HOME/hard && echo 'linked the database'
(echo x > {state}/new) && echo 'wrote in the state'
mv {state} {state}-moved && echo 'moved the state'
ls {state} >/dev/null && echo 'listed the state'
got {settings}; got {home}/file
ls {home} >/dev/null && echo 'listed the other home'
(echo x > {home}/new) && echo 'wrote in the other home'
rm {home}/file && echo 'removed from the other home'
for dir in /var/tmp/stagedoor-*/*/*; do case $dir in ${{HOME%/*}}/*) ;; *) ls $dir/* >/dev/null && echo \"listed $dir\";; esac; done
echo own > $HOME/file && cat $HOME/file"
    )
}

/// Without a view, names can be seen (docs/sandbox.md), and settings among scripts that could change
/// each other anyway are open.
fn is_beyond_a_domain(line: &str) -> bool {
    let is = line.starts_with("listed ") || line.ends_with("scripts/stagedoor.toml");
    if is {
        println!("skipped: {line}, which one account for everything may do");
    }
    is
}

#[test]
fn w43_a_hostile_script_reads_neither_database_keys_settings_nor_another_run() {
    let home = Home::new();
    let settings = home.scripts(&[("stagedoor.toml", "# c4n4ry\n")]);
    let settings = settings.join("stagedoor.toml");
    fs::set_permissions(&settings, fs::Permissions::from_mode(0o644)).expect("chmod");
    let mut arena = Arena::on(home, &[("victim.sh", &shell("", VICTIM))]);
    let (_, _, home) = victim(&arena);
    let state = arena.program.state();
    let text = |path: &Path| path.to_str().expect("text").to_owned();
    let body = against_files(&text(&state), &home, &text(&settings));
    for level in ["standard", "strict"] {
        let keys = format!("sandbox = {{ level = \"{level}\" }}");
        let name = format!("thief-{level}");
        arena.add(&format!("{name}.sh"), &shell(&keys, &body));
        let run = arena.attack(&name);
        if !holds(&run, "hidden", "what must be hidden to be out of reach") {
            return;
        }
        let text = arena.printed(&run);
        let came = text.lines();
        let came: Vec<_> = came
            .filter(|line| as_root() || !is_beyond_a_domain(line))
            .collect();
        assert_eq!(came, ["own"], "{text}");
    }
    let kept = fs::read_to_string(format!("{home}/file")).expect("there");
    assert_eq!(kept, "c4n4ry\n");
    // There is something to be read: whoever may look finds it.
    assert!(fs::read(state.join("stagedoor.db")).is_ok_and(|bytes| !bytes.is_empty()));
}

/// Connects to a socket that is a file, and to one with an abstract name.
const CALLER: &str = r#"
sub call {
    my ($what, $path) = @_;
    socket(my $s, AF_UNIX, SOCK_STREAM, 0) or return print "no socket: $!\n";
    print connect($s, pack('S a*', AF_UNIX, $path)) ? "$what\n" : "not $what: $!\n";
}
"#;

#[test]
fn w43_a_hostile_script_connects_neither_to_the_runner_nor_to_an_abstract_socket() {
    let mut arena = Arena::with(&[]);
    let socket = arena.program.state().join("runner.sock");
    let name = format!("stagedoor-attack-{}", std::process::id());
    let abstract_name = SocketAddr::from_abstract_name(&name).expect("a name");
    let listener = UnixListener::bind_addr(&abstract_name).expect("bound");
    listener.set_nonblocking(true).expect("set");
    let body = format!(
        "{CALLER}call('runner', \"{}\\0\"); call('abstract', \"\\0{name}\");\n\
         my $own = \"$ENV{{HOME}}/socket\"; socket(my $l, AF_UNIX, SOCK_STREAM, 0) or die;\n\
         bind($l, pack('S a*', AF_UNIX, \"$own\\0\")) && listen($l, 1) or die; call('own', \"$own\\0\");",
        socket.display()
    );
    arena.add("caller.pl", &perl("", &body));
    let run = arena.attack("caller");
    let text = arena.printed(&run);
    assert!(text.contains("\nown\n"), "{text}");
    if holds(&run, "hidden", "the runner's socket") {
        assert!(text.contains("not runner: "), "{text}");
    }
    if holds(&run, "processes", "abstract sockets") {
        assert!(text.contains("not abstract: "), "{text}");
        let nobody = listener.accept().expect_err("nobody came");
        assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
    }
}

/// Writes wherever its account could.
#[test]
fn w43_a_hostile_script_at_the_strict_level_writes_nowhere_outside() {
    let mut arena = Arena::with(&[]);
    let open = arena.home.dir().join("open");
    fs::create_dir(&open).expect("made");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("chmod");
    fs::write(open.join("file"), "").expect("written");
    fs::set_permissions(open.join("file"), fs::Permissions::from_mode(0o666)).expect("chmod");
    let body = format!(
        "exec 2>/dev/null
for dir in {0} /tmp /var/tmp /dev/shm /run/lock $PWD /etc /home; do
  (echo x > $dir/stagedoor-attack) && echo \"made a file in $dir\"
  mkdir $dir/stagedoor-attack.d && echo \"made a folder in $dir\"
  ln -s / $dir/stagedoor-attack.l && echo \"made a link in $dir\"
  mkfifo $dir/stagedoor-attack.p && echo \"made a pipe in $dir\"
done
(echo x >> {0}/file) && echo 'wrote a file'; (: > {0}/file) && echo 'emptied it'
rm {0}/file && echo 'removed it'; mv {0}/file $HOME/x && echo 'moved it'; ln {0}/file $HOME/y && echo x >> $HOME/y && echo 'linked it'
cp /proc/self/exe /proc/self/root{0}/copy && echo 'by its root'
echo x > $HOME/own && echo x > $TMPDIR/own && cat $HOME/own",
        open.display()
    );
    let strict = shell("sandbox = { level = \"strict\" }", &body);
    arena.add("writer.sh", &strict);
    let run = arena.attack("writer");
    if holds(&run, "write", "writing outside") {
        assert_eq!(arena.printed(&run), "x\n", "{run}");
        assert_eq!(fs::read_dir(&open).expect("there").count(), 1);
    }
}
