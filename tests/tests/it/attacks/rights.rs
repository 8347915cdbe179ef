//! To leave the sandbox: the network, other accounts, mounts, name spaces.

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use super::{Arena, perl, shell};
use crate::program::{as_root, command};

/// Every way to the network that a socket has; prints what came through, and `unix` for the one that
/// is this machine's own.
const CALLER: &str = r#"
sub try {
    my ($what, $family, $type, $protocol, $address) = @_;
    socket(my $s, $family, $type, $protocol) or return;
    print "socket $what\n";
    return if !defined $address;
    ($type & 15) == SOCK_STREAM ? connect($s, $address) && print "connected $what\n"
                                : send($s, 'x', 0, $address) && print "sent $what\n";
}
my ($v4, $v6) = (inet_aton('127.0.0.1'), Socket::inet_pton(AF_INET6, '::1'));
try('tcp', AF_INET, SOCK_STREAM, 0, Socket::pack_sockaddr_in(TCP, $v4));
try('tcp6', AF_INET6, SOCK_STREAM, 0, Socket::pack_sockaddr_in6(TCP, $v6));
try('mptcp', AF_INET, SOCK_STREAM, 262, Socket::pack_sockaddr_in(TCP, $v4));
try('udp', AF_INET, SOCK_DGRAM, 0, Socket::pack_sockaddr_in(UDP, $v4));
try('udp6', AF_INET6, SOCK_DGRAM, 0, Socket::pack_sockaddr_in6(UDP, $v6));
try('raw', AF_INET, SOCK_RAW, 1); try('ping', AF_INET, SOCK_DGRAM, 1); try('packet', 17, SOCK_RAW, 3);
try('netlink', 16, SOCK_RAW, 0); try('uevents', 16, SOCK_DGRAM, 15); try('vsock', 40, SOCK_STREAM, 0);
try('crypto', 38, 5, 0); try('bluetooth', 31, SOCK_RAW, 1); try('can', 29, SOCK_RAW, 1); try('xdp', 44, SOCK_RAW, 0);
try('unix', AF_UNIX, SOCK_STREAM, 0);
# A ring sends without a call for a socket.
my $room = "\0" x 120;
print "ring\n" if syscall(425, 1, $room) >= 0;
"#;

#[test]
fn w43_a_hostile_script_without_network_reaches_it_by_no_kind_of_socket() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    tcp.set_nonblocking(true).expect("set");
    udp.set_nonblocking(true).expect("set");
    let port = |address: std::io::Result<std::net::SocketAddr>| {
        address.expect("an address").port().to_string()
    };
    let body = CALLER
        .replace("TCP,", &format!("{},", port(tcp.local_addr())))
        .replace("UDP,", &format!("{},", port(udp.local_addr())));
    let mut arena = Arena::with(&[
        (
            "strict.pl",
            &perl("sandbox = { level = \"strict\" }", &body),
        ),
        ("off.pl", &perl("sandbox = { network = false }", &body)),
        ("on.pl", &perl("", &body)),
    ]);
    for name in ["strict", "off"] {
        let run = arena.attack(name);
        // The sockets of this machine are not the network: docs/sandbox.md.
        assert_eq!(arena.printed(&run), "socket unix\n", "{run}");
    }
    assert_eq!(
        tcp.accept().expect_err("nobody came").kind(),
        ErrorKind::WouldBlock
    );
    let received = udp.recv_from(&mut [0; 8]).expect_err("nothing came");
    assert_eq!(received.kind(), ErrorKind::WouldBlock);
    // The same attempts with network: what a filter of calls keeps from all scripts stays away.
    let run = arena.attack("on");
    let text = arena.printed(&run);
    assert!(
        text.contains("connected tcp\n") && text.contains("sent udp\n"),
        "{text}"
    );
    tcp.accept().expect("it came");
    for exotic in [
        "packet",
        "vsock",
        "crypto",
        "bluetooth",
        "can",
        "xdp",
        "ring",
    ] {
        assert!(!text.contains(exotic), "{text}");
    }
}

/// Tries to become somebody else or to see another machine; prints what came through.
fn against_rights(helper: &str) -> String {
    format!(
        "exec 2>/dev/null
{helper} -u | grep -qx 0 && echo 'root by a setuid program'
for way in 'sudo -n id -u' 'su -c \"id -u\"' 'su root -c \"id -u\"' 'pkexec id -u' 'doas id -u' 'setpriv --reuid 0 id -u' 'capsh --uid=0 -- -c \"id -u\"'; do
  sh -c \"$way\" </dev/null | grep -qx 0 && echo \"root by $way\"
done
mkdir $HOME/point
mount -t tmpfs none $HOME/point && echo 'mounted'
mount --bind /etc $HOME/point && echo 'mounted a folder again'
umount /proc && echo 'unmounted'
mknod $HOME/disk b 8 0 && echo 'made a device'
chroot / /bin/true && echo 'changed its root'
chown 0 $HOME/point && echo 'gave a file away'
cp /bin/sh $HOME/sh && chmod 4755 $HOME/sh && $HOME/sh -p -c 'id -u' | grep -qx 0 && echo 'root by its own program'
(echo x > /etc/stagedoor-attack) && echo 'wrote in /etc'
(echo 1 > /proc/sys/kernel/panic) && echo 'set the kernel'
(echo 0 > /proc/self/oom_score_adj) && (echo -1000 > /proc/self/oom_score_adj) && echo 'cannot be killed'
nice -n -5 true && [ \"$(nice -n -5 nice)\" -lt \"$(nice)\" ] && echo 'faster than others'
(ulimit -H -n 1000000) && echo 'more files'
grep -q '^CapEff:.*[1-9a-f]' /proc/self/status && echo 'has capabilities'
grep -q '^CapPrm:.*[1-9a-f]' /proc/self/status && echo 'has capabilities to take'
echo tried"
    )
}

/// Only `strict` promises these.
const NAMESPACES: &str = "exec 2>/dev/null
for kind in user mount pid net ipc uts cgroup time; do
  unshare --$kind true && echo \"a name space: $kind\"
  unshare --user --map-root-user --$kind true && echo \"a name space of its own root: $kind\"
  nsenter --$kind --target $PPID true && echo \"that of its parent: $kind\"
done
strace -o /dev/null true && echo 'traced its own'
echo tried";

/// A program with the bit, which tells who it is; where nobody may make one, one that is there.
fn helper(at: &Path) -> String {
    if !as_root() {
        println!(
            "skipped: a setuid program of root's, which only root can make; su and sudo are tried"
        );
        return "/usr/bin/id".to_owned();
    }
    fs::copy("/usr/bin/id", at).expect("copied");
    fs::set_permissions(at, fs::Permissions::from_mode(0o4755)).expect("chmod");
    // Outside it does what the attack hopes for.
    let by_nobody = command(at).arg("-u").uid(65534).gid(65534).output();
    assert_eq!(by_nobody.expect("it starts").stdout, b"0\n");
    at.to_str().expect("text").to_owned()
}

#[test]
fn w43_a_hostile_script_becomes_nobody_else_and_mounts_nothing() {
    let mut arena = Arena::with(&[]);
    let helper = helper(&arena.home.dir().join("helper"));
    let body = against_rights(&helper);
    for level in ["standard", "strict"] {
        let keys = format!("sandbox = {{ level = \"{level}\" }}");
        arena.add(&format!("climber-{level}.sh"), &shell(&keys, &body));
        let run = arena.attack(&format!("climber-{level}"));
        assert_eq!(arena.printed(&run), "tried\n", "{run}");
    }
    arena.add(
        "leaver.sh",
        &shell("sandbox = { level = \"strict\" }", NAMESPACES),
    );
    let run = arena.attack("leaver");
    assert_eq!(arena.printed(&run), "tried\n", "{run}");
}
