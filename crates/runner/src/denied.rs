//! The words for what the account of a script may not enter or execute: a run that came to nothing and who
//! asks beforehand say the same.

/// `working_directory` of a definition, which cannot be entered.
pub fn working_directory(path: &str, account: &str, is_there: bool) -> String {
    if is_there {
        format!(
            "`working_directory` of its definition is `{path}`, and the account `{account}` cannot enter that: let it pass there and on the way (chmod o+x), or correct `working_directory`"
        )
    } else {
        format!(
            "`working_directory` of its definition is `{path}`, and there is no such folder: make it (mkdir {path}), or correct `working_directory`"
        )
    }
}

/// The script's own folder, below the folder of scripts.
pub fn folder(folder: &str, account: &str) -> String {
    format!(
        "the account `{account}` cannot enter the script's folder `{folder}`: let it pass (chmod o+x {folder})"
    )
}

/// The script's file, below the folder of scripts, which has the execute bit for others.
pub fn file(file: &str, account: &str) -> String {
    format!(
        "the script's file may not be executed by the account `{account}`, as which it runs: let everybody (chmod o+rx {file}), or give it a group with that right that both `{account}` and the server's account are in (chgrp GROUP {file})"
    )
}
