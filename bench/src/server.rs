//! A server under test: its own state directory, scripts and token.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::http::Client;

const SETTINGS: &str = "[limits]\nrunning = 64\nqueued = 10000\nqueued_per_user = 10000\n";
const PASSWORD: &str = "violet tractor ninety owls";

/// Prints the time in nanoseconds every 50 ms.
pub const TICKER: &str = "#!/bin/bash\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\nfor i in {1..60}; do date +%s%N; sleep 0.05; done\n";
/// Prints 10 MB.
pub const FLOOD: &str = "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\nexec head -c 10000000 lines.txt\n";
/// The same with a secret, whose value its caller chooses.
pub const TRUSTED_FLOOD: &str = "#!/bin/sh\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# [[param]]\n# name = \"key\"\n# secret = true\n# ///\nexec head -c 10000000 lines.txt\n";
const SHARED: &str =
    "command = [\"/bin/true\"]\naccess = { run = [\"everyone\"], output = [\"everyone\"] }\n";
const TRUE: &str = "command = [\"/bin/true\"]\naccess = { run = [\"everyone\"] }\n";

/// A running server.
pub struct Server {
    binary: String,
    child: Child,
    dir: TempDir,
    pub address: SocketAddr,
    pub token: String,
}

/// Resident memory in MiB.
pub struct Memory {
    pub server: f64,
    pub runner: f64,
}

impl Memory {
    pub fn total(&self) -> f64 {
        self.server + self.runner
    }
}

impl Server {
    /// Starts it; also gives the milliseconds until the first answer.
    pub fn start(binary: &str) -> anyhow::Result<(Self, f64)> {
        Self::start_with(binary, "")
    }

    /// The same with these settings, too.
    pub fn start_with(binary: &str, settings: &str) -> anyhow::Result<(Self, f64)> {
        let dir = TempDir::new()?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let scripts = dir.path().join("scripts");
        write_scripts(&scripts, settings)?;
        let state = dir.path().join("state");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let begin = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--listen", &address.to_string(), "--state"])
            .arg(&state)
            .arg(&scripts)
            .stdin(Stdio::null())
            .stderr(fs::File::create(dir.path().join("log"))?)
            .spawn()
            .with_context(|| format!("could not start {binary}"))?;
        let mut server = Self {
            binary: binary.to_owned(),
            child,
            dir,
            address,
            token: String::new(),
        };
        server.wait_for_first_answer(begin)?;
        let first_answer = begin.elapsed().as_secs_f64() * 1e3;
        server.token = server.add_user("bench", "admins")?;
        Ok((server, first_answer))
    }

    /// Makes an account; gives a token of it.
    pub fn add_user(&self, name: &str, group: &str) -> anyhow::Result<String> {
        make_token(&self.binary, &self.state(), name, group)
    }

    /// The state directory.
    pub fn state(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    pub fn client(&self) -> anyhow::Result<Client> {
        Client::connect(self.address, &self.token)
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its runner's process; 0 when there is none.
    pub fn runner(&self) -> u32 {
        find_runner(self.dir.path()).unwrap_or(0)
    }

    pub fn scripts(&self) -> std::path::PathBuf {
        self.dir.path().join("scripts")
    }

    /// Of server and runner now.
    pub fn memory(&self) -> Memory {
        let runner = find_runner(self.dir.path());
        Memory {
            server: resident(self.child.id()),
            runner: runner.map_or(f64::NAN, resident),
        }
    }

    fn wait_for_first_answer(&mut self, begin: Instant) -> anyhow::Result<()> {
        while begin.elapsed() < Duration::from_secs(20) {
            let answer = Client::connect(self.address, "none")
                .and_then(|mut client| client.request("GET", "/healthz", None));
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the server ended with {status}: {}",
                    fs::read_to_string(self.dir.path().join("log"))?
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        bail!("the server did not answer within 20 s")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

fn write_scripts(dir: &Path, settings: &str) -> anyhow::Result<()> {
    fs::create_dir(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    fs::write(dir.join("stagedoor.toml"), SETTINGS.to_owned() + settings)?;
    fs::write(dir.join("true.stagedoor.toml"), TRUE)?;
    fs::write(dir.join("shared.stagedoor.toml"), SHARED)?;
    fs::write(
        dir.join("lines.txt"),
        "a line of output as scripts print them, some 64 bytes in length\n".repeat(160_000),
    )?;
    for level in ["none", "strict"] {
        let text = format!("{TRUE}sandbox = {{ level = \"{level}\" }}\n");
        fs::write(dir.join(format!("{level}.stagedoor.toml")), text)?;
    }
    for (name, text) in [
        ("ticker", TICKER),
        ("flood", FLOOD),
        ("trusted-flood", TRUSTED_FLOOD),
    ] {
        let path = dir.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn make_token(binary: &str, state: &Path, name: &str, group: &str) -> anyhow::Result<String> {
    let mut add = Command::new(binary)
        .args([
            "user",
            "add",
            name,
            "--group",
            group,
            "--password-stdin",
            "--state",
        ])
        .arg(state)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    if let Some(stdin) = add.stdin.as_mut() {
        stdin.write_all(PASSWORD.as_bytes())?;
    }
    if !add.wait()?.success() {
        bail!("could not make a user");
    }
    let create = Command::new(binary)
        .args(["token", "create", "--user", name, "--state"])
        .arg(state)
        .stderr(Stdio::null())
        .output()?;
    let line = BufReader::new(create.stdout.as_slice()).lines().next();
    line.context("no token was printed")?
        .context("the token is not text")
}

fn find_runner(dir: &Path) -> Option<u32> {
    let socket = dir.join("state/runner.sock");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        let is_runner = words.windows(8).any(|w| w == b"\0runner\0")
            && String::from_utf8_lossy(&words).contains(socket.to_str()?);
        is_runner.then_some(pid)
    })
}

#[expect(clippy::cast_precision_loss, reason = "kibibytes of one process")]
fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?
            .trim()
            .strip_suffix(" kB")?
            .parse::<u64>()
            .ok()
    });
    kib.map_or(f64::NAN, |kib| kib as f64 / 1024.0)
}
