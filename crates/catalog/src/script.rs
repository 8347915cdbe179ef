//! From the keys of a definition to a [`Script`].

mod reader;

use stagedoor_config::document::{Mark, Node, Problems, Table};
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::script::Script;

use crate::folder::{FolderKeys, with_defaults};
use crate::launch::Launcher;
use crate::machine::Machine;
use crate::options::Options;
use crate::venv::Venv;
use crate::{keys, names, param};
use reader::{Reader, check_variable};

/// One definition as it was found, before its values are read.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    /// The script's own keys.
    pub keys: Table,
    /// Where it begins.
    pub mark: Mark,
    /// The file that holds it, relative to the root.
    pub file: String,
    /// That file's folder.
    pub folder: String,
    /// What the name's last part is without `name`.
    pub stem: String,
    /// The script file, unless it is a command.
    pub starts: Option<String>,
    /// `[[param]]` of a file with `[[script]]`.
    pub shared: Vec<Table>,
}

/// What reading needs beside the definition.
pub(crate) struct Context<'a> {
    pub machine: &'a dyn Machine,
    pub options: &'a Options,
    /// Absolute path of the root.
    pub root: &'a str,
    /// The definition's folder first, the root last.
    pub folders: Vec<&'a FolderKeys>,
}

impl Declared {
    /// The script's name, as far as it can be told from a definition that may be broken.
    pub fn name(&self, problems: &mut Problems) -> Option<ScriptName> {
        names::of(self, problems)
    }

    /// Reads everything. All problems are told; the script is there only if there is none.
    pub fn read(self, context: &Context<'_>, problems: &mut Problems) -> Option<Script> {
        keys::check_script(&self.keys, problems);
        let name = self.name(problems);
        let table = with_defaults(self.keys.clone(), context.folders.iter().copied());
        let env = table.get("env").map(|node| env(node, problems));
        let mut env = env.unwrap_or_default();
        let venv = Venv::read(&table, context.root, &self.folder, problems);
        if let Some(venv) = &venv {
            venv.extend(&mut env, &context.options.search_path);
        }
        let environment = venv.as_ref().map(|venv| venv.path.clone());
        let launcher = Launcher {
            machine: context.machine,
            root: context.root,
            folder: &self.folder,
            search_path: search_path(&env, context.options),
            venv,
            mark: &self.mark,
        };
        let launch = launcher.resolve(self.starts.as_deref(), &table, problems);
        let shared = self
            .shared
            .iter()
            .chain(context.folders.iter().flat_map(|f| &f.params));
        let params = param::read_all(&self.keys, &shared.collect::<Vec<_>>(), problems);
        let read = Reader {
            declared: &self,
            table: &table,
            venv: environment,
            context,
            problems,
        };
        let script = read.script(name, launch, env, params);
        if problems.is_empty() { script } else { None }
    }
}

/// Where bare names are looked for: in the script's own `PATH`, if it sets one.
fn search_path(env: &[(String, String)], options: &Options) -> Vec<String> {
    env.iter().find(|(name, _)| name == "PATH").map_or_else(
        || options.search_path.clone(),
        |(_, path)| path.split(':').map(str::to_owned).collect(),
    )
}

/// `env = { NAME = "constant" }`, in the order in which they stand.
fn env(node: &Node, problems: &mut Problems) -> Vec<(String, String)> {
    let Some(table) = node.table("{ NAME = \"value\" }", problems) else {
        return Vec::new();
    };
    let mut env = Vec::new();
    for (name, entry) in table.in_order() {
        check_variable(name, &entry.key, problems);
        if let Some(value) = entry.node.text(problems) {
            env.push((name.to_owned(), value));
        }
    }
    env
}
