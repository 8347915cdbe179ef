//! What stands around every page: the bar with its links, and who is signed in.

use std::borrow::Cow;

use crate::assets::{Script, asset, script};
use crate::base_path::BasePath;
use crate::session::Me;
use crate::state::AppState;

/// Which link of the bar is the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Here {
    /// The catalog and the scripts' forms.
    Scripts,
    /// History and runs.
    Runs,
    /// Administration.
    Admin,
    /// One's own account.
    Account,
}

/// Who is signed in, as the bar shows it.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Their name.
    pub name: String,
    /// Whether they see administration.
    pub admin: bool,
}

/// The frame of a page.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    /// Before every address of the page.
    pub base: BasePath,
    /// Addresses of static files, by their names in the templates.
    pub style: Cow<'static, str>,
    /// The icon.
    pub icon: Cow<'static, str>,
    /// The script that shows times in the viewer's zone.
    pub times: Script,
    /// The script that shows a password.
    pub show: Script,
    /// Nobody on the pages before signing in.
    pub person: Option<Person>,
    /// The current link.
    pub here: Option<Here>,
    /// The one-time token of this page's forms; only one of them can be sent.
    pub token: String,
}

impl Shell {
    /// For a signed-in user.
    pub fn of(state: &AppState, me: &Me, here: Here) -> Self {
        let Me(signed_in) = me;
        Self {
            person: Some(Person {
                name: signed_in.user.name.to_string(),
                admin: state.app.administers(&signed_in.user).is_ok(),
            }),
            here: Some(here),
            ..Self::outside(&state.base, state.app.csrf().mint(&signed_in.session))
        }
    }

    /// For somebody who is not signed in.
    pub fn outside(base: &BasePath, token: String) -> Self {
        Self {
            base: base.clone(),
            style: asset("style.css"),
            icon: asset("door.svg"),
            times: script("times.js"),
            show: script("show.js"),
            person: None,
            here: None,
            token,
        }
    }

    /// Is this the current link?
    pub fn is(&self, name: &str) -> bool {
        matches!(
            (self.here, name),
            (Some(Here::Scripts), "scripts")
                | (Some(Here::Runs), "runs")
                | (Some(Here::Admin), "admin")
                | (Some(Here::Account), "account")
        )
    }
}
