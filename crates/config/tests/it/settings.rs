//! Defaults, layers and mistakes.

use std::time::Duration;

use stagedoor_config::{
    ConfigError, Environment, Flags, Hsts, Session, SessionAddress, Settings, Sources, load,
};
use stagedoor_domain::sandbox::{Level, Permit};

/// Loads a file with variables and `--listen`.
fn loaded(
    toml: &str,
    variables: &[(&str, &str)],
    listen: &[&str],
) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("stagedoor.toml"), toml).expect("a file");
    let flags = Flags {
        listen: listen.iter().map(|text| (*text).to_owned()).collect(),
        state: Some("/state".into()),
        ..Flags::default()
    };
    let environment: Environment = variables
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    load(Sources {
        folder: folder.path(),
        folder_name: folder.path(),
        flags: &flags,
        environment: &environment,
        cores: 2,
        is_root: false,
    })
}

fn good(toml: &str) -> Settings {
    loaded(toml, &[], &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// Message and mend of each mistake, as they are printed.
fn mistakes(toml: &str, variables: &[(&str, &str)]) -> Vec<String> {
    match loaded(toml, variables, &[]) {
        Err(ConfigError::Mistakes(problems)) => {
            problems.into_iter().map(|p| p.to_string()).collect()
        }
        other => panic!("{toml}: {other:?}"),
    }
}

fn addresses(settings: &Settings) -> Vec<String> {
    settings
        .listen
        .iter()
        .flat_map(|l| [Some(l.address), l.also])
        .flatten()
        .map(|a| a.to_string())
        .collect()
}

#[test]
fn without_a_file_everything_has_its_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let (flags, environment) = (
        Flags {
            state: Some("/s".into()),
            ..Flags::default()
        },
        Environment::default(),
    );
    let s = load(Sources {
        folder: folder.path(),
        folder_name: folder.path(),
        flags: &flags,
        environment: &environment,
        cores: 4,
        is_root: false,
    })
    .expect("defaults");
    assert_eq!(addresses(&s), ["127.0.0.1:7373", "[::1]:7373"]);
    assert_eq!(s.listen.len(), 1, "both loopback addresses count as one");
    assert!(!s.allow_plain_http && !s.allow_root_scripts && s.user.is_none() && s.file.is_none());
    assert_eq!(
        (s.limits.running, s.limits.queued, s.limits.queued_per_user),
        (8, 1000, 100)
    );
    assert_eq!(
        (s.limits.output, s.limits.timeout),
        (64 << 20, Some(Duration::from_hours(1)))
    );
    assert_eq!(
        s.session,
        Session {
            absolute: Duration::from_hours(1),
            idle: Duration::from_mins(30),
            confirmed_for: Duration::from_mins(10),
            address: SessionAddress::Network,
        }
    );
    assert_eq!(s.state.to_str(), Some("/s"));
}

#[test]
fn every_key_of_the_file_is_read() {
    let s = good(
        "listen = ['0.0.0.0:80', 'localhost:81', '[::1]:0']\npublic_host = ['Scripts.Example.org', '192.0.2.1']\n\
         allow_plain_http = true\nuser = 'www'\nrun_user = '7374'\nallow_root_scripts = true\n\
         [limits]\nrunning = 3\nqueued = 5\nqueued_per_user = 2\noutput = '1MiB'\ntimeout = 'none'\n\
         [session]\nabsolute = '8h'\nidle = '1h'\nconfirmed_for = '5m'\naddress = 'exact'\n\
         [[grant]]\ngroup = 'ops'\nscripts = ['backup/*', 'a/b']\nmay = ['view', 'run']\n\
         [[grant]]\ngroup = 'everyone'\nscripts = '*'\nmay = ['view']\n\
         [[grant]]\ngroup = 'wardens'\nmay = ['admin']\n",
    );
    assert_eq!(
        addresses(&s),
        ["0.0.0.0:80", "127.0.0.1:81", "[::1]:81", "[::1]:0"]
    );
    assert_eq!(s.public_host, ["scripts.example.org", "192.0.2.1"]);
    assert_eq!(
        (s.user.as_deref(), s.run_user.as_deref()),
        (Some("www"), Some("7374"))
    );
    assert!(s.allow_root_scripts);
    assert_eq!(
        (s.limits.running, s.limits.queued, s.limits.queued_per_user),
        (3, 5, 2)
    );
    assert_eq!((s.limits.output, s.limits.timeout), (1 << 20, None));
    assert_eq!(
        s.session,
        Session {
            absolute: Duration::from_hours(8),
            idle: Duration::from_hours(1),
            confirmed_for: Duration::from_mins(5),
            address: SessionAddress::Exact,
        }
    );
    let said: Vec<String> = s.grants.0.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "ops may view, run: backup/*, a/b",
            "everyone may view: *",
            "wardens may administer"
        ]
    );
    let places: Vec<String> = s.grants.0.iter().map(|g| g.origin.to_string()).collect();
    assert_eq!(places[0], "the grant in stagedoor.toml, line 18");
    assert!(s.file.is_some());
}

#[test]
fn a_later_layer_wins() {
    let file = "listen = '127.0.0.1:1'\n[limits]\nrunning = 1\nqueued = 1\n";
    let variables = [
        ("STAGEDOOR_LISTEN", "127.0.0.1:2, [::1]:3"),
        ("STAGEDOOR_LIMITS_RUNNING", "2"),
        ("STAGEDOOR_ALLOW_ROOT_SCRIPTS", "true"),
    ];
    let s = loaded(file, &variables, &[]).expect("good");
    assert_eq!(addresses(&s), ["127.0.0.1:2", "[::1]:3"]);
    assert_eq!(
        (s.limits.running, s.limits.queued, s.allow_root_scripts),
        (2, 1, true)
    );
    let s = loaded(file, &variables, &["127.0.0.1:4"]).expect("good");
    assert_eq!(addresses(&s), ["127.0.0.1:4"]);
}

#[test]
fn a_variable_may_name_a_file_that_holds_the_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("listen");
    std::fs::write(&file, "127.0.0.1:9\n").expect("a file");
    let file = file.to_str().expect("text");
    let s = loaded("", &[("STAGEDOOR_LISTEN_FILE", file)], &[]).expect("good");
    assert_eq!(addresses(&s), ["127.0.0.1:9"]);
    assert!(
        mistakes("", &[("STAGEDOOR_LISTEN_FILE", "/no/such/file")])[0].contains("cannot be read")
    );
    assert!(
        mistakes(
            "",
            &[
                ("STAGEDOOR_LISTEN_FILE", file),
                ("STAGEDOOR_LISTEN", "127.0.0.1:1")
            ]
        )[0]
        .contains("both")
    );
}

#[test]
fn mistakes_in_the_file_are_told_with_place_and_mend() {
    for (toml, at, words) in [
        ("listn = 'x'", ":1:1:", "did you mean `listen`?"),
        ("[limits]\nruning = 1", ":2:1:", "did you mean `running`?"),
        ("[pools]\na = 2", ":1:2:", "not in this version yet"),
        (
            "[[trigger]]\nfolder = 'x'",
            ":1:3:",
            "not in this version yet",
        ),
        ("listen = 'x'\nlisten = 'y'", ":2:1:", "duplicate key"),
        ("listen = 8080", ":1:10:", "\"127.0.0.1:8080\""),
        ("listen = []", ":1:10:", "empty"),
        ("listen = '0.0.0.0:80'", ":1:10:", "allow_plain_http = true"),
        (
            "listen = ['127.0.0.1:1', '10.0.0.1:80']",
            ":1:26:",
            "in the clear",
        ),
        ("listen = '*:80'", ":1:10:", "0.0.0.0:80"),
        ("listen = 'example.org:80'", ":1:10:", "in numbers"),
        ("listen = '127.0.0.1'", ":1:10:", "127.0.0.1:7373"),
        ("listen = ['127.0.0.1:1', '127.0.0.1:1']", ":1:26:", "twice"),
        ("public_host = 'https://a.org/'", ":1:15:", "write `a.org`"),
        ("public_host = 'a.org:80'", ":1:15:", "write `a.org`"),
        ("public_host = '*.a.org'", ":1:15:", "host's name"),
        (
            "public_host = 'müller.de'",
            ":1:15:",
            "write `xn--mller-kva.de`",
        ),
        ("user = 'a b'", ":1:8:", "not an account's name"),
        ("user = 7373", ":1:8:", "\"7373\""),
        ("limits = 3", ":1:10:", "[limits]"),
        ("[limits]\nrunning = 0", ":2:11:", "0 is less than 1"),
        ("[limits]\noutput = '0B'", ":2:10:", "would keep nothing"),
        ("[limits]\noutput = 10", ":2:10:", "has no unit"),
        ("[session]\nidle = '2h'", ":2:8:", "longer than it lasts"),
        ("[session]\nabsolute = '0s'", ":2:12:", "zero"),
        ("[sign_in]\nfailures = 0", ":2:12:", "between 1 and 100"),
        ("[sign_in]\nfailures = 101", ":2:12:", "between 1 and 100"),
        ("[sign_in]\nblocked_for = '0s'", ":2:15:", "zero"),
        (
            "[sign_in]\nblocked_for = '31d'",
            ":2:15:",
            "at most \"30d\"",
        ),
        (
            "[sign_in]\ncommand_timeout = '5s'",
            ":2:19:",
            "only with a command",
        ),
        (
            "[sign_in]\ncommand = ['sh', '-c', 'x']",
            ":2:11:",
            "whole path",
        ),
        (
            "[sign_in]\ncommand = '/bin/x'\ncommand_timeout = '2m'",
            ":3:19:",
            "at most \"1m\"",
        ),
        ("[session]\nconfirmed_for = '0s'", ":2:17:", "zero"),
        (
            "[session]\naddress = 'subnet'",
            ":2:11:",
            "exact, network, off",
        ),
        (
            "[[grant]]\ngroup = 'ops'\nscripts = '*'",
            ":1:1:",
            "has no `may`",
        ),
        (
            "[[grant]]\ngroup = 'Ops'\nscripts = '*'\nmay = []",
            ":2:9:",
            "not a group's name",
        ),
        (
            "[[grant]]\ngroup = 'ops'\nscripts = 'ops*'\nmay = []",
            ":3:11:",
            "folder/*",
        ),
        (
            "[[grant]]\ngroup = 'ops'\nscripts = '../x'\nmay = []",
            ":3:11:",
            "neither a script's name",
        ),
        (
            "[[grant]]\ngroup = 'ops'\nscripts = '*'\nmay = ['rn']",
            ":4:8:",
            "did you mean `run`?",
        ),
        (
            "[[grant]]\ngroup = 'ops'\nscripts = '*'\nmay = ['admin']",
            ":3:11:",
            "`admin` is not about scripts",
        ),
        (
            "[[grant]]\ngroup = 'ops'\nmay = ['admin', 'run']",
            ":3:7:",
            "in a grant of its own",
        ),
        (
            "[[grant]]\ngroup = 'ops'\nmay = ['admn']\nscripts = '*'",
            ":3:8:",
            "did you mean `admin`?",
        ),
        (
            "[[grant]]\ngroups = 'ops'\nscripts = '*'\nmay = ['run']",
            ":2:1:",
            "did you mean `group`?",
        ),
        (
            "[[grant]]\ngroup = 'ops'\nmay = ['run']",
            ":1:1:",
            "has no `scripts`",
        ),
        (
            "[[grant]]\ngroup = 'ops'\nscripts = '*'\nmay = 'run'",
            ":4:7:",
            "[\"run\"]",
        ),
    ] {
        one_mistake(toml, at, words);
    }
}

#[test]
fn a_permit_says_what_definitions_of_a_folder_may_ask_for() {
    let set = good(
        "[[permit]]\nfolder = 'ops/old'\nsandbox = 'none'\n[[permit]]\nfolder = '.'\nsandbox = 'strict'\nrun_as = ['www']\n[[permit]]\nfolder = 'db'\nrun_as = ['backup', '_apt', 'a.b-c']\nlimits = { processes = 20_000 }",
    );
    let permit = |folder: &str, level, run_as: &[&str]| Permit {
        folder: folder.to_owned(),
        level,
        run_as: run_as.iter().map(ToString::to_string).collect(),
        processes: (folder == "db").then_some(20_000),
    };
    let wanted = [
        permit("ops/old", Level::None, &[]),
        permit("", Level::Strict, &["www"]),
        permit("db", Level::Standard, &["backup", "_apt", "a.b-c"]),
    ];
    assert_eq!(set.permits, wanted);
    assert_eq!(good("").permits, []);
    for (toml, at, words) in [
        ("[[permit]]\nsandbox = 'none'", ":1:1:", "has no `folder`"),
        ("[[permit]]\nfolder = 'x'", ":1:1:", "permits nothing"),
        (
            "[[permit]]\nfolder = '/x'\nsandbox = 'none'",
            ":2:10:",
            "is not a folder below the folder of scripts",
        ),
        (
            "[[permit]]\nfolder = 'x'\nsandbox = 'nome'",
            ":3:11:",
            "did you mean `none`?",
        ),
        (
            "[[permit]]\nfolder = 'x'\nrun_as = 'www'",
            ":3:10:",
            "[\"backup\"]",
        ),
        (
            "[[permit]]\nfolder = 'x'\nrun_as = ['www', 'root']",
            ":3:18:",
            "no script runs as root",
        ),
        (
            "[[permit]]\nfolder = 'x'\nrun_as = ['0']",
            ":3:11:",
            "`0` is not an account's name",
        ),
        (
            "[[permit]]\nfolder = 'x'\nrun_as = ['a b']",
            ":3:11:",
            "`a b` is not an account's name",
        ),
        (
            "[[permit]]\nfolder = 'x'\nlimits = { memory = '1GiB' }",
            ":3:12:",
            "`memory` is not a key of `limits` of a permit",
        ),
        // And not that it permits nothing, or has no folder.
        (
            "[[permit]]\nfolder = 'x'\nrunas = ['www']",
            ":3:1:",
            "did you mean `run_as`?",
        ),
        (
            "[[permit]]\nfoldr = 'x'\nrun_as = ['www']",
            ":2:1:",
            "did you mean `folder`?",
        ),
        (
            "[[permit]]\nfolder = 'x'\nrun_as = [5]",
            ":3:11:",
            "write it as `\"backup\"`",
        ),
    ] {
        one_mistake(toml, at, words);
    }
}

/// There is one mistake in it; it points there, and says so.
fn one_mistake(toml: &str, at: &str, words: &str) {
    let found = mistakes(toml, &[]);
    assert_eq!(found.len(), 1, "{toml}\n{}", found.join("\n"));
    assert!(found[0].contains(words), "{toml}\n{}", found[0]);
    assert!(
        found[0].contains(at) && found[0].contains('^'),
        "{toml}\n{}",
        found[0]
    );
}

#[test]
fn mistakes_about_the_way_to_the_server_are_told_with_place_and_mend() {
    for (toml, at, words) in [
        (
            "tls.certificate = '/x'",
            ":1:19:",
            "set both `tls.certificate` and `tls.key`",
        ),
        (
            "tls.certificate = 'x'\ntls.key = '/y'",
            ":1:19:",
            "write it from the root on",
        ),
        (
            "tls = {certificate = '/x', key = '/y', redirect_listen = '0.0.0.0:80'}",
            ":1:58:",
            "name it in `public_host`",
        ),
        (
            "behind_proxy = true\nproxy.trusted = '::1'",
            ":1:16:",
            "set `proxy.hops`",
        ),
        (
            "behind_proxy = true\nproxy.hops = 1",
            ":1:16:",
            "set `proxy.trusted`",
        ),
        (
            "behind_proxy = true\nproxy = {hops = 0, trusted = '::1'}",
            ":2:17:",
            "1",
        ),
        (
            "behind_proxy = true\nproxy = {hops = 1, trusted = []}",
            ":2:30:",
            "name the proxy's address",
        ),
        (
            "behind_proxy = true\nproxy = {hops = 1, trusted = '10.0.0.1/8'}",
            ":2:30:",
            "write `10.0.0.1` for that machine alone, or `10.0.0.0/8`",
        ),
        (
            "behind_proxy = true\nproxy = {hops = 1, trusted = 'proxy.local'}",
            ":2:30:",
            "a network such as",
        ),
        ("proxy.hops = 1", ":1:14:", "add `behind_proxy = true`"),
        (
            "behind_proxy = false\nlisten = '0.0.0.0:80'",
            ":2:10:",
            "in the clear",
        ),
        ("base_path = 'x'", ":1:13:", "such as `/scripts`"),
        ("base_path = '/a/../b'", ":1:13:", "such as `/scripts`"),
        ("base_path = '/a b'", ":1:13:", "such as `/scripts`"),
        ("hsts = 'max'", ":1:8:", "full, host, off"),
    ] {
        one_mistake(toml, at, words);
    }
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    let found = mistakes("", &[("STAGEDOOR_LIMITS_RUNNING", "many")]);
    assert!(
        found[0].starts_with("$STAGEDOOR_LIMITS_RUNNING:1:1: a whole number is wanted"),
        "{}",
        found[0]
    );
    let found = mistakes("", &[("STAGEDOOR_LISTN", "x")]);
    assert!(
        found[0].contains("did you mean STAGEDOOR_LISTEN?"),
        "{}",
        found[0]
    );
    assert!(
        loaded(
            "",
            &[
                ("STAGEDOOR_RUN_ID", "x"),
                ("STAGEDOOR_LISTEN", ""),
                ("HOME", "/h")
            ],
            &[]
        )
        .is_ok()
    );
}

#[test]
fn https_by_the_server_itself_may_be_anywhere() {
    let s = good(
        "listen = '0.0.0.0:443'\npublic_host = 'a.example'\n\
         [tls]\ncertificate = '/c.pem'\nkey = '/k.pem'\nredirect_listen = '0.0.0.0:80'",
    );
    let tls = s.tls.expect("set");
    assert_eq!(
        (tls.certificate, tls.key),
        ("/c.pem".into(), "/k.pem".into())
    );
    assert_eq!(tls.redirect_listen[0].address.to_string(), "0.0.0.0:80");
    assert_eq!(s.hsts, Hsts::Full);
    assert_eq!(good("").hsts, Hsts::Host, "no host is named");
    assert_eq!(
        good("public_host = 'a.example'\nhsts = 'off'").hsts,
        Hsts::Off
    );
}

#[test]
fn w3_behind_a_proxy_it_is_said_how_many_and_who() {
    let s = good(
        "listen = '10.0.0.5:80'\nbehind_proxy = true\nbase_path = '/door/'\n\
         proxy = {hops = 2, trusted = ['10.0.0.0/8', '::1']}",
    );
    let proxy = s.proxy.expect("set");
    assert_eq!(
        (proxy.hops, proxy.trusted.len(), proxy.protocol),
        (2, 2, false)
    );
    assert!(proxy.trusted[0].contains("10.9.9.9".parse().expect("an address")));
    assert_eq!(s.base_path, "/door");
    let s = good("behind_proxy = true\nproxy = {protocol = true, trusted = '127.0.0.1'}");
    assert_eq!(
        s.proxy.map(|proxy| (proxy.hops, proxy.protocol)),
        Some((0, true))
    );
    assert_eq!(
        (good("").proxy, good("base_path = '/'").base_path),
        (None, String::new())
    );
}

#[test]
fn plain_http_beyond_this_machine_needs_a_word_wherever_it_was_asked_for() {
    assert!(loaded("", &[], &["0.0.0.0:80"]).is_err());
    assert!(loaded("allow_plain_http = true", &[], &["0.0.0.0:80"]).is_ok());
    assert!(loaded("", &[("STAGEDOOR_ALLOW_PLAIN_HTTP", "true")], &["[::]:80"]).is_ok());
    assert!(loaded("", &[], &["127.5.5.5:80"]).is_ok());
}

#[test]
fn w3_no_proxy_at_all_is_no_number_of_proxies() {
    let file = "behind_proxy = true\nproxy = {hops = 0, trusted = '::1'}";
    let said = mistakes(file, &[]).join("\n");
    assert!(
        said.contains("0 proxies") && said.contains("take `behind_proxy`"),
        "{said}"
    );
    assert!(loaded(&file.replace('0', "1"), &[], &[]).is_ok());
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = Flags {
        config: Some("/no/such/file.toml".into()),
        state: Some("/s".into()),
        ..Flags::default()
    };
    let environment = Environment::default();
    let error = load(Sources {
        folder: folder.path(),
        folder_name: folder.path(),
        flags: &flags,
        environment: &environment,
        cores: 1,
        is_root: false,
    })
    .expect_err("gone");
    assert!(
        matches!(error, ConfigError::Unreadable { .. })
            && error.to_string().contains("/no/such/file.toml")
    );
}

#[test]
fn every_mistake_of_every_layer_is_told_at_once() {
    assert_eq!(
        mistakes("listn = 1\nuser = 7", &[("STAGEDOOR_SESSION_IDLE", "30")]).len(),
        3
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn any_file_is_read_without_panic(words in proptest::collection::vec(0..WORDS.len(), 0..30)) {
        let toml: String = words.into_iter().map(|word| WORDS[word]).collect();
        if let Err(error) = loaded(&toml, &[], &[]) {
            let _ = error.to_string();
        }
    }
}

const WORDS: &[&str] = &[
    "listen = ",
    "public_host = ",
    "user = ",
    "[limits]\n",
    "[session]\n",
    "[[grant]]\n",
    "running = ",
    "output = ",
    "idle = ",
    "scripts = ",
    "may = ",
    "group = ",
    "'a'\n",
    "'127.0.0.1:1'\n",
    "'[::'\n",
    "7\n",
    "true\n",
    "['*', 'run']\n",
    "{ a = 1 }\n",
    "'1h'\n",
    "'é'\n",
    "[",
    "'",
    "\n",
];

#[test]
fn p3_debug_names_single_addresses_and_ends_by_itself() {
    assert_eq!(good("").debug, None);
    let debug = good("debug.clients = ['127.0.0.2', '::1']").debug;
    let debug = debug.expect("on");
    assert_eq!(debug.clients.len(), 2);
    assert_eq!(debug.lasts, Duration::from_mins(15));
    let longer = good("debug.clients = '127.0.0.2'\ndebug.lasts = '1h'");
    assert_eq!(longer.debug.expect("on").lasts, Duration::from_hours(1));
    for (toml, said) in [
        ("debug.clients = '127.0.0.0/8'", "is not one address"),
        ("debug.clients = 'localhost'", "is not one address"),
        (
            "debug.clients = '::1'\ndebug.lasts = '9h'",
            "for 8h at most",
        ),
        (
            "debug.clients = '::1'\ndebug.lasts = '0s'",
            "for 8h at most",
        ),
        ("debug.lasts = '5m'", "counts only with `debug.clients`"),
    ] {
        let told = mistakes(toml, &[]);
        assert!(
            told.len() == 1 && told[0].contains(said),
            "{toml}: {told:?}"
        );
    }
}

#[test]
fn w20_p2_nothing_is_debugged_in_production() {
    let production = "profile = 'production'\n";
    assert_eq!(good(production).debug, None);
    let told = mistakes(&format!("{production}debug.clients = '127.0.0.1'"), &[]);
    assert!(
        told.len() == 1 && told[0].contains("nothing is debugged in production"),
        "{told:?}"
    );
    let variable = [("STAGEDOOR_DEBUG_CLIENTS", "127.0.0.1")];
    assert_eq!(mistakes(production, &variable).len(), 1);
    let told = mistakes("profile = 'prod'", &[]);
    assert!(told[0].contains("there is no profile `prod`"), "{told:?}");
}

#[test]
fn w21_w30_signing_in_is_bounded_by_default_and_a_command_is_words_for_no_shell() {
    let default = good("").sign_in;
    assert_eq!(
        (default.failures, default.blocked_for),
        (5, Duration::from_mins(15))
    );
    assert_eq!(default.command, None);
    let set = good(
        "[sign_in]\nfailures = 3\nblocked_for = '1h'\ncommand = ['/bin/check me', '$HOME; x']\n\
         command_names_admins = true",
    );
    let command = set.sign_in.command.expect("a command");
    assert_eq!(
        (set.sign_in.failures, set.sign_in.blocked_for),
        (3, Duration::from_hours(1))
    );
    assert_eq!(command.argv, ["/bin/check me", "$HOME; x"]);
    assert_eq!(
        (command.timeout, command.names_admins),
        (Duration::from_secs(10), true)
    );
    let variables = [
        ("STAGEDOOR_SIGN_IN_FAILURES", "7"),
        ("STAGEDOOR_SIGN_IN_COMMAND", "/bin/x,-q"),
    ];
    let by_variable = loaded("", &variables, &[]).expect("good").sign_in;
    assert_eq!(by_variable.failures, 7);
    assert_eq!(
        by_variable.command.expect("a command").argv,
        ["/bin/x", "-q"]
    );
}

#[test]
fn a_change_names_the_settings_that_somebody_changed_and_no_others() {
    let grant = "[[grant]]\ngroup = 'ops'\nscripts = '*'\nmay = ['run']\n";
    let command = "[sign_in]\ncommand = '/bin/check'\n";
    for (before, after, now, next_start) in [
        (
            "",
            "public_host = 'a.example'\n",
            &[][..],
            &["public_host"][..],
        ),
        ("", command, &["sign_in.command"], &[]),
        (command, "", &["sign_in.command"], &[]),
        (
            command,
            "[sign_in]\ncommand = '/bin/check'\ncommand_timeout = '3s'\n",
            &["sign_in.command_timeout"],
            &[],
        ),
        (
            "",
            "behind_proxy = true\nproxy.hops = 1\nproxy.trusted = '10.0.0.1'\n",
            &[],
            &["behind_proxy", "proxy.hops", "proxy.trusted"],
        ),
        ("", "debug.clients = '::1'\n", &[], &["debug.clients"]),
        (
            "hsts = 'off'\n",
            "public_host = 'a.example'\n",
            &[],
            &["public_host", "hsts"],
        ),
        (
            grant,
            &format!("[limits]\nqueued = 7\n{grant}"),
            &["limits.queued"],
            &[],
        ),
        (grant, "", &["grant"], &[]),
    ] {
        let before = good(before);
        let changes = good(after).changes(&before, &before);
        assert_eq!(
            (&*changes.now, &*changes.next_start),
            (now, next_start),
            "{after}"
        );
    }
}

#[test]
fn the_audit_log_is_kept_for_a_year_or_as_the_operator_says() {
    let days = |days: u64| Some(Duration::from_hours(24 * days));
    assert_eq!(good("").keep_audit_log, days(365));
    assert_eq!(good("[audit_log]\nkeep_days = 30").keep_audit_log, days(30));
    assert_eq!(good("[audit_log]\nkeep_days = 0").keep_audit_log, None);
    let variables = [("STAGEDOOR_AUDIT_LOG_KEEP_DAYS", "90")];
    let by_variable = loaded("", &variables, &[]).expect("good");
    assert_eq!(by_variable.keep_audit_log, days(90));
    for bad in ["-1", "'30d'", "1.5", "5000000000"] {
        let text = format!("[audit_log]\nkeep_days = {bad}");
        loaded(&text, &[], &[]).expect_err(bad);
    }
}

#[test]
fn b38_a_variable_of_ours_that_is_not_text_is_a_mistake_and_not_left_out() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;
    use std::path::Path;
    let of = |name: &str| -> Environment {
        let value = OsString::from_vec(b"8\xff".to_vec());
        [(OsString::from(name), value)].into_iter().collect()
    };
    let load = |environment: &Environment| {
        load(Sources {
            folder: Path::new("/nowhere"),
            folder_name: Path::new("."),
            flags: &Flags {
                state: Some("/s".into()),
                ..Flags::default()
            },
            environment,
            cores: 1,
            is_root: false,
        })
    };
    for name in [
        "STAGEDOOR_LIMITS_RUNNING",
        "STAGEDOOR_COOKIE_KEY",
        "STAGEDOOR_TLS_KEY_FILE",
    ] {
        let environment = of(name);
        assert!(environment.is_unreadable(name) && environment.get(name).is_none());
        let error = load(&environment).expect_err(name).to_string();
        assert!(error.contains(name) && error.contains("UTF-8"), "{error}");
    }
    load(&of("SOMEBODY_ELSES")).expect("none of ours");
}
