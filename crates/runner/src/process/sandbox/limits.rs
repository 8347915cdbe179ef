//! What the kernel bounds for each process: how much of it was asked for, and how much there is to give.

use rustix::process::{Resource, Rlimit};
use stagedoor_domain::sandbox::{Enforced, Measure, ProcessLimits};

use crate::process::cgroup::controls::Share;

/// What the runner itself is allowed, which nobody can be given more of but by root.
pub(super) struct Given {
    /// Before it raised that.
    open_files: Rlimit,
    others: [(Resource, Rlimit); 4],
    pub(super) nice: i32,
}

impl Given {
    pub(super) fn now(open_files: Rlimit) -> Self {
        let resources = [
            Resource::Data,
            Resource::Cpu,
            Resource::Nproc,
            Resource::Fsize,
        ];
        let now = |resource| (resource, rustix::process::getrlimit(resource));
        Self {
            open_files,
            others: resources.map(now),
            nice: rustix::process::getpriority_process(None).unwrap_or(0),
        }
    }

    /// What was asked for, and of open files what the runner was given where nothing was. What a cgroup
    /// holds for all processes together is not asked of each.
    pub(super) fn limits(&self, asked: &ProcessLimits, shares: Share) -> Vec<(Resource, Rlimit)> {
        let memory = asked.memory.filter(|_| shares.memory.is_none());
        let processes = asked.processes.filter(|_| shares.processes.is_none());
        let files = asked.open_files.map(|files| at_most(files, files));
        let files = files.map_or(self.open_files, |files| lower(files, self.open_files));
        // One second more, in which a script that catches the signal can end by itself.
        let seconds = asked.cpu.map(|time| time.as_secs());
        let others = [
            (Resource::Data, memory.map(|bytes| at_most(bytes, bytes))),
            (
                Resource::Cpu,
                seconds.map(|s| at_most(s, s.saturating_add(1))),
            ),
            (Resource::Nproc, processes.map(|many| at_most(many, many))),
            (
                Resource::Fsize,
                asked.file_size.map(|bytes| at_most(bytes, bytes)),
            ),
        ];
        let lowered = others.into_iter().filter_map(|(resource, wanted)| {
            let (_, given) = self.others.iter().find(|(known, _)| *known == resource)?;
            Some((resource, lower(wanted?, *given)))
        });
        std::iter::once((Resource::Nofile, files))
            .chain(lowered)
            .collect()
    }
}

fn at_most(current: u64, maximum: u64) -> Rlimit {
    Rlimit {
        current: Some(current),
        maximum: Some(maximum),
    }
}

/// A limit that was given can be lowered, and raised by nobody but root.
fn lower(wanted: Rlimit, given: Rlimit) -> Rlimit {
    let least = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
    Rlimit {
        current: least(wanted.current, given.maximum),
        maximum: least(wanted.maximum, given.maximum),
    }
}

/// What holds of these.
pub(super) fn note(asked: &ProcessLimits, shares: Share, enforced: &mut Enforced) {
    let either = |shared: bool, run, process| if shared { run } else { process };
    let memory = either(shares.memory.is_some(), Measure::RunMemory, Measure::Memory);
    let processes = either(
        shares.processes.is_some(),
        Measure::RunProcesses,
        Measure::ProcessCount,
    );
    let asked = [
        (memory, asked.memory.is_some()),
        (Measure::Cpu, asked.cpu.is_some()),
        (processes, asked.processes.is_some()),
        (Measure::FileSize, asked.file_size.is_some()),
        (Measure::OpenFiles, asked.open_files.is_some()),
        (Measure::Nice, asked.nice.is_some()),
    ];
    for (measure, _) in asked.into_iter().filter(|(_, asked)| *asked) {
        enforced.note(measure, Ok(()));
    }
}
