//! A command of the operator that knows passwords (row W30).
//!
//! The runner starts it, for the server can start nothing: with an argument vector and no shell, as
//! the scripts' account, in the folder `/`. It is given `{"user","password","address"}` on standard
//! input, never as an argument or variable, and answers `{"user","groups"}` with exit code 0. Whatever
//! else it does, too late, too much, another user, is a refusal.

mod answer;
mod asking;
mod complaint;
mod no_answer;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use stagedoor_domain::access::User;
use stagedoor_domain::audit::{Act, Origin};
use stagedoor_domain::name::{GroupName, UserName};
use stagedoor_store::{AddUserError, ChangeUserError, UserRecord};

use crate::app::App;
use crate::password::{Password, is_too_long};
use crate::people::SignInError;

pub(crate) use asking::External;
use no_answer::NoAnswer;

/// The command and what it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalCommand {
    /// An absolute path, then arguments.
    pub argv: Vec<String>,
    /// It is killed then.
    pub timeout: Duration,
    /// Who it says is in `admins`, is; and grants of `admin` count for groups that it names.
    pub may_name_admins: bool,
}

impl App {
    /// Whom the command knows by this name and password. Their account is made at the first time,
    /// and its groups are those of the answer each time.
    pub(crate) async fn ask_command(
        &self,
        command: Arc<ExternalCommand>,
        name: &str,
        record: Option<UserRecord>,
        password: Password,
        address: IpAddr,
    ) -> Result<Option<User>, SignInError> {
        let Ok(name) = UserName::parse(name) else {
            return Ok(None);
        };
        if is_too_long(&password) {
            return Ok(None);
        }
        let question = serde_json::json!({
            "user": name.as_str(),
            "password": password.expose_secret(),
            "address": address.to_canonical().to_string(),
        });
        let may_name_admins = command.may_name_admins;
        let said = self.ask(command, question.to_string().into_bytes(), address);
        let said = said.await?.and_then(|said| Ok(answer::read(&said, &name)?));
        let mut groups = match said {
            Ok(groups) => groups,
            Err(NoAnswer::Wrong) => {
                tracing::debug!("the sign-in command refused somebody");
                return Ok(None);
            }
            Err(why) => {
                self.tell_of_no_answer(&why, &password, record.is_none().then_some(&name));
                return Ok(None);
            }
        };
        let named = groups.len();
        groups.retain(|group| may_name_admins || group.as_str() != GroupName::ADMINS);
        if groups.len() < named {
            tracing::warn!(user = %name, "the sign-in command named an administrator, and may not");
        }
        match record {
            // Looked at as long as everybody else.
            Some(record) if record.disabled => Ok(None),
            Some(record) => self.regroup(record, groups, address).await,
            None => self.first_time(name, groups, address).await,
        }
    }

    /// For the operator, who has to mend it; now and then, however many sign in meanwhile.
    fn tell_of_no_answer(&self, why: &NoAnswer, password: &Password, nobody: Option<&UserName>) {
        let now = self.clock().monotonic();
        let Some(left_out) = self.inner.external.complaints.due(why.kind(), now) else {
            return;
        };
        let said = complaint::shown(why.complaint(), password, nobody);
        tracing::error!(
            %why,
            said,
            left_out,
            "the sign-in command gave no answer; nobody was let in"
        );
    }

    async fn regroup(
        &self,
        record: UserRecord,
        groups: BTreeSet<GroupName>,
        address: IpAddr,
    ) -> Result<Option<User>, SignInError> {
        if record.user.groups == groups {
            return Ok(Some(self.as_set(record.user)));
        }
        let (id, name) = (record.user.id, record.user.name);
        let entry = self.entry(Act::GroupsSet, &Origin::stranger(address));
        let entry = entry.on(name.as_str()).with("by", "sign-in command");
        match self.recorded(entry).set_external_groups(id, groups).await {
            Ok(()) => self.external_account(&name).await,
            Err(ChangeUserError::Store(error)) => Err(error.into()),
            Err(error @ (ChangeUserError::Absent | ChangeUserError::LastAdmin)) => {
                tracing::error!(user = %name, %error, "could not take over groups; nobody was let in");
                Ok(None)
            }
        }
    }

    async fn first_time(
        &self,
        name: UserName,
        groups: BTreeSet<GroupName>,
        address: IpAddr,
    ) -> Result<Option<User>, SignInError> {
        let entry = self.entry(Act::UserAdded, &Origin::stranger(address));
        let entry = entry.on(name.as_str()).with("by", "sign-in command");
        let (store, now) = (self.recorded(entry), self.clock().now());
        match store.add_external_user(name.clone(), groups, now).await {
            // Another sign-in was faster.
            Ok(_) | Err(AddUserError::NameTaken) => self.external_account(&name).await,
            Err(AddUserError::Store(error)) => Err(error.into()),
        }
    }

    /// Never a local account that was made meanwhile.
    async fn external_account(&self, name: &UserName) -> Result<Option<User>, SignInError> {
        let record = self.inner.store.user_by_name(name).await?;
        let record = record.filter(|record| record.is_external && !record.disabled);
        Ok(record.map(|record| self.as_set(record.user)))
    }
}
