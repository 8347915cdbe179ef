//! What keeps a script from Stagedoor's own files and from the folders of other attempts, whatever its
//! account may.
//!
//! Root gives each folder for attempts a view of the file system of its own, in which nothing else
//! of this stands. An ordinary account could do that only in a user namespace, where every file of
//! root seems to belong to nobody and programs that look at owners refuse to work (ssh does); so
//! there, and in a container that lets root make no view, Landlock closes the way to them.

mod siblings;
mod views;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

use self::siblings::{Domain, Siblings};
use self::views::{View, Views};
use super::log::warn;
use super::settings::RunnerArgs;

/// How one attempt's folder is set apart. Kept with the folder, and used again with it.
pub(super) enum Hiding {
    /// A mount namespace.
    View(View),
    /// A Landlock ruleset.
    Domain(Domain),
}

/// Which of both there is here.
enum Means {
    Views(Views),
    Siblings(Siblings),
}

/// Where the runner listens, the rest of the state stands, too.
fn state_of(args: &RunnerArgs) -> PathBuf {
    args.socket.parent().unwrap_or(&args.socket).to_owned()
}

/// Makes what hides. The folders that it hides are those of [`Cover::open`].
pub(super) struct Cover {
    /// Why there is none, where neither can be had.
    means: Result<Means, String>,
}

impl Cover {
    /// Looks what there is.
    pub(super) fn open(args: &RunnerArgs) -> Self {
        let views = if rustix::process::geteuid().is_root() {
            Views::open(&state_of(args), args).map(Means::Views)
        } else {
            Err(io::Error::other("only root can make one"))
        };
        let means = views.or_else(|view| {
            Siblings::open(&state_of(args), args)
                .map(Means::Siblings)
                .map_err(|domain| {
                    format!("a view of its own cannot be made ({view}), and Landlock closes nothing here ({domain})")
                })
        });
        if let Err(why) = &means {
            warn(format_args!(
                "scripts are not kept from the folders of other runs: {why}"
            ));
        }
        Self { means }
    }

    /// Why nothing can be hidden.
    pub(super) fn lacks(&self) -> Option<&str> {
        self.means.as_ref().err().map(String::as_str)
    }

    /// Sets this folder apart, which is named so below that of [`Cover::open`]. None where that cannot
    /// be had on this machine.
    pub(super) fn around(&self, top: BorrowedFd<'_>, name: &str) -> io::Result<Option<Hiding>> {
        Ok(match &self.means {
            Ok(Means::Views(views)) => Some(Hiding::View(views.around(top, name)?)),
            Ok(Means::Siblings(siblings)) => Some(Hiding::Domain(siblings.around(top)?)),
            Err(_) => None,
        })
    }

    /// Whether what was made earlier still leaves open all that it is not to hide.
    pub(super) fn is_current(&self, hiding: &Hiding) -> bool {
        match (&self.means, hiding) {
            (Ok(Means::Siblings(siblings)), Hiding::Domain(domain)) => siblings.is_current(domain),
            (Ok(Means::Views(views)), Hiding::View(view)) => views.is_current(view),
            _ => true,
        }
    }
}

impl Hiding {
    /// The view to enter.
    pub(super) fn view(&self) -> Option<&Rc<OwnedFd>> {
        match self {
            Self::View(view) => Some(view.namespace()),
            Self::Domain(_) => None,
        }
    }

    /// The ruleset to be restricted by.
    pub(super) fn domain(&self) -> Option<&Rc<OwnedFd>> {
        match self {
            Self::View(_) => None,
            Self::Domain(domain) => Some(domain.ruleset()),
        }
    }
}
