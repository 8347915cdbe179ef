//! The values of a script's keys, one method for each that is more than a text.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use stagedoor_config::document::{Mark, Node, Problems, Table, Value};
use stagedoor_domain::name::ScriptName;
use stagedoor_domain::sandbox::{ProcessLimits, Sandbox};
use stagedoor_domain::script::{Launch, Limits, OutputFormat, Script, Source};

use super::{Context, Declared};
use crate::launch::is_inside;
use crate::machine::join;
use crate::{access, credentials, environment, keys, run_as, sandbox, texts};

pub(super) struct Reader<'a> {
    pub declared: &'a Declared,
    pub table: &'a Table,
    /// The path of its Python environment.
    pub venv: Option<String>,
    pub context: &'a Context<'a>,
    pub problems: &'a mut Problems,
}

type Launched = (
    stagedoor_domain::script::Launch,
    Option<stagedoor_domain::script::Fingerprint>,
);

impl Reader<'_> {
    /// Reads every key; the script is there only with a name and something to start.
    pub fn script(
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
        let credentials = credentials::read(self.table, &params, self.problems);
        let (timeout, stop_grace) = (self.timeout(), self.stop_grace());
        let (success_exit, (limits, process_limits)) = (self.success_exit(), self.limits());
        let (run_as, mut sandbox) = (self.run_as(), self.sandbox());
        if matches!(launch, Some((Launch::File { .. }, _))) {
            self.let_read_venv(&mut sandbox);
        }
        let output_format = self.output_format();
        let order = self
            .table
            .get("order")
            .and_then(|n| n.integer(i64::MIN, i64::MAX, self.problems));
        let access = self
            .table
            .get("access")
            .map(|node| access::read(node, self.problems));
        let lang: BTreeMap<_, _> = texts::translations(self.table, self.problems)
            .into_iter()
            .collect();
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
            output_format,
            disabled,
            launch,
            folder: self.declared.folder.clone(),
            working_directory,
            env,
            inherit_env,
            credentials,
            timeout,
            stop_grace,
            idempotent,
            success_exit,
            confirm,
            access: access.unwrap_or_default(),
            limits,
            process_limits,
            run_as,
            sandbox,
            lang,
            extra: self
                .table
                .get("extra")
                .map_or(serde_json::Value::Null, json),
            params,
            source: Source {
                file: self.declared.file.clone(),
                line: self.declared.mark.line(),
            },
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
            let problem = node
                .mark
                .problem("`docs` must be a file below the folder of the definition");
            self.problems
                .push(problem.mend("write a relative path without `..`, such as `docs/backup.md`"));
            return None;
        }
        let path = join(&self.declared.folder, &docs);
        if let Err(error) = self.context.machine.file(&path) {
            self.problems.push(
                node.mark
                    .problem(format!("`{docs}` cannot be shown: {error}")),
            );
        }
        Some(path)
    }

    fn disabled(&mut self) -> Option<String> {
        let node = self.table.get("disabled")?;
        if let Value::Flag(_) = node.value {
            let problem = node.mark.problem("`disabled` says why");
            self.problems.push(
                problem.mend("write `disabled = \"the reason that people read\"`, or take it out"),
            );
            return None;
        }
        node.full_text(self.problems)
    }

    fn working_directory(&mut self) -> Option<String> {
        let node = self.table.get("working_directory")?;
        let folder = node.full_text(self.problems)?;
        if !folder.starts_with('/') {
            let problem = node
                .mark
                .problem(format!("`{folder}` is not an absolute path"));
            self.problems.push(problem.mend(
                "write an absolute path; without this key the script starts in its own folder",
            ));
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
            self.problems
                .push(problem.mend("write a longer time, or `timeout = \"none\"`"));
        }
        Some(timeout)
    }

    fn stop_grace(&mut self) -> Duration {
        let own = self
            .table
            .get("stop_grace")
            .and_then(|node| node.duration(self.problems));
        own.unwrap_or(self.context.options.stop_grace)
    }

    fn success_exit(&mut self) -> Vec<i32> {
        let Some(node) = self.table.get("success_exit") else {
            return vec![0];
        };
        let items = node.list("[0]", self.problems).unwrap_or_default();
        if items.is_empty() {
            self.problems.push(
                node.mark
                    .problem("no exit code means success")
                    .mend("write it as `[0]`"),
            );
        }
        let codes = items
            .iter()
            .filter_map(|item| item.integer(0, 255, self.problems));
        codes.filter_map(|code| i32::try_from(code).ok()).collect()
    }

    fn run_as(&mut self) -> Option<String> {
        let node = self.table.get("run_as")?;
        let (folder, permits) = (&self.declared.folder, &self.context.options.permits);
        run_as::read(node, folder, permits, self.problems)
    }

    fn sandbox(&mut self) -> Sandbox {
        let node = self.table.get("sandbox");
        let (folder, permits) = (&self.declared.folder, &self.context.options.permits);
        node.map(|node| sandbox::read(node, folder, permits, self.problems))
            .unwrap_or_default()
    }

    /// What starts a script must be readable for it. A link may lead there; the runner follows none.
    fn let_read_venv(&self, sandbox: &mut Sandbox) {
        let real = self
            .venv
            .as_ref()
            .and_then(|venv| fs::canonicalize(venv).ok());
        let real = real.and_then(|path| path.into_os_string().into_string().ok());
        if let (Some(paths), Some(real)) = (&mut sandbox.read, real)
            && !paths.contains(&real)
        {
            paths.push(real);
        }
    }

    fn limits(&mut self) -> (Limits, ProcessLimits) {
        let node = self.table.get("limits");
        let Some(table) = node.and_then(|n| n.table("{ running = 1 }", self.problems)) else {
            return Default::default();
        };
        keys::check_limits(table, self.problems);
        let limits = Limits {
            running: table.get("running").and_then(|n| n.count(1, self.problems)),
            queued: table.get("queued").and_then(|n| n.count(0, self.problems)),
            output: table.get("output").and_then(|n| n.some_size(self.problems)),
        };
        let (folder, permits) = (&self.declared.folder, &self.context.options.permits);
        let of_machine = sandbox::process_limits(table, folder, permits, self.problems);
        (limits, of_machine)
    }

    fn output_format(&mut self) -> OutputFormat {
        let Some(node) = self.table.get("output_format") else {
            return OutputFormat::Text;
        };
        let Some(format) = node.full_text(self.problems) else {
            return OutputFormat::Text;
        };
        let say = match format.as_str() {
            "text" => return OutputFormat::Text,
            "html" => return OutputFormat::Html,
            "csv" | "json" | "markdown" => {
                format!("`output_format = \"{format}\"` is not in this version yet")
            }
            _ => format!("`{format}` is not a format of output"),
        };
        let mend = "write `output_format = \"text\"` or `\"html\"`, or take it out";
        self.problems.push(node.mark.problem(say).mend(mend));
        OutputFormat::Text
    }
}

pub(super) fn check_variable(name: &str, mark: &Mark, problems: &mut Problems) {
    if !environment::is_name(name) {
        let problem = mark.problem(format!(
            "`{name}` is not the name of an environment variable"
        ));
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
            serde_json::Value::Object(
                entries
                    .map(|(k, e)| (k.to_owned(), json(&e.node)))
                    .collect(),
            )
        }
    }
}
