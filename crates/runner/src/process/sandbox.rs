//! What holds a script beside its account: which measures there are here, and which of them a script
//! is given. All that can fail is done before its process begins; see `child` for the order there.

mod calls;
mod domain;
mod limits;
mod turns;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use rustix::process::{Resource, Rlimit};
use stagedoor_domain::sandbox::{Enforced, Level, Measure, Network, Sandbox};

pub(super) use self::calls::Filter;
use self::domain::{Domains, Own};
pub(super) use self::domain::{FILES, SYSTEM, file_type, with_scopes};
use self::limits::Given;
use self::turns::Turns;
use super::cgroup::controls::Share;
use super::hiding::Hiding;
use super::log::warn;
use crate::protocol::{Plan, Refusal};

/// What this machine has to hold scripts with; made once.
pub(super) struct Kit {
    domains: Domains,
    /// Why there is none, where the kernel takes no filters.
    filters: Result<Filters, String>,
    /// Every script inherits the baseline and the lack of privileges from the runner. Else each is given
    /// them when it starts, because the operator permits that some go without.
    inherits: bool,
    given: Given,
}

struct Filters {
    baseline: Rc<Filter>,
    strict: Rc<Filter>,
    without_network: Rc<Filter>,
    plain_tcp: Rc<Filter>,
}

/// What a child does to itself before it executes. Made by [`Kit::fit`].
pub(super) struct Confinement {
    /// In this order.
    pub(super) limits: Vec<(Resource, Rlimit)>,
    pub(super) nice: Option<i32>,
    pub(super) turns: Option<Turns>,
    pub(super) no_new_privileges: bool,
    pub(super) no_speculation: bool,
    /// Rulesets, in this order.
    pub(super) domains: [Option<Rc<OwnedFd>>; 2],
    /// In this order.
    pub(super) filters: Vec<Rc<Filter>>,
}

impl Confinement {
    /// Limits, and nothing else.
    pub(super) fn with_limits(limits: Vec<(Resource, Rlimit)>) -> Self {
        Self {
            limits,
            nice: None,
            turns: None,
            no_new_privileges: false,
            no_speculation: false,
            domains: [None, None],
            filters: Vec::new(),
        }
    }
}

/// What a script is started with, as far as its confinement asks for it.
pub(super) struct Frame<'a> {
    /// Its folder, opened.
    pub(super) folder: BorrowedFd<'a>,
    /// The attempt's own.
    pub(super) scratch: &'a Path,
    /// How that is set apart from those of others, or why it is not.
    pub(super) hiding: Result<&'a Hiding, String>,
    /// What its cgroup holds for all of its processes together.
    pub(super) shares: Share,
    /// Whether what was checked is what runs, or why not; none where nothing is checked.
    pub(super) pinned: Option<Result<(), String>>,
}

impl Kit {
    /// Looks what there is, and gives the runner what all scripts inherit from it: nothing, if some are
    /// permitted to go without.
    pub(super) fn open(some_go_without: bool, open_files: Rlimit) -> std::io::Result<Self> {
        let mut filters = make_filters();
        if !some_go_without {
            // No setuid bit gives a script anything back. The runner executes nothing itself.
            rustix::thread::set_no_new_privs(true)?;
            let installed = filters.as_ref().map(|filters| filters.baseline.install());
            if let Ok(Err(errno)) = installed {
                filters = Err(format!(
                    "the kernel takes no filter of system calls: {errno}"
                ));
            }
        }
        if let Err(why) = &filters {
            warn(format_args!(
                "scripts are not kept from system calls: {why}"
            ));
        }
        Ok(Self {
            domains: Domains::open(),
            filters,
            inherits: !some_go_without,
            given: Given::now(open_files),
        })
    }

    /// What this plan's script is held by, and what of the wish is not to be had here.
    pub(super) fn fit(
        &self,
        plan: &Plan,
        frame: Frame<'_>,
    ) -> Result<(Confinement, Enforced), Refusal> {
        let sandbox = &plan.sandbox;
        let mut enforced = Enforced::of(sandbox.level);
        let confines = sandbox.level > Level::None;
        if confines || self.inherits {
            enforced.note(Measure::Privileges, Ok(()));
            enforced.note(Measure::Calls, self.has_filters());
        }
        let limits = self.given.limits(&plan.process_limits, frame.shares);
        let nice = plan
            .process_limits
            .nice
            .map(|nice| self.given.nice.max(i32::from(nice)));
        let mut confinement = Confinement {
            nice,
            turns: Turns::long(nice.unwrap_or(self.given.nice)),
            no_new_privileges: confines && !self.inherits,
            no_speculation: confines,
            ..Confinement::with_limits(limits)
        };
        if confines {
            confinement.filters = self.filters_of(sandbox, &mut enforced);
            self.note_domain(sandbox, &mut enforced);
            let own = Own {
                script: frame.folder,
                working_directory: plan.working_directory.as_deref().map(Path::new),
                scratch: frame.scratch,
            };
            let hides = frame
                .hiding
                .as_ref()
                .ok()
                .and_then(|hiding| hiding.domain());
            let ruleset = self.domains.of(sandbox, &own)?;
            // Each holds processes apart, so that the one that all have is needed only where no other is.
            let shared = self.domains.common().filter(|_| ruleset.is_none());
            confinement.domains = [hides.or(shared).cloned(), ruleset.map(Rc::new)];
        }
        let has_domain = confinement.domains.iter().any(Option::is_some);
        enforced.note(Measure::Hidden, is_hidden(frame.hiding, has_domain));
        limits::note(&plan.process_limits, frame.shares, &mut enforced);
        demand(sandbox, &enforced)?;
        if let Some(pinned) = frame.pinned {
            enforced.note(Measure::Pinned, pinned);
        }
        Ok((confinement, enforced))
    }

    fn has_filters(&self) -> Result<(), String> {
        self.filters.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn filters_of(&self, sandbox: &Sandbox, enforced: &mut Enforced) -> Vec<Rc<Filter>> {
        let mut wanted = Vec::new();
        if sandbox.level == Level::Strict {
            enforced.note(Measure::StrictCalls, self.has_filters());
        }
        if sandbox.network == Network::Off {
            enforced.note(Measure::NetworkOff, self.has_filters());
        }
        let Ok(filters) = &self.filters else {
            return wanted;
        };
        if !self.inherits {
            wanted.push(Rc::clone(&filters.baseline));
        }
        match sandbox.network {
            Network::All => {}
            Network::Off => wanted.push(Rc::clone(&filters.without_network)),
            Network::Ports(_) => wanted.push(Rc::clone(&filters.plain_tcp)),
        }
        if sandbox.level == Level::Strict {
            wanted.push(Rc::clone(&filters.strict));
        }
        wanted
    }

    fn note_domain(&self, sandbox: &Sandbox, enforced: &mut Enforced) {
        let mut wanted = vec![Measure::Processes];
        wanted.extend(sandbox.read.as_ref().map(|_| Measure::Read));
        wanted.extend(sandbox.write.as_ref().map(|_| Measure::Write));
        if matches!(sandbox.network, Network::Ports(_)) {
            wanted.push(Measure::NetworkPorts);
        }
        for measure in wanted {
            let here = self.domains.lacks(measure).map_or(Ok(()), Err);
            // Landlock looks at one way to a port, and a filter closes the others.
            let here = match measure {
                Measure::NetworkPorts => here.and_then(|()| self.has_filters()),
                _ => here,
            };
            enforced.note(measure, here);
        }
    }
}

fn make_filters() -> Result<Filters, String> {
    let made = || {
        Ok(Filters {
            baseline: Rc::new(Filter::baseline()?),
            strict: Rc::new(Filter::strict()?),
            without_network: Rc::new(Filter::without_network()?),
            plain_tcp: Rc::new(Filter::plain_tcp()?),
        })
    };
    made().map_err(|error: seccompiler::BackendError| error.to_string())
}

/// A view alone is not enough: who may look into another process of its account sees through its eyes.
fn is_hidden(hiding: Result<&Hiding, String>, has_domain: bool) -> Result<(), String> {
    hiding?;
    if has_domain {
        return Ok(());
    }
    Err(
        "a script can look through other processes of its account here, which Landlock closes"
            .to_owned(),
    )
}

/// A floor is a floor: what was asked for holds, or nothing is started.
fn demand(sandbox: &Sandbox, enforced: &Enforced) -> Result<(), Refusal> {
    let missing = enforced.missing.first().filter(|_| sandbox.required);
    missing.map_or(Ok(()), |(measure, why)| {
        Err(Refusal::Confinement(format!(
            "its definition demands that it {} (`sandbox.required`), which cannot be had here: {why}",
            measure.says()
        )))
    })
}
