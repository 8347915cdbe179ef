//! What a good definition becomes.

use std::time::Duration;

use stagedoor_domain::access::{Verb, Who};
use stagedoor_domain::param::{Kind, Multiple, Param, Pass, Value};
use stagedoor_domain::sandbox::{Level, Network, ProcessLimits, Sandbox};
use stagedoor_domain::script::{Launch, OutputFormat, Script};

use crate::folder::{ScriptFolder, shell};

fn read(toml: &str) -> Script {
    let folder = ScriptFolder::with(&[("backup.sh", &shell(toml))]);
    (*folder.script("backup")).clone()
}

fn param(toml: &str) -> Param {
    read(&format!("[[param]]\n{toml}")).params.remove(0)
}

#[test]
fn a_definition_without_keys_gets_every_default() {
    let script = read("");
    assert_eq!(script.title, "Backup");
    assert_eq!(script.timeout, Some(Duration::from_hours(1)));
    assert_eq!(script.stop_grace, Duration::from_secs(10));
    assert_eq!(script.success_exit, [0]);
    assert!(!script.hidden && !script.idempotent && script.disabled.is_none());
    assert!(script.access.rules.is_empty() && script.params.is_empty());
    assert_eq!(
        script.launch,
        Launch::File {
            file: "backup.sh".to_owned(),
            interpreter: vec![]
        }
    );
    assert!(script.fingerprint.is_some());
    assert_eq!(
        (script.source.file.as_str(), script.source.line),
        ("backup.sh", 2)
    );
}

#[test]
fn every_key_of_a_script_is_read() {
    let folder = ScriptFolder::with(&[
        ("ops/docs/b.md", "# Help\n"),
        (
            "ops/backup.sh",
            &shell(
                "name = 'dump'\ntitle = 'Back up'\ndescription = '**D**'\ndocs = 'docs/b.md'\nicon = 'disk'\n\
             tags = ['db']\norder = -3\nhidden = true\ndisabled = 'moving'\ninterpreter = ['sh', '-e']\n\
             working_directory = '/srv'\nenv = { B = '1', A = '' }\ninherit_env = ['LC_ALL']\ncredentials = { key = 'ops/db-key' }\ntimeout = '1h30m'\n\
             stop_grace = '5s'\nidempotent = true\nsuccess_exit = [0, 3]\nconfirm = 'Sure?'\noutput_format = 'html'\n\
             limits = { running = 1, queued = 0, output = '1MiB' }\naccess = { run = ['ops', 'user:ann'], view = [] }\n\
             lang.de = { title = 'Sichern' }\nextra = { owner = 'db', n = 1, f = 1.5, at = 2026-01-02, l = [true] }",
            ),
        ),
    ]);
    let s = folder.script("ops/dump");
    assert_eq!(
        (
            s.title.as_str(),
            s.description.as_deref(),
            s.icon.as_deref()
        ),
        ("Back up", Some("**D**"), Some("disk"))
    );
    assert_eq!(s.docs.as_deref(), Some("ops/docs/b.md"));
    assert_eq!(
        (s.tags.as_slice(), s.order, s.hidden),
        (["db".to_owned()].as_slice(), -3, true)
    );
    assert_eq!(s.disabled.as_deref(), Some("moving"));
    assert_eq!(s.output_format, OutputFormat::Html);
    assert_eq!(s.working_directory.as_deref(), Some("/srv"));
    assert_eq!(
        s.env,
        [
            ("B".to_owned(), "1".to_owned()),
            ("A".to_owned(), String::new())
        ]
    );
    assert_eq!(s.inherit_env, ["LC_ALL"]);
    let credentials = s.credentials.iter();
    let credentials: Vec<_> = credentials
        .map(|c| (c.name.as_str(), c.secret.as_str()))
        .collect();
    assert_eq!(credentials, [("key", "ops/db-key")]);
    assert_eq!(
        (s.timeout, s.stop_grace),
        (Some(Duration::from_mins(90)), Duration::from_secs(5))
    );
    assert_eq!(
        (s.idempotent, s.success_exit.as_slice()),
        (true, [0, 3].as_slice())
    );
    assert_eq!(s.confirm.as_deref(), Some("Sure?"));
    assert_eq!(
        (s.limits.running, s.limits.queued, s.limits.output),
        (Some(1), Some(0), Some(1 << 20))
    );
    let run = s
        .access
        .rules
        .iter()
        .find(|rule| rule.verb == Verb::Run)
        .expect("run");
    assert!(matches!(run.who.as_slice(), [Who::Group(_), Who::User(_)]));
    assert_eq!(
        s.lang.get("de").and_then(|t| t.title.as_deref()),
        Some("Sichern")
    );
    assert_eq!(
        s.extra,
        serde_json::json!({"owner": "db", "n": 1, "f": 1.5, "at": "2026-01-02", "l": [true]})
    );
    let Launch::File { file, interpreter } = &s.launch else {
        panic!("{:?}", s.launch)
    };
    assert_eq!(file, "backup.sh");
    assert!(interpreter[0].ends_with("/sh") && interpreter[1] == "-e");
}

#[test]
fn a_sandbox_and_limits_of_processes_are_read_with_what_their_level_implies() {
    let s = read("");
    assert_eq!(s.sandbox, Sandbox::default());
    assert_eq!(s.process_limits, ProcessLimits::default());
    let s = read("sandbox = { level = 'strict' }");
    assert_eq!(
        (s.sandbox.level, &s.sandbox.network),
        (Level::Strict, &Network::Off)
    );
    assert_eq!((s.sandbox.write, s.sandbox.read), (Some(Vec::new()), None));
    let s = read(
        "sandbox = { level = 'strict', network = [443, 53, 443], read = ['/srv/in'], write = ['/srv/out'], required = true }",
    );
    assert_eq!(s.sandbox.network, Network::Ports(vec![53, 443]));
    assert_eq!(s.sandbox.read.as_deref(), Some(&["/srv/in".to_owned()][..]));
    assert_eq!(
        s.sandbox.write.as_deref(),
        Some(&["/srv/out".to_owned()][..])
    );
    assert!(s.sandbox.required);
    let s = read("sandbox = { network = false }");
    assert_eq!(
        (s.sandbox.level, s.sandbox.network),
        (Level::Standard, Network::Off)
    );
    assert_eq!(s.sandbox.write, None);
    let s = read(
        "limits = { memory = '1GiB', cpu = '2m', processes = 50, file_size = '1MB', open_files = 64, nice = 5 }",
    );
    let wanted = ProcessLimits {
        memory: Some(1 << 30),
        cpu: Some(Duration::from_mins(2)),
        processes: Some(50),
        file_size: Some(1_000_000),
        open_files: Some(64),
        nice: Some(5),
    };
    assert_eq!(s.process_limits, wanted);
}

#[test]
fn w4_python_is_started_without_the_environments_and_the_homes_modules() {
    let python = |keys: &str| {
        let s = read(keys);
        let Launch::File { interpreter, .. } = s.launch else {
            panic!("{:?}", s.launch)
        };
        (interpreter, s.env)
    };
    let (words, env) = python("interpreter = ['python3', '-X', 'utf8']");
    assert!(words[0].ends_with("/python3"), "{words:?}");
    assert_eq!(words[1..], ["-E", "-s", "-B", "-X", "utf8"]);
    assert!(env.is_empty());
    assert_eq!(python("interpreter = ['sh', '-e']").0[1..], ["-e"]);

    let folder = ScriptFolder::with(&[
        ("tools/env/bin/python", "#!/bin/sh\n"),
        ("tools/report.py", &shell("venv = './env'")),
    ]);
    let s = folder.script("tools/report");
    let Launch::File { interpreter, .. } = &s.launch else {
        panic!("{:?}", s.launch)
    };
    let venv = interpreter[0].strip_suffix("/bin/python").expect("its own");
    assert!(venv.ends_with("/tools/env"), "{venv}");
    assert_eq!(interpreter[1..], ["-E", "-s", "-B"]);
    let of = |name: &str| {
        s.env
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
    };
    assert_eq!(of("VIRTUAL_ENV").as_deref(), Some(venv));
    let path = of("PATH").expect("a path");
    assert!(
        path.starts_with(&format!("{venv}/bin:/usr/local/sbin:")),
        "{path}"
    );
}

#[test]
fn a_script_that_names_one_bound_keeps_the_others_of_its_folder() {
    let folder = ScriptFolder::with(&[
        (
            "_folder.stagedoor.toml",
            "[defaults]\nsandbox = { level = 'strict', required = true, read = ['/srv/in'] }\nlimits = { memory = '1GiB', cpu = '1m' }\n",
        ),
        (
            "port.sh",
            &shell("sandbox = { network = [443] }\nlimits = { memory = '2GiB', running = 1 }"),
        ),
        ("plain.sh", &shell("")),
        ("looser.sh", &shell("sandbox = { level = 'standard' }")),
    ]);
    let port = folder.script("port");
    assert_eq!(
        (port.sandbox.level, port.sandbox.required),
        (Level::Strict, true)
    );
    assert_eq!(port.sandbox.network, Network::Ports(vec![443]));
    assert_eq!(
        port.sandbox.read.as_deref(),
        Some(&["/srv/in".to_owned()][..])
    );
    assert_eq!(port.process_limits.memory, Some(2 << 30));
    assert_eq!(port.process_limits.cpu, Some(Duration::from_mins(1)));
    assert_eq!(port.limits.running, Some(1));
    let plain = folder.script("plain");
    assert_eq!(
        (plain.sandbox.level, plain.process_limits.memory),
        (Level::Strict, Some(1 << 30))
    );
    // Who names a level says all of it anew; less than the default needs a permit.
    let looser = folder.script("looser");
    assert_eq!(
        (
            looser.sandbox.level,
            looser.sandbox.required,
            &looser.sandbox.read
        ),
        (Level::Standard, false, &None)
    );
}

#[test]
fn a_python_environment_is_among_what_its_script_may_read() {
    let folder = ScriptFolder::with(&[
        ("tools/env/bin/python", "#!/bin/sh\n"),
        ("tools/all.py", &shell("venv = './env'")),
        (
            "tools/some.py",
            &shell("venv = './env'\nsandbox = { read = ['/srv/in'] }"),
        ),
    ]);
    assert_eq!(folder.script("tools/all").sandbox.read, None);
    let some = folder.script("tools/some");
    let read = some.sandbox.read.as_deref().expect("named");
    assert!(
        matches!(read, [named, venv] if named == "/srv/in" && venv.ends_with("/tools/env")),
        "{read:?}"
    );
}

#[test]
fn a_timeout_of_none_means_for_ever() {
    assert_eq!(read("timeout = 'none'").timeout, None);
}

#[test]
fn a_parameter_without_keys_is_a_required_positional_text() {
    let p = param("name = 'keep_days'");
    assert_eq!(
        (p.title.as_str(), p.kind, p.pass, p.required),
        ("Keep days", Kind::Text, Pass::Arg, true)
    );
    assert!(p.option.is_none() && p.env.is_none() && p.default.is_none());
}

#[test]
fn only_positionals_without_a_value_are_required() {
    for (toml, required) in [
        ("name = 'a'", true),
        ("name = 'a'\noption = '-a'", false),
        ("name = 'a'\noption = '-a'\nrequired = true", true),
        ("name = 'a'\ndefault = 'x'", false),
        ("name = 'a'\ndefault = ''", false),
        ("name = 'a'\nvalue = 'x'", false),
        ("name = 'a'\nrequired = false", false),
        ("name = 'a'\npass = 'env'", false),
        ("name = 'a'\npass = 'stdin'", false),
        ("name = 'a'\npass = 'none'", false),
        ("name = 'a'\npass = 'file'", true),
        ("name = 'a'\npass = 'file'\noption = '-f'", false),
        ("name = 'a'\npass = 'file'\nenv = 'F'", false),
        ("name = 'a'\nsecret = true", true),
        ("name = 'a'\nsecret = true\nrequired = false", false),
        ("name = 'a'\nsecret = true\npass = 'env'", false),
        ("name = 'a'\ntype = 'flag'\noption = '-a'", false),
    ] {
        assert_eq!(param(toml).required, required, "{toml}");
    }
}

/// It is no argument, so nothing behind it takes its place.
#[test]
fn a_secret_that_may_be_left_out_stands_before_what_must_be_given() {
    for required in [false, true] {
        let first = format!("name = 'a'\nsecret = true\nrequired = {required}");
        let params = read(&format!("[[param]]\n{first}\n[[param]]\nname = 'b'")).params;
        assert_eq!(params[0].required, required);
        assert!(params[1].required);
    }
}

#[test]
fn every_type_is_read() {
    for (word, kind) in Kind::ALL {
        let more = match kind {
            Kind::Choice => "choices = ['a']",
            Kind::Path => "root = '/srv'",
            Kind::Flag | Kind::Count => "option = '-x'",
            _ => "",
        };
        assert_eq!(
            param(&format!("name = 'a'\ntype = '{word}'\n{more}")).kind,
            kind
        );
    }
    assert_eq!(param("name = 'a'\nchoices = ['x']").kind, Kind::Choice);
    assert_eq!(
        param("name = 'a'\ntype = 'text'\nchoices = ['x']").kind,
        Kind::Text
    );
}

#[test]
fn flags_know_what_they_pass() {
    let on_off = |toml: &str| {
        let p = param(&format!("name = 'a'\ntype = 'flag'\n{toml}"));
        (p.on, p.off)
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(on_off("option = '--x'"), (text("--x"), None));
    assert_eq!(
        on_off("option = '--x'\noff = '--no-x'"),
        (text("--x"), text("--no-x"))
    );
    assert_eq!(on_off("pass = 'env'"), (text("true"), text("false")));
    assert_eq!(
        on_off("pass = 'env'\non = '1'\noff = '0'"),
        (text("1"), text("0"))
    );
    assert_eq!(on_off("on = 'yes'"), (text("yes"), None));
}

#[test]
fn defaults_are_kept_in_their_canonical_form() {
    let default = |toml: &str| param(&format!("name = 'a'\noption = '-a'\n{toml}")).default;
    assert_eq!(
        default("type = 'integer'\ndefault = 7"),
        Some(Value::Text("7".to_owned()))
    );
    assert_eq!(
        default("type = 'integer'\ndefault = '7'"),
        Some(Value::Text("7".to_owned()))
    );
    assert_eq!(
        default("type = 'flag'\ndefault = true"),
        Some(Value::Flag(true))
    );
    assert_eq!(
        default("type = 'count'\ndefault = 2"),
        Some(Value::Count(2))
    );
    assert_eq!(
        default("type = 'date'\ndefault = 2026-11-21"),
        Some(Value::Text("2026-11-21".to_owned()))
    );
    let list = Some(Value::List(vec!["cpu".to_owned(), "mem".to_owned()]));
    assert_eq!(
        default("choices = ['cpu', 'mem']\nmultiple = 'join'\ndefault = ['cpu', 'mem']"),
        list
    );
    assert_eq!(
        default("choices = ['--csv', '--json']\ndefault = '--csv'"),
        Some(Value::Text("--csv".to_owned()))
    );
}

#[test]
fn choices_suggestions_bounds_and_conditions_are_read() {
    let script = read(
        "[[param]]\nname = 'mode'\nchoices = ['a', { value = 'b', label = 'Bee', disabled = true }, 3]\n\
         [[param]]\nname = 'size'\ntype = 'integer'\noption = '--size='\nmin = 1\nmax = 9\nstep = 2\nwhen = { mode = ['a', 'b'] }\n\
         [[param]]\nname = 'tags'\noption = '-t'\nmultiple = 'join'\nseparator = ':'\nmin_items = 1\nmax_items = 3\nsuggestions = ['x']\n\
         pattern = '[a-z]+'\npattern_help = 'small'\nmin_length = 1\nmax_length = 5",
    );
    let [mode, size, tags] = script.params.as_slice() else {
        panic!("three")
    };
    let values: Vec<_> = mode
        .choices
        .iter()
        .map(|c| (c.value.as_str(), c.label.as_str(), c.disabled))
        .collect();
    assert_eq!(
        values,
        [("a", "a", false), ("b", "Bee", true), ("3", "3", false)]
    );
    let b = &size.bounds;
    assert_eq!(
        (b.min.as_deref(), b.max.as_deref(), b.step.as_deref()),
        (Some("1"), Some("9"), Some("2"))
    );
    assert_eq!(size.when[0].param.as_str(), "mode");
    assert_eq!(size.when[0].any_of, ["a", "b"]);
    assert_eq!(
        tags.multiple,
        Some(Multiple::Join {
            separator: ":".to_owned()
        })
    );
    assert_eq!(
        (tags.bounds.min_items, tags.bounds.max_items),
        (Some(1), Some(3))
    );
    assert!(
        tags.bounds
            .pattern
            .as_ref()
            .is_some_and(|p| p.is_match("abc") && !p.is_match("abc1"))
    );
    assert_eq!(tags.suggestions[0].value, "x");
}

#[test]
fn a_variable_is_named_after_its_parameter() {
    let p = param("name = 'keep-days'\npass = 'env'");
    assert_eq!(p.env.as_deref(), Some("PARAM_KEEP_DAYS"));
    assert_eq!(
        param("name = 'a'\nenv = 'DB'\nsecret = true\npass = 'env'")
            .env
            .as_deref(),
        Some("DB")
    );
}

#[test]
fn a_folder_gives_defaults_and_shared_parameters() {
    let folder = ScriptFolder::with(&[
        (
            "_folder.stagedoor.toml",
            "title = 'All'\n[defaults]\ntimeout = '2h'\nstop_grace = '1s'\naccess = { run = ['a'], view = ['everyone'] }\n[[param]]\nname = 'site'\n",
        ),
        (
            "db/_folder.stagedoor.toml",
            "title = 'Databases'\nicon = 'db'\norder = 2\n[defaults]\nstop_grace = '2s'\naccess = { run = ['dba'] }\n[[param]]\nname = 'host'\ntype = 'hostname'\noption = '--host'\n",
        ),
        (
            "db/x.sh",
            &shell(
                "access = { stop = ['s'] }\n[[param]]\nuse = 'host'\nname = 'from'\nrequired = true\n[[param]]\nuse = 'site'",
            ),
        ),
    ]);
    let x = folder.script("db/x");
    assert_eq!(
        (x.timeout, x.stop_grace),
        (Some(Duration::from_hours(2)), Duration::from_secs(2))
    );
    let rule = |verb| {
        let who = x
            .access
            .rules
            .iter()
            .find(|rule| rule.verb == verb)
            .map(|rule| (&rule.place.file, rule.place.line, rule.who.as_slice()));
        match who {
            Some((file, line, [Who::Group(group)])) => format!("{group} {file}:{line}"),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        [rule(Verb::Run), rule(Verb::View), rule(Verb::Stop)],
        [
            "dba db/_folder.stagedoor.toml:6",
            "everyone _folder.stagedoor.toml:5",
            "s db/x.sh:3"
        ]
    );
    assert_eq!(x.params[0].name.as_str(), "from");
    assert_eq!(
        (
            x.params[0].kind,
            x.params[0].option.as_deref(),
            x.params[0].required
        ),
        (Kind::Hostname, Some("--host"), true)
    );
    assert_eq!(x.params[1].name.as_str(), "site");
    let snapshot = folder.catalog().snapshot();
    let db = snapshot.folder("db").expect("a folder");
    assert_eq!(
        (db.title.as_str(), db.icon.as_deref(), db.order),
        ("Databases", Some("db"), 2)
    );
}

#[test]
fn one_file_holds_several_scripts_with_shared_parameters() {
    let folder = ScriptFolder::with(&[(
        "ops/git.stagedoor.toml",
        "[[param]]\nname = 'branch'\nchoices = ['main']\n\
         [[script]]\nname = 'pull'\ncommand = ['ls', '-l']\n[[script.param]]\nuse = 'branch'\n\
         [[script]]\nname = 'log'\ncommand = ['/bin/ls']\n",
    )]);
    let pull = folder.script("ops/pull");
    let Launch::Command { argv } = &pull.launch else {
        panic!("{:?}", pull.launch)
    };
    assert!(argv[0].starts_with('/') && argv[0].ends_with("/ls") && argv[1] == "-l");
    assert_eq!(pull.params[0].name.as_str(), "branch");
    assert!(pull.fingerprint.is_none());
    assert_eq!(folder.script("ops/log").source.line, 9);
}

#[test]
fn the_scripts_of_the_design_that_need_no_later_feature_are_read() {
    let folder = ScriptFolder::with(&[(
        "3-git.stagedoor.toml",
        "[[script]]\nname = 'pull'\ntitle = 'Update'\ncommand = ['ls', '--x']\nworking_directory = '/srv/www'\naccess.run = ['web']\n\n[[script.param]]\nname = 'remote'\nvalue = 'origin'\n\n[[script.param]]\nname = 'branch'\nchoices = ['main', 'staging']\ndefault = 'main'\n",
    )]);
    let pull = folder.script("pull");
    assert_eq!(pull.params[0].fixed, Some(Value::Text("origin".to_owned())));
    assert_eq!(pull.params[1].default, Some(Value::Text("main".to_owned())));
}
