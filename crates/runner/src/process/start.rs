//! From a plan to a forked child: everything that can be refused is refused before the fork.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::pipe::PipeFlags;
use stagedoor_domain::sandbox::{Enforced, Level, Measure, USUAL_PROCESSES};
use stagedoor_domain::time::Clock;

use super::accounts::RunAs;
use super::attempt::{Ends, Live};
use super::cgroup::controls::Share;
use super::cgroup::{Cgroup, Joins};
use super::child::{Directory, Steps, Strings};
use super::environment::{arguments, environment};
use super::executable::{self, Executable, Root, c_string};
use super::hiding::Hiding;
use super::launch::Shares;
use super::low;
use super::preview::Hides;
use super::sandbox::{Confinement, Frame, Kit};
use super::scratch::{Places, Scratch};
use super::tree::{Bed, Nursery};
use super::unconfirmed::Unconfirmed;
use crate::account::Credentials;
use crate::protocol::{Plan, Refusal};
use crate::wire;

/// What every start needs.
pub(super) struct Station {
    pub(super) root: Root,
    pub(super) scratch: Scratch,
    /// Tells scripts apart.
    pub(super) scripts: RandomState,
    /// `/dev/null`.
    pub(super) null: OwnedFd,
    /// What scripts are held by.
    pub(super) kit: Kit,
    /// `TZ` where the plan has none.
    pub(super) zone: String,
    pub(super) nursery: Nursery,
    /// See [`super::launch::shares`].
    pub(super) shares: Shares,
}

impl Station {
    /// Starts the attempt. It is not known yet whether it executes.
    pub(super) fn start(&mut self, plan: Box<Plan>, clock: &dyn Clock) -> Result<Live, Refused> {
        let who = self.root.accounts.of(plan.run_as.as_deref())?;
        let executable = executable::open(&plan, &self.root, &who)?;
        let (now, files) = (clock.monotonic(), &plan.invocation.files);
        let of = self.scripts.hash_one((&plan.folder, &plan.launch));
        let made = self.scratch.make(of, who.account.as_ref(), files, now);
        let places = made.map_err(|error| resources("make its private folder", &error))?;
        self.start_in(&places, &who, executable, plan, clock)
            .map_err(|reason| Refused {
                reason,
                scratch: Some(places.name().to_owned()),
            })
    }

    fn start_in(
        &mut self,
        places: &Places,
        who: &RunAs,
        executable: Executable,
        plan: Box<Plan>,
        clock: &dyn Clock,
    ) -> Result<Live, Refusal> {
        let (bed, outfit) = self.lay_out(places, who, executable, &plan);
        let Outfit {
            steps,
            pipes,
            folder,
            mut enforced,
        } = match outfit {
            Ok(outfit) => outfit,
            Err(reason) => {
                self.nursery.take_back(bed);
                return Err(reason);
            }
        };
        let started_at = clock.now();
        let planted = self.nursery.plant(steps, bed);
        let planted = planted.map_err(|error| resources("make a process", &error))?;
        note_tree(planted.tree.cgroup(), &mut enforced);
        let ends = Ends {
            main: planted.child.raised(),
            started_at,
            streams: Some(pipes.map(low::raise)),
            scratch: places.name().to_owned(),
            enforced,
        };
        let unconfirmed = Unconfirmed::new(folder, plan, Some(planted.order));
        Ok(Live::new(
            ends,
            planted.tree,
            unconfirmed,
            clock.monotonic(),
        ))
    }

    /// Where the attempt is to be planted, and what its child is given.
    fn lay_out(
        &mut self,
        places: &Places,
        who: &RunAs,
        executable: Executable,
        plan: &Plan,
    ) -> (Bed, Result<Outfit, Refusal>) {
        let limits = &plan.process_limits;
        let bed = self.nursery.bed(Share {
            memory: limits.memory,
            processes: limits.processes.or(Some(USUAL_PROCESSES)),
            nice: limits.nice,
        });
        let outfit = self.outfit(places, who, executable, plan, &bed);
        (bed, outfit)
    }

    /// All that a start does before its child begins, and what would hold the child. Nothing of it is
    /// left.
    pub(super) fn rehearse(&mut self, plan: &Plan) -> Result<(Enforced, Hides), Refusal> {
        let who = self.root.accounts.of(plan.run_as.as_deref())?;
        let executable = executable::open(plan, &self.root, &who)?;
        let files = &plan.invocation.files;
        let made = self
            .scratch
            .make(0, who.account.as_ref(), files, Duration::ZERO);
        let places = made.map_err(|error| resources("make its private folder", &error))?;
        let (bed, outfit) = self.lay_out(&places, &who, executable, plan);
        let hides = Hides::of(self.scratch.hiding(places.name()).ok());
        let enforced = outfit.map(|mut outfit| {
            note_tree(bed.cgroup(), &mut outfit.enforced);
            outfit.enforced
        });
        self.nursery.take_back(bed);
        // No script was in it.
        let _ = self.scratch.remove(places.name());
        Ok((enforced?, hides))
    }

    /// All that the child is given, and what holds it.
    fn outfit(
        &self,
        places: &Places,
        who: &RunAs,
        executable: Executable,
        plan: &Plan,
        bed: &Bed,
    ) -> Result<Outfit, Refusal> {
        let (pipes, streams) = streams(&plan.invocation.stdin, who.credentials.as_deref())
            .map_err(|error| resources("make its standard streams", &error))?;
        let hiding = self.hiding(who, &executable, places, plan);
        let view = hiding.as_ref().ok().and_then(|hiding| hiding.view());
        let view = view.cloned();
        let frame = Frame {
            folder: executable.directory.as_fd(),
            scratch: places.path(),
            hiding,
            shares: bed.holds,
            pinned: self.root.pins(&executable, plan),
        };
        let (confinement, mut enforced) = self.kit.fit(plan, frame)?;
        let limits = &plan.process_limits;
        enforced.account = Some(who.name.clone());
        let folder = Rc::clone(&executable.directory);
        let steps = Steps {
            view,
            joins: bed.joins(),
            // What is there for those who ask for nothing can be done without.
            is_bound: (bed.holds.memory.is_some() && limits.memory.is_some())
                || (bed.holds.processes.is_some() && limits.processes.is_some()),
            ..self.steps(executable, streams, places, who, plan, confinement)?
        };
        Ok(Outfit {
            steps,
            pipes,
            folder,
            enforced,
        })
    }

    /// Root finds a way to everything, and what it mounts is to be mounted for all; the level `none` is as
    /// loose. Where the path of the scripts leads elsewhere now, there is no place in a view to begin at.
    fn hiding(
        &self,
        who: &RunAs,
        executable: &Executable,
        places: &Places,
        plan: &Plan,
    ) -> Result<&Hiding, String> {
        let own = || rustix::process::geteuid().as_raw();
        if who.uid().unwrap_or_else(own) == 0 {
            return Err("the script runs as root".to_owned());
        }
        if plan.sandbox.level == Level::None {
            return Err("the level `none` has nothing that closes the way to them".to_owned());
        }
        let hiding = self.scratch.hiding(places.name())?;
        if hiding.view().is_some() && !self.root.leads_to(executable, plan) {
            return Err("the folder of scripts was moved or replaced since it was opened: start `stagedoor serve` again".to_owned());
        }
        Ok(hiding)
    }

    fn steps(
        &self,
        executable: Executable,
        streams: [Option<OwnedFd>; 3],
        places: &Places,
        who: &RunAs,
        plan: &Plan,
        confinement: Confinement,
    ) -> Result<Steps, Refusal> {
        let mut argv = executable.argv;
        argv.extend(arguments(plan, places)?);
        let working_directory = plan.working_directory.as_deref().map(c_string);
        Ok(Steps {
            streams,
            shares: self.shares,
            // In a session of its own it would yield to nobody else's processes.
            begins_session: plan.process_limits.nice.is_none(),
            credentials: who.credentials.clone(),
            confinement,
            joins: Joins::default(),
            is_bound: false,
            view: None,
            directory: match working_directory.transpose()? {
                Some(path) => Directory::Path(path),
                None => Directory::Opened(
                    executable.directory,
                    executable::absolute(&self.root.path, &plan.folder, "")?,
                ),
            },
            program: executable.program,
            argv: Strings::new(argv),
            envp: Strings::new(environment(plan, places, who, &self.zone)?),
        })
    }
}

/// A child that is to begin.
struct Outfit {
    /// All that it is given.
    steps: Steps,
    /// Where its standard output and error are read.
    pipes: [OwnedFd; 2],
    /// The script's.
    folder: Rc<OwnedFd>,
    /// What holds it.
    enforced: Enforced,
}

/// A keeper does as much as a cgroup where the script cannot end it, but shares nothing out.
fn note_tree(cgroup: Option<&Cgroup>, enforced: &mut Enforced) {
    if cgroup.is_some() || enforced.holds(Measure::Processes) {
        enforced.note(Measure::Tree, Ok(()));
    }
    if cgroup.is_some_and(Cgroup::shares_processors) {
        enforced.note(Measure::RunProcessors, Ok(()));
    }
}

/// Why an attempt was not started, and the folder that was made for it.
pub(super) struct Refused {
    pub(super) reason: Refusal,
    pub(super) scratch: Option<String>,
}

impl From<Refusal> for Refused {
    fn from(reason: Refusal) -> Self {
        Self {
            reason,
            scratch: None,
        }
    }
}

/// The read ends of standard output and error, and the script's standard streams.
fn streams(
    input: &[u8],
    owner: Option<&Credentials>,
) -> io::Result<([OwnedFd; 2], [Option<OwnedFd>; 3])> {
    let stdin = if input.is_empty() {
        None
    } else {
        Some(wire::seal(input)?)
    };
    let (stdout, own_stdout) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr, own_stderr) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let own = [stdin, Some(own_stdout), Some(own_stderr)];
    // Without owning them a script could not open /dev/stdout or /dev/stdin again.
    if let Some(owner) = owner {
        for fd in own.iter().flatten() {
            rustix::fs::fchown(fd, Some(owner.uid), Some(owner.gid))?;
        }
    }
    if let Some(stdin) = own.first().and_then(Option::as_ref) {
        rustix::fs::fchmod(stdin, Mode::RUSR)?;
    }
    Ok(([stdout, stderr], own))
}

fn resources(what: &str, error: &io::Error) -> Refusal {
    Refusal::Resources(format!("the runner could not {what}: {error}"))
}
