//! From the keys of a definition to a [`Script`].

use std::collections::BTreeMap;
use std::time::Duration;

use stagedoor_config::document::{Mark, Node, Problems, Table, Value};
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::script::{Limits, Script, Source};

use crate::folder::{FolderKeys, with_defaults};
use crate::launch::{Launcher, is_inside};
use crate::machine::{Machine, join};
use crate::options::Options;
use crate::{access, environment, keys, names, param, texts};

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
        let env = table.get("env").map(|node| env(node, problems)).unwrap_or_default();
        let launcher = Launcher {
            machine: context.machine,
            root: context.root,
            folder: &self.folder,
            search_path: search_path(&env, context.options),
            mark: &self.mark,
        };
        let launch = launcher.resolve(self.starts.as_deref(), &table, problems);
        let shared = self.shared.iter().chain(context.folders.iter().flat_map(|f| &f.params));
        let params = param::read_all(&self.keys, &shared.collect::<Vec<_>>(), problems);
        let read = Reader { declared: &self, table: &table, context, problems };
        let script = read.script(name, launch, env, params);
        if problems.is_empty() { script } else { None }
    }
}

struct Reader<'a> {
    declared: &'a Declared,
    table: &'a Table,
    context: &'a Context<'a>,
    problems: &'a mut Problems,
}

type Launched = (stagedoor_domain::script::Launch, Option<stagedoor_domain::script::Fingerprint>);

impl Reader<'_> {
    fn script(
        mut self,
        name: Option<ScriptName>,
        launch: Option<Launched>,
        env: Vec<(String, String)>,
        params: Vec<stagedoor_domain::param::Param>,
    ) -> Option<Script> {
        let title = self.text("title");
        let description = self.text("description");
        let docs = self.docs();
        let (icon, tags) = (self.text("icon"), self.table.texts("tags", self.problems));
        let (disabled, confirm) = (self.disabled(), self.text("confirm"));
        let (working_directory, inherit_env) = (self.working_directory(), self.inherit_env());
        let (timeout, stop_grace) = (self.timeout(), self.stop_grace());
        let (success_exit, limits) = (self.success_exit(), self.limits());
        self.output_format();
        let order = self.table.get("order").and_then(|n| n.integer(i64::MIN, i64::MAX, self.problems));
        let access = self.table.get("access").map(|node| access::read(node, self.problems));
        let lang: BTreeMap<_, _> = texts::translations(self.table, self.problems).into_iter().collect();
        let (hidden, idempotent) = (self.flag("hidden"), self.flag("idempotent"));
        let (name, (launch, fingerprint)) = (name?, launch?);
        Some(Script {
            title: title.unwrap_or_else(|| texts::title_of(name.last())),
            name,
            description,
            docs,
            icon,
            tags: tags.unwrap_or_default(),
            order: order.unwrap_or(0),
            hidden,
            disabled,
            launch,
            folder: self.declared.folder.clone(),
            working_directory,
            env,
            inherit_env,
            timeout,
            stop_grace,
            idempotent,
            success_exit,
            confirm,
            access: access.unwrap_or_default(),
            limits,
            lang,
            extra: self.table.get("extra").map_or(serde_json::Value::Null, json),
            params,
            source: Source { file: self.declared.file.clone(), line: self.declared.mark.line() },
            fingerprint,
        })
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.table.text(key, self.problems)
    }

    fn flag(&mut self, key: &str) -> bool {
        self.table.flag(key, self.problems).unwrap_or(false)
    }

    /// `docs` is a file below the folder; its path is kept relative to the root.
    fn docs(&mut self) -> Option<String> {
        let node = self.table.get("docs")?;
        let docs = node.full_text(self.problems)?;
        if !is_inside(&docs) {
            let problem = node.mark.problem("`docs` must be a file below the folder of the definition");
            self.problems.push(problem.mend("write a relative path without `..`, such as `docs/backup.md`"));
            return None;
        }
        let path = join(&self.declared.folder, &docs);
        if let Err(error) = self.context.machine.file(&path) {
            self.problems.push(node.mark.problem(format!("`{docs}` cannot be shown: {error}")));
        }
        Some(path)
    }

    fn disabled(&mut self) -> Option<String> {
        let node = self.table.get("disabled")?;
        if let Value::Flag(_) = node.value {
            let problem = node.mark.problem("`disabled` says why");
            self.problems.push(problem.mend("write `disabled = \"the reason that people read\"`, or take it out"));
            return None;
        }
        node.full_text(self.problems)
    }

    fn working_directory(&mut self) -> Option<String> {
        let node = self.table.get("working_directory")?;
        let folder = node.full_text(self.problems)?;
        if !folder.starts_with('/') {
            let problem = node.mark.problem(format!("`{folder}` is not an absolute path"));
            self.problems.push(problem.mend("write an absolute path; without this key the script starts in its own folder"));
        }
        Some(folder)
    }

    fn inherit_env(&mut self) -> Vec<String> {
        let Some(node) = self.table.get("inherit_env") else {
            return Vec::new();
        };
        let names = node.texts(self.problems).unwrap_or_default();
        for name in &names {
            check_variable(name, &node.mark, self.problems);
        }
        names
    }

    fn timeout(&mut self) -> Option<Duration> {
        let Some(node) = self.table.get("timeout") else {
            return self.context.options.timeout;
        };
        if matches!(&node.value, Value::Text(text) if text == "none") {
            return None;
        }
        let timeout = node.duration(self.problems)?;
        if timeout.is_zero() {
            let problem = node.mark.problem("a run cannot end before it begins");
            self.problems.push(problem.mend("write a longer time, or `timeout = \"none\"`"));
        }
        Some(timeout)
    }

    fn stop_grace(&mut self) -> Duration {
        let own = self.table.get("stop_grace").and_then(|node| node.duration(self.problems));
        own.unwrap_or(self.context.options.stop_grace)
    }

    fn success_exit(&mut self) -> Vec<i32> {
        let Some(node) = self.table.get("success_exit") else {
            return vec![0];
        };
        let items = node.list("[0]", self.problems).unwrap_or_default();
        if items.is_empty() {
            self.problems.push(node.mark.problem("no exit code means success").mend("write it as `[0]`"));
        }
        let codes = items.iter().filter_map(|item| item.integer(0, 255, self.problems));
        codes.filter_map(|code| i32::try_from(code).ok()).collect()
    }

    fn limits(&mut self) -> Limits {
        let node = self.table.get("limits");
        let Some(table) = node.and_then(|n| n.table("{ running = 1 }", self.problems)) else {
            return Limits::default();
        };
        keys::LIMITS.check(table, self.problems);
        Limits {
            running: table.get("running").and_then(|n| n.count(1, self.problems)),
            queued: table.get("queued").and_then(|n| n.count(0, self.problems)),
            output: table.get("output").and_then(|n| n.size(self.problems)),
        }
    }

    fn output_format(&mut self) {
        const LATER: [&str; 4] = ["csv", "json", "markdown", "html"];
        let Some(node) = self.table.get("output_format") else { return };
        let Some(format) = node.full_text(self.problems) else { return };
        if LATER.contains(&format.as_str()) {
            let problem = node.mark.problem(format!("`output_format = \"{format}\"` is not in this version yet"));
            self.problems.push(problem.mend("write `output_format = \"text\"`, or take it out"));
        } else if format != "text" {
            let problem = node.mark.problem(format!("`{format}` is not a format of output"));
            self.problems.push(problem.mend("write `output_format = \"text\"`"));
        }
    }
}

/// Where bare names are looked for: in the script's own `PATH`, if it sets one.
fn search_path(env: &[(String, String)], options: &Options) -> Vec<String> {
    env.iter()
        .find(|(name, _)| name == "PATH")
        .map_or_else(|| options.search_path.clone(), |(_, path)| path.split(':').map(str::to_owned).collect())
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

fn check_variable(name: &str, mark: &Mark, problems: &mut Problems) {
    if !environment::is_name(name) {
        let problem = mark.problem(format!("`{name}` is not the name of an environment variable"));
        problems.push(problem.mend("use letters, digits and `_`, beginning with no digit"));
    } else if name.starts_with("STAGEDOOR_") || name == "CREDENTIALS_DIRECTORY" {
        let problem = mark.problem(format!("`{name}` is set by Stagedoor itself"));
        problems.push(problem.mend("choose another name"));
    }
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Text(text) | Value::Time(text) => text.clone().into(),
        Value::Integer(number) => (*number).into(),
        // Infinity and not-a-number have no JSON; they stay as they were written.
        Value::Float(text) => text
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map_or_else(|| text.clone().into(), serde_json::Value::Number),
        Value::Flag(on) => (*on).into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Table(table) => {
            let entries = table.in_order().into_iter();
            serde_json::Value::Object(entries.map(|(k, e)| (k.to_owned(), json(&e.node))).collect())
        }
    }
}
