//! What the server gives up before it talks to the network: the rights of root, and executing.

use anyhow::Context as _;
use rustix::thread::clear_ambient_capability_set;
use stagedoor_runner::{Account, Confined, confine};

/// A right that came with the process, as systemd's `AmbientCapabilities` for low ports, is for the
/// server: what is executed from now on, the runner and its scripts, does not have it.
pub fn keep_to_itself() -> anyhow::Result<()> {
    clear_ambient_capability_set().context("could not keep the server's rights from scripts")
}

/// To be called once the ports are bound and the runner is there, while there is one thread: all
/// later ones inherit it. From then on nothing can be executed.
///
/// A server that could still execute does not serve. Only a machine that knows no filters at all is
/// no reason to refuse: nothing could be mended there.
pub fn give_up(account: Option<&Account>) -> anyhow::Result<()> {
    if let Some(account) = account {
        account
            .assume()
            .context("could not give up the rights of root")?;
    }
    let confined = confine().context(
        "the server could not give up its right to execute programs, and does not serve with it; \
         if it runs in a container, let the container's own filter allow seccomp(2) and prctl(2)",
    )?;
    if confined == Confined::NoFilters {
        tracing::warn!(
            "this machine has no filters of system calls (seccomp): somebody who breaks into the \
             server could execute programs with its rights"
        );
    }
    Ok(())
}
