//! `stagedoor may`: whether somebody may do something, and which rule decides.

use anyhow::{Context as _, bail};
use stagedoor_app::may::{Answer, Question};
use stagedoor_domain::access::{Action, Grants};
use stagedoor_domain::name::ScriptName;

use crate::args::{FolderOption, MayOptions, StateOption};
use crate::database::{block_on, find_user, open, read_folder};
use crate::{EXIT_FAILED, EXIT_OK};

pub fn may(state: &StateOption, folder: &FolderOption, asked: &MayOptions) -> anyhow::Result<u8> {
    let question = question(asked)?;
    let folder = read_folder(folder)?;
    folder.tell();
    if folder.is_empty() && matches!(question, Question::Script(..)) {
        bail!("it cannot be told without the scripts");
    }
    let store = open(state)?.store;
    let answer: Answer = block_on(async {
        let mut record = find_user(&store, &asked.user).await?;
        if folder.command_names_admins {
            record.user = record.user.trusted();
        }
        let stored = store.grants().await?.grants;
        let grants = Grants(folder.grants.0.into_iter().chain(stored).collect());
        Ok(question.answer(&record, &folder.scripts, &grants))
    })?;
    println!("{}: {}", if answer.may { "yes" } else { "no" }, answer.why);
    Ok(if answer.may { EXIT_OK } else { EXIT_FAILED })
}

fn question(asked: &MayOptions) -> anyhow::Result<Question> {
    let Some(action) = Action::parse(&asked.action) else {
        bail!(
            "`{}` is no action; use view, run, stop, output, schedule or admin",
            asked.action
        );
    };
    let script = asked.script.as_deref().map(|name| {
        ScriptName::parse(name).with_context(|| format!("`{name}` is not a script's name"))
    });
    match Question::new(action, script.transpose()?) {
        Some(question) => Ok(question),
        None if action == Action::Admin => bail!("`admin` is not about a script; leave it out"),
        None => bail!(
            "name the script too, as in: stagedoor may {} {} ops/backup",
            asked.user,
            asked.action
        ),
    }
}
