//! What people get wrong: each mistake is told with its place and its mend.

use stagedoor_catalog::Problem;

use crate::folder::{ScriptFolder, shell};

/// The problems of one shell script with this definition.
fn problems(toml: &str) -> Vec<Problem> {
    ScriptFolder::with(&[("x.sh", &shell(toml))])
        .check()
        .problems
}

/// A definition with one mistake: at this line of the TOML, with words of the message and mend.
fn assert_mistake(toml: &str, line: usize, message: &str, mend: &str) {
    let found = problems(toml);
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{toml}\n{}", told.join("\n"));
    let problem = &found[0];
    // The shebang and the opening stand before the first line.
    assert_eq!(problem.line, line + 2, "{toml}\n{problem}");
    assert!(problem.message.contains(message), "{toml}\n{problem}");
    assert!(
        problem.mend.as_deref().unwrap_or_default().contains(mend),
        "{toml}\n{problem}"
    );
    assert!(!problem.source_line.is_empty());
}

#[test]
fn mistakes_in_credentials_are_told_with_their_mend() {
    let many: Vec<String> = (0..33).map(|n| format!("c{n} = 's'")).collect();
    let too_many = format!("credentials = {{ {} }}", many.join(", "));
    for (toml, message, mend) in [
        ("credentials = ['db']", "a table", "password = "),
        ("credentials = { db = '' }", "empty", ""),
        (
            "credentials = { db = 'my pass' }",
            "not the name of a stored secret",
            "never the value",
        ),
        (
            "credentials = { 'a/b' = 'db' }",
            "not the name of a credential",
            "$CREDENTIALS_DIRECTORY",
        ),
        (
            "credentials = { db = 'db' }\n[[param]]\nname = 'db'\nsecret = true",
            "`db` is a parameter too",
            "another name",
        ),
        (
            "credentials = { db = 'db' }\n[[param]]\nname = 'db'\npass = 'file'",
            "passed as a file of that name",
            "another name",
        ),
        (&too_many, "more than 32 credentials", "as one secret"),
    ] {
        assert_mistake(toml, 1, message, mend);
    }
}

#[test]
fn a_credential_may_be_named_like_a_parameter_that_makes_no_file_of_its_name() {
    for param in ["pass = 'env'\nsecret = true", "pass = 'stdin'", ""] {
        let toml = format!("credentials = {{ db = 'db' }}\n[[param]]\nname = 'db'\n{param}");
        let told: Vec<String> = problems(&toml).iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{told:?}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row for each mistake")]
fn mistakes_in_script_keys_are_told_with_their_mend() {
    for (toml, line, message, mend) in [
        (
            "title = 'x'\ntitel = 'y'",
            2,
            "`titel` is not a key of a script",
            "did you mean `title`?",
        ),
        (
            "title = 7",
            1,
            "a text in quotes is wanted here, and this is a number",
            "\"7\"",
        ),
        ("title = 'a'\ntitle = 'b'", 2, "duplicate key", "keep one"),
        ("title = Backup", 1, "must be quoted", "quotes"),
        ("title = ''", 1, "empty", "leave the key out"),
        ("timeout = 30", 1, "`30` has no unit", "\"30s\""),
        ("timeout = '0s'", 1, "before it begins", "none"),
        ("timeout = true", 1, "a text with a unit", "\"30s\""),
        ("stop_grace = '5 apples'", 1, "not understood", "\"30s\""),
        (
            "limits = { output = 10 }",
            1,
            "`10` has no unit",
            "\"10MiB\"",
        ),
        (
            "limits = { running = 0 }",
            1,
            "0 is less than 1",
            "write 1 or more",
        ),
        (
            "limits = { output = 0 }",
            1,
            "a size of zero would keep nothing",
            "\"10MiB\"",
        ),
        (
            "limits = { mem = '1GiB' }",
            1,
            "`mem` is not a key of `limits`",
            "did you mean `memory`?",
        ),
        (
            "limits = { open_files = 2 }",
            1,
            "2 is less than 8",
            "write 8 or more",
        ),
        (
            "run_as = 5",
            1,
            "the name of an account is wanted here, and this is a number",
            "\"backup\"",
        ),
        (
            "limits = { runing = 1 }",
            1,
            "`runing` is not a key of `limits`",
            "`running`",
        ),
        (
            "venv = './gone'",
            1,
            "there is no Python environment in `",
            "/gone`, or correct the path",
        ),
        (
            "venv = 'env'",
            1,
            "`env` is neither an absolute path nor one below the definition",
            "`./env`",
        ),
        (
            "limits = { pool = 'db' }",
            1,
            "`pool` is not in this version yet",
            "take it out",
        ),
        (
            "limits = { memory = '10KiB' }",
            1,
            "no script starts with so little `memory`",
            "at least `1MiB`",
        ),
        (
            "limits = { processes = 0 }",
            1,
            "0 is not between 1 and 4096",
            "write a number from 1 to 4096",
        ),
        (
            "limits = { cpu = '0s' }",
            1,
            "processor time is counted in whole seconds",
            "at least `1s`",
        ),
        (
            "limits = { nice = -1 }",
            1,
            "-1 is not between 0 and 19",
            "",
        ),
        (
            "sandbox = { level = 'strickt' }",
            1,
            "`strickt` is not a level of the sandbox",
            "did you mean `strict`?",
        ),
        (
            "sandbox = { level = 'none' }",
            1,
            "`none` is weaker than `standard`, and stagedoor.toml does not permit it here",
            "`[[permit]]` with `folder = \".\"` and `sandbox = \"none\"`",
        ),
        (
            "limits = { processes = 5000 }",
            1,
            "a run may have 4096 processes, and stagedoor.toml does not permit 5000 here",
            "`limits = { processes = 5000 }`",
        ),
        (
            "run_as = 'backup'",
            1,
            "stagedoor.toml does not permit scripts of this folder to run as `backup`",
            "`[[permit]]` with `folder = \".\"` and `run_as = [\"backup\"]`",
        ),
        (
            "run_as = 'root'",
            1,
            "no script runs as root",
            "name an account",
        ),
        (
            "run_as = '0'",
            1,
            "`0` is not an account's name",
            "such as `backup`",
        ),
        (
            "sandbox = { network = [0] }",
            1,
            "0 is not between 1 and 65535",
            "write a number from 1 to 65535",
        ),
        (
            "sandbox = { network = 'https' }",
            1,
            "`true`, `false`, or a list of ports",
            "[443]",
        ),
        (
            "sandbox = { write = ['reports'] }",
            1,
            "`reports` is not an absolute path without `..`",
            "from the root",
        ),
        (
            "sandbox = { read = ['/srv/../etc'] }",
            1,
            "`/srv/../etc` is not an absolute path without `..`",
            "from the root",
        ),
        (
            "terminal = false",
            1,
            "`terminal` is not in this version yet",
            "take it out",
        ),
        (
            "output_format = 'csv'",
            1,
            "`output_format = \"csv\"` is not in this version yet",
            "text",
        ),
        ("output_format = 'pdf'", 1, "`pdf` is not a format", "text"),
        (
            "name = 'Back up'",
            1,
            "this name is not allowed",
            "`name = \"Back-up\"`",
        ),
        ("name = 'a/b'", 1, "folders are those", "`name = \"a-b\"`"),
        ("name = '_x'", 1, "not allowed", "`name = \"x\"`"),
        (
            "command = ['ls']",
            1,
            "belongs to a file",
            "take `command` out",
        ),
        (
            "interpreter = 'no-such-program-here'",
            1,
            "there is no program `no-such-program-here`",
            "install",
        ),
        (
            "interpreter = 'venv/bin/python'",
            1,
            "neither a bare name nor an absolute path",
            "`./venv/bin/python`",
        ),
        (
            "interpreter = '/etc/passwd'",
            1,
            "is not executable",
            "chmod +x",
        ),
        (
            "working_directory = 'data'",
            1,
            "not an absolute path",
            "absolute",
        ),
        ("docs = '../x.md'", 1, "below the folder", "without `..`"),
        ("docs = 'gone.md'", 1, "there is no such file", ""),
        (
            "env = { 'A-B' = 'x' }",
            1,
            "not the name of an environment variable",
            "letters",
        ),
        (
            "env = { STAGEDOOR_USER = 'x' }",
            1,
            "set by Stagedoor itself",
            "another name",
        ),
        ("inherit_env = ['A B']", 1, "not the name", "letters"),
        ("disabled = true", 1, "says why", "reason"),
        ("success_exit = []", 1, "no exit code", "[0]"),
        (
            "success_exit = [256]",
            1,
            "256 is not between 0 and 255",
            "",
        ),
        (
            "access = { runn = ['ops'] }",
            1,
            "`runn` is nothing",
            "`run`",
        ),
        (
            "access = { run = 'ops' }",
            1,
            "a list is wanted",
            "[\"ops\"]",
        ),
        (
            "access = { run = ['Ops'] }",
            1,
            "neither a group nor a user",
            "user:ann",
        ),
        (
            "lang.german = { title = 'x' }",
            1,
            "not a language tag",
            "`de`",
        ),
        ("lang.de = { titel = 'x' }", 1, "`titel`", "`title`"),
        (
            "option = '--x'",
            1,
            "is a key of a parameter",
            "move it down",
        ),
        ("title = \"a\\u0000b\"", 1, "NUL", ""),
        ("order = 99999999999999999999", 1, "64 bits", ""),
    ] {
        assert_mistake(toml, line, message, mend);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row for each mistake")]
fn mistakes_in_parameter_keys_are_told_with_their_mend() {
    for (toml, line, message, mend) in [
        (
            "timeout = '1h'",
            3,
            "`timeout` is a key of the script",
            "move it up",
        ),
        (
            "opton = '-x'",
            3,
            "`opton` is not a key of a parameter",
            "`option`",
        ),
        (
            "groups = ['ops']",
            3,
            "`groups` is not in this version yet",
            "take it out",
        ),
        (
            "choices_from = { script = '_x' }",
            3,
            "not in this version yet",
            "take it out",
        ),
        (
            "type = 'file'",
            3,
            "`type = \"file\"` is not in this version yet",
            "",
        ),
        ("type = 'boolean'", 3, "`boolean` is not a type", "`flag`"),
        ("type = 'integr'", 3, "`integr` is not a type", "`integer`"),
        ("type = 'choice'", 3, "something to choose from", "choices"),
        (
            "type = 'integer'\ndefault = 'x'",
            4,
            "the parameter itself would refuse `x`",
            "",
        ),
        (
            "type = 'integer'\nmax = 5\ndefault = 7",
            5,
            "the parameter itself would refuse `7`",
            "",
        ),
        (
            "pattern = '[a-z]+'\ndefault = 'A'",
            4,
            "would refuse `A`",
            "",
        ),
        ("choices = ['a']\ndefault = 'b'", 4, "would refuse `b`", ""),
        ("choices = ['a']\nvalue = 'b'", 4, "would refuse `b`", ""),
        (
            "type = 'integer'\nchoices = ['1', 'x']",
            4,
            "would refuse `x`",
            "",
        ),
        ("choices = ['a', 'a']", 3, "second time", "take one"),
        ("choices = []", 3, "empty", "at least one"),
        ("choices = [{ label = 'x' }]", 3, "no value", "value ="),
        (
            "choices = ['a', true]",
            3,
            "a text in quotes is wanted",
            "\"true\"",
        ),
        (
            "choices = ['a']\nsuggestions = ['b']",
            4,
            "leave none free",
            "keep one",
        ),
        (
            "type = 'integer'\nsuggestions = ['b']",
            4,
            "would refuse `b`",
            "",
        ),
        (
            "value = 'a'\ndefault = 'a'",
            3,
            "no room for a default",
            "keep",
        ),
        ("default = ['a']", 3, "this is a list", "multiple"),
        (
            "multiple = 'repeat'\ndefault = 'a'",
            4,
            "a list of values is wanted",
            "[\"a\"]",
        ),
        (
            "multiple = 'repeat'\nmin_items = 2\ndefault = ['a']",
            5,
            "`min_items`",
            "",
        ),
        (
            "multiple = 'many'",
            3,
            "not a way to pass several",
            "repeat",
        ),
        (
            "multiple = 'spread'\noption = '--x='",
            3,
            "one word with the option",
            "repeat",
        ),
        (
            "separator = ','",
            3,
            "means nothing without `multiple`",
            "join",
        ),
        (
            "min_items = 1",
            3,
            "means nothing without `multiple`",
            "repeat",
        ),
        ("type = 'flag'", 3, "a flag needs a text", "option"),
        ("type = 'count'", 3, "a count needs the option", "-v"),
        (
            "type = 'flag'\noption = '--x='",
            4,
            "expects a value",
            "without `=`",
        ),
        (
            "type = 'flag'\noption = '-x'\ndefault = 'yes'",
            5,
            "true or false is wanted",
            "true",
        ),
        (
            "type = 'flag'\noption = '-x'\nmin = 1",
            5,
            "`min` means nothing for the type flag",
            "integer",
        ),
        (
            "min = 1",
            3,
            "`min` means nothing for the type text",
            "integer",
        ),
        (
            "on = 'x'",
            3,
            "`on` means nothing for the type text",
            "flag",
        ),
        (
            "type = 'integer'\nmin = 'x'",
            4,
            "`min` is not a value of the type integer",
            "",
        ),
        (
            "type = 'integer'\nmin = 5\nmax = 1",
            5,
            "`max` is less than `min`",
            "exchange",
        ),
        ("type = 'integer'\nstep = 0", 4, "not a step", "above zero"),
        ("type = 'time'\nstep = 'x'", 4, "not a step", "15m"),
        (
            "min_length = 5\nmax_length = 1",
            4,
            "less than `min_length`",
            "exchange",
        ),
        (
            "pattern = '('",
            3,
            "not a regular expression",
            "single quotes",
        ),
        ("pattern = '(?=x)'", 3, "look-around", "look-around"),
        ("pattern_help = 'x'", 3, "without `pattern`", "take it out"),
        ("type = 'date'\nformat = '%Q'", 4, "%Q", ""),
        (
            "format = '%Y'",
            3,
            "means nothing for the type text",
            "date",
        ),
        ("type = 'path'", 1, "never leaves", "root"),
        ("type = 'path'\nroot = 'data'", 4, "absolute path", "/srv"),
        (
            "type = 'path'\nroot = '/srv'\nkind = 'directory'",
            5,
            "not a kind",
            "`folder`",
        ),
        ("option = '--x y'", 3, "one word", "alone"),
        ("joined = true", 3, "without `option`", "-j"),
        ("pass = 'argv'", 3, "not a way to pass", "`arg`"),
        ("pass = 'env'\noption = '-x'", 4, "is for arguments", "take"),
        ("pass = 'none'\nenv = 'X'", 4, "passes nothing", "env"),
        ("env = 'PATH'", 3, "no client may set it", "`PARAM_P`"),
        ("env = 'LD_PRELOAD'", 3, "no client may set it", "`PARAM_P`"),
        ("env = 'PYTHONPATH'", 3, "no client may set it", "`PARAM_P`"),
        ("env = 'A-B'", 3, "not the name", "`PARAM_P`"),
        (
            "secret = true\npass = 'arg'",
            4,
            "never stands among the arguments",
            "CREDENTIALS_DIRECTORY",
        ),
        (
            "secret = true\noption = '-p'",
            4,
            "a secret has no option",
            "CREDENTIALS_DIRECTORY",
        ),
        (
            "secret = true\nenv = 'X'",
            4,
            "no variable",
            "pass = \"env\"",
        ),
        (
            "secret = true\ndefault = 'x'",
            4,
            "write a secret down",
            "take it out",
        ),
        ("use = 'host'", 3, "no shared parameter `host`", "_folder"),
        (
            "when = { p = 'a' }",
            3,
            "cannot depend on itself",
            "another",
        ),
        (
            "when = { q = 'a' }",
            3,
            "there is no parameter `q`",
            "parameter of this script",
        ),
        (
            "when = { 'q.state' = 'up' }",
            3,
            "not in this version yet",
            "value itself",
        ),
    ] {
        assert_mistake(
            &format!("[[param]]\nname = 'p'\n{toml}"),
            line,
            message,
            mend,
        );
    }
}

#[test]
fn mistakes_between_parameters_are_told_with_their_mend() {
    for (toml, line, message, mend) in [
        (
            "[[param]]\nname = 'a'\n[[param]]\nname = 'a'",
            4,
            "two parameters `a`",
            "another name",
        ),
        (
            "[[param]]\nname = 'a'\nenv = 'X'\n[[param]]\nname = 'b'\nenv = 'X'",
            6,
            "`a` already sets",
            "another name",
        ),
        (
            "[[param]]\nname = 'a'\nrequired = false\n[[param]]\nname = 'b'",
            1,
            "`a` may be left out, but `b`",
            "`b` first",
        ),
        (
            "[[param]]\nname = 'mode'\nchoices = ['one']\n[[param]]\nname = 'b'\nwhen = { mod = 'one' }",
            6,
            "no parameter `mod`",
            "`mode`",
        ),
        (
            "[[param]]\nname = 'mode'\nchoices = ['one']\n[[param]]\nname = 'b'\nwhen = { mode = ['one', 'two'] }",
            6,
            "`mode` is never `two`",
            "",
        ),
        (
            "[[param]]\nname = 'f'\ntype = 'flag'\noption = '-f'\n[[param]]\nname = 'b'\nwhen = { f = 'yes' }",
            7,
            "never `yes`",
            "true",
        ),
        (
            "[[param]]\nname = 'Keep Days'",
            2,
            "not allowed",
            "`name = \"keep-days\"`",
        ),
        ("[[param]]\ntitle = 'x'", 1, "has no name", "name ="),
        ("[param]\nname = 'x'", 1, "a list is wanted", "[[param]]"),
    ] {
        assert_mistake(toml, line, message, mend);
    }
    let circle = "[[param]]\nname = 'a'\noption = '-a'\nwhen = { b = 'x' }\n[[param]]\nname = 'b'\noption = '-b'\nwhen = { a = 'x' }";
    let found = problems(circle);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found
            .iter()
            .all(|p| p.message.contains("depends on itself"))
    );
}

#[test]
fn every_mistake_is_told_and_not_only_the_first() {
    assert_eq!(
        problems(
            "titel = 'x'\ntimeout = 30\n[[param]]\nname = 'P'\n[[param]]\nname = 'q'\ntype = 'x'"
        )
        .len(),
        4
    );
}

#[test]
fn a_mistake_prints_file_line_column_caret_and_mend() {
    let found = problems("timeout = 30");
    assert_eq!(
        found[0].to_string(),
        "x.sh:3:13: `30` has no unit; write 30s, 10m, 2h, 1d or 1h30m\n  3 | # timeout = 30\n    |             ^^\n  \
         mend: write a number and its unit in quotes, as in `\"30s\"`"
    );
}

#[test]
fn files_that_could_not_start_are_told() {
    let block = "# /// stagedoor\n# ///\n";
    for (content, mode, message, mend) in [
        (shell(""), 0o644, "not executable", "chmod +x x.sh"),
        (
            shell(""),
            0o757,
            "every account of this machine may change",
            "chmod o-w",
        ),
        (shell(""), 0o4755, "setuid", "chmod u-s"),
        (
            block.to_owned(),
            0o755,
            "neither a program nor begins with a shebang",
            "#!/usr/bin/env",
        ),
        (
            format!("#!/bin/sh\r\n{block}"),
            0o755,
            "CR LF",
            "Unix line ends",
        ),
        (
            format!("\u{FEFF}#!/bin/sh\n{block}"),
            0o755,
            "byte order mark",
            "without",
        ),
        (format!("#!\n{block}"), 0o755, "names no interpreter", "env"),
        (
            format!("#!bash\n{block}"),
            0o755,
            "not an absolute path",
            "env",
        ),
        (
            format!("#!/no/such/thing\n{block}"),
            0o755,
            "`/no/such/thing` is not there",
            "install",
        ),
        (
            format!("#!/usr/bin/env no-such-thing\n{block}"),
            0o755,
            "asks for `no-such-thing`",
            "install",
        ),
    ] {
        let folder = ScriptFolder::with(&[("x.sh", &content)]);
        folder.chmod("x.sh", mode);
        let found = folder.check().problems;
        assert_eq!(found.len(), 1, "{content}\n{found:?}");
        assert!(found[0].message.contains(message), "{}", found[0]);
        assert!(
            found[0].mend.as_ref().is_some_and(|m| m.contains(mend)),
            "{}",
            found[0]
        );
    }
}

#[test]
fn an_interpreter_makes_the_execute_bit_and_the_shebang_needless() {
    let block = "# /// stagedoor\r\n# interpreter = 'sh'\r\n# ///\r\n";
    for (content, mode) in [
        (block.to_owned(), 0o644),
        (format!("\u{FEFF}#!/no/such\r\n{block}"), 0o644),
    ] {
        let folder = ScriptFolder::with(&[("x.sh", &content)]);
        folder.chmod("x.sh", mode);
        assert_eq!(folder.check().problems, []);
    }
}

#[test]
fn two_scripts_of_one_name_are_both_disabled() {
    let folder = ScriptFolder::with(&[
        ("a.sh", &shell("")),
        ("a.py", &shell("")),
        ("b.sh", &shell("name = 'a'")),
    ]);
    let snapshot = folder.catalog().snapshot();
    assert!(snapshot.is_empty());
    assert_eq!(snapshot.broken().len(), 3);
    let problem = &snapshot.broken()[0].problems[0];
    assert!(
        problem.message.contains("`a`")
            && problem.message.contains("`a.sh`")
            && problem.message.contains("`b.sh`"),
        "{problem}"
    );
    let folder = ScriptFolder::with(&[("a.sh", &shell("")), ("a.py", &shell("name = 'a2'"))]);
    assert_eq!(folder.names(), ["a", "a2"]);
}

#[test]
fn a_good_script_does_not_take_the_place_of_a_broken_one() {
    let folder = ScriptFolder::with(&[("a.sh", &shell("")), ("a.py", &shell("titel = 'x'"))]);
    assert!(folder.names().is_empty());
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row for each mistake")]
fn mistakes_in_files_beside_scripts_point_into_those_files() {
    for (files, at, message) in [
        (
            vec![("x.stagedoor.toml", "title = 'x'")],
            ("x.stagedoor.toml", 1),
            "nothing says what to start",
        ),
        (
            vec![("x.stagedoor.toml", "title = 'x'\ncommand = 'git pull'")],
            ("x.stagedoor.toml", 2),
            "a list is wanted",
        ),
        (
            vec![("x.stagedoor.toml", "command = []")],
            ("x.stagedoor.toml", 1),
            "empty",
        ),
        (
            vec![("x.stagedoor.toml", "command = ['no-such-thing']")],
            ("x.stagedoor.toml", 1),
            "there is no program",
        ),
        (
            vec![("x.stagedoor.toml", "command = ['../x']")],
            ("x.stagedoor.toml", 1),
            "neither a bare name",
        ),
        (
            vec![("x.stagedoor.toml", "command = ['./../x']")],
            ("x.stagedoor.toml", 1),
            "leaves the folder",
        ),
        (
            vec![("x.stagedoor.toml", "command = ['./gone']")],
            ("x.stagedoor.toml", 1),
            "no such file",
        ),
        (
            vec![("x.stagedoor.toml", "command = ['ls']\ninterpreter = 'sh'")],
            ("x.stagedoor.toml", 2),
            "goes with a file",
        ),
        (
            vec![(
                "x.stagedoor.toml",
                "title = 'x'\n[[script]]\nname = 'a'\ncommand = ['ls']",
            )],
            ("x.stagedoor.toml", 1),
            "stands beside `[[script]]`",
        ),
        (
            vec![
                ("x", "#!/bin/sh\n"),
                ("x.stagedoor.toml", "[[script]]\nname = 'a'"),
            ],
            ("x.stagedoor.toml", 1),
            "which is one script",
        ),
        (
            vec![("x.stagedoor.toml", "title = '\u{e4}'\ncommand = [\n")],
            ("x.stagedoor.toml", 2),
            "not TOML",
        ),
        (
            vec![("d/_folder.stagedoor.toml", "timeout = '1h'")],
            ("d/_folder.stagedoor.toml", 1),
            "key of the scripts of this folder",
        ),
        (
            vec![("d/_folder.stagedoor.toml", "[defaults]\ntitle = 'x'")],
            ("d/_folder.stagedoor.toml", 2),
            "belongs to one script",
        ),
        (
            vec![("d/_folder.stagedoor.toml", "[defaults]\ntimeot = '1h'")],
            ("d/_folder.stagedoor.toml", 2),
            "`timeot`",
        ),
        (
            vec![
                ("d/_folder.stagedoor.toml", "[defaults]\ntimeout = 1"),
                ("d/a.sh", &shell("")),
                ("d/b.sh", &shell("")),
            ],
            ("d/_folder.stagedoor.toml", 2),
            "no unit",
        ),
        (
            vec![("b\u{e4}d/x.sh", &shell(""))],
            ("b\u{e4}d/x.sh", 2),
            "cannot be part of a name",
        ),
        (
            vec![("b d.sh", &shell(""))],
            ("b d.sh", 2),
            "the file's name cannot be the script's",
        ),
    ] {
        let found = ScriptFolder::with(&files).check().problems;
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 1, "{files:?}\n{}", told.join("\n"));
        assert_eq!((found[0].file.as_str(), found[0].line), at, "{}", found[0]);
        assert!(found[0].message.contains(message), "{}", found[0]);
    }
}

#[test]
fn a_file_that_is_not_utf_8_is_told_with_its_line() {
    let folder = ScriptFolder::new();
    std::fs::write(
        folder.path("x.stagedoor.toml"),
        b"title = 'x'\nicon = '\xff'\n",
    )
    .expect("a file");
    let found = folder.check().problems;
    assert_eq!(
        (found[0].line, found[0].message.as_str()),
        (2, "this line is not UTF-8")
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let folder = ScriptFolder::with(&[("x.sh", &shell("")), ("y.sh", &shell(""))]);
    folder.chmod("x.sh", 0o311);
    // Root reads everything: then there is nothing to tell.
    if std::fs::read(folder.path("x.sh")).is_ok() {
        assert_eq!(folder.names(), ["x", "y"]);
        return;
    }
    assert_eq!(folder.names(), ["y"]);
    assert!(
        folder.check().problems[0]
            .message
            .contains("cannot be read")
    );
}

#[test]
fn a_shared_parameters_mistake_points_at_the_folders_file() {
    let found = ScriptFolder::with(&[
        (
            "_folder.stagedoor.toml",
            "[[param]]\nname = 'host'\ntype = 'hostnam'\n",
        ),
        ("x.sh", &shell("[[param]]\nuse = 'host'")),
    ])
    .check()
    .problems;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].file.as_str(), found[0].line),
        ("_folder.stagedoor.toml", 3)
    );
}

#[test]
fn an_unknown_shared_parameter_gets_the_nearest_one() {
    let found = ScriptFolder::with(&[
        ("_folder.stagedoor.toml", "[[param]]\nname = 'host'\n"),
        ("x.sh", &shell("[[param]]\nuse = 'hots'")),
    ])
    .check()
    .problems;
    assert_eq!(found[0].mend.as_deref(), Some("did you mean `host`?"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn any_file_is_read_without_panic(words in proptest::collection::vec(0..WORDS.len(), 0..40)) {
        let toml: String = words.into_iter().map(|word| WORDS[word]).collect();
        for problem in problems(&toml) {
            let _ = problem.to_string();
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn files_of_any_bytes_are_read_without_panic(bytes: Vec<u8>, sidecar: Vec<u8>) {
        let folder = ScriptFolder::with(&[("x.sh", ""), ("y.stagedoor.toml", "")]);
        let mut header = b"#!/bin/sh\n# /// stagedoor\n# ".to_vec();
        header.extend(&bytes);
        std::fs::write(folder.path("x.sh"), header).expect("a file");
        std::fs::write(folder.path("y.stagedoor.toml"), sidecar).expect("a file");
        for problem in folder.check().problems {
            let _ = problem.to_string();
        }
    }
}

/// Pieces that make texts which are often nearly definitions.
const WORDS: &[&str] = &[
    "[[param]]\n",
    "[param]\n",
    "[[script]]\n",
    "name = ",
    "title = ",
    "type = ",
    "default = ",
    "choices = ",
    "when = ",
    "min = ",
    "max = ",
    "step = ",
    "pattern = ",
    "multiple = ",
    "access = ",
    "limits = ",
    "env = ",
    "timeout = ",
    "lang.de = ",
    "use = ",
    "'a'\n",
    "'flag'\n",
    "'integer'\n",
    "7\n",
    "-1.5\n",
    "true\n",
    "['a', 'b']\n",
    "[]\n",
    "{ a = 'b' }\n",
    "{ run = ['ops'] }\n",
    "2026-01-01\n",
    "\n",
    "[",
    "]",
    "'",
    "\"",
    "=",
    "é",
    "\u{0}",
    "# ///\n",
];

#[test]
fn a_word_for_the_network_is_told_as_what_it_means() {
    for (word, meant) in [
        ("no", "`false`"),
        ("off", "`false`"),
        ("false", "`false`"),
        ("None", "`false`"),
        ("yes", "`true`"),
        ("all", "`true`"),
        ("443", "`[443]`"),
    ] {
        let toml = format!("sandbox = {{ network = '{word}' }}");
        assert_mistake(&toml, 1, "or a list of ports is wanted here", meant);
    }
    assert!(problems("sandbox = { network = false }").is_empty());
}

#[test]
fn keys_of_limits_and_of_the_sandbox_are_led_to_their_table() {
    for (toml, line, table) in [
        ("memory = '64MiB'", 1, "limits"),
        ("cpu = '1s'", 1, "limits"),
        ("processes = 4", 1, "limits"),
        ("network = false", 1, "sandbox"),
        ("read = ['/srv']", 1, "sandbox"),
        ("write = ['/srv']", 1, "sandbox"),
        ("level = 'strict'", 1, "sandbox"),
        ("sandbox = { memory = '64MiB' }", 1, "limits"),
        ("limits = { network = false }", 1, "sandbox"),
        ("limits = { level = 'strict' }", 1, "sandbox"),
        ("[[param]]\nname = 'x'\nprocesses = 4", 3, "limits"),
    ] {
        assert_mistake(
            toml,
            line,
            &format!("belongs into `{table}`"),
            &format!("`{table} = {{ "),
        );
    }
    // A parameter has one of that name.
    assert_mistake("required = true", 1, "is a key of a parameter", "[[param]]");
    assert!(problems("limits = { memory = '64MiB' }\nsandbox = { level = 'strict' }").is_empty());
}
