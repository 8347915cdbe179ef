//! What lies beside scripts, is compiled from them or comes with their language is no script
//! (P5, P15).

use serde_json::json;

use crate::program::Program;
use crate::robot::Robot;
use crate::secure::{address, ask_plain, get};

const TOOL: &str = "#!/usr/bin/python3\n# /// stagedoor\n# access = { run = [\"everyone\"] }\n# ///\n\
                    import sys, helper\n\ndef main():\n    print(helper.word())\n\nmain()\n";
const HELPER: &str = "def word():\n    return 'from the helper'\n";
/// As if somebody had made a file of bytes look like a script.
const COMPILED: &str = "\u{7}\r\n# marker-of-bytes-4711\n";

#[test]
fn p15_no_module_function_or_builtin_can_be_called_by_its_name() {
    let program = Program::with_scripts(&[
        ("tool.py", TOOL),
        ("helper.py", HELPER),
        ("lib/__init__.py", HELPER),
        ("lib/more.py", HELPER),
    ]);
    let ann = Robot::user(&program);
    for name in [
        "sys",
        "sys/exit",
        "sys.exit",
        "os.system",
        "os/system",
        "builtins/print",
        "exit",
        "helper",
        "helper/word",
        "helper.word",
        "lib",
        "lib/more",
        "lib/__init__",
        "../lib",
        "../lib/more",
        "tool/main",
        "tool.main",
        "tool.helper.word",
        "__import__",
        "tool.__class__",
    ] {
        let status = ann.start(name, &json!({"word": "x"})).status;
        assert!(status == 404 || status == 422, "{name}: {status}");
        for path in ["/scripts", "/run", "/api/v1/scripts", "/web/scripts"] {
            let request = get(&format!("{path}/{name}"));
            let request = request.replace(
                "\r\n\r\n",
                &format!("\r\nAuthorization: {}\r\n\r\n", ann.credential()),
            );
            let answer = ask_plain(address(&program), request.as_bytes());
            assert!(!answer.starts_with("HTTP/1.1 2"), "{path}/{name}: {answer}");
        }
    }
    let run = ann.run("tool", &json!({}));
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert_eq!(ann.output(&run, "stdout"), b"from the helper\n");
}

#[test]
fn p5_what_a_language_compiles_is_neither_served_nor_started() {
    let program = Program::with_scripts(&[
        ("tool.py", TOOL),
        ("helper.py", HELPER),
        ("a.pyc", COMPILED),
        ("a.pyo", COMPILED),
        ("__pycache__/a.cpython-311.pyc", COMPILED),
        ("static/a.pyc", COMPILED),
    ]);
    let ann = Robot::user(&program);
    for name in [
        "a",
        "a.pyc",
        "a.pyo",
        "__pycache__/a.cpython-311",
        "static/a",
    ] {
        let status = ann.start(name, &json!({})).status;
        assert!(status == 404 || status == 422, "{name}: {status}");
    }
    for file in ["a.pyc", "a.pyo", "__pycache__/a.cpython-311.pyc"] {
        for folder in ["", "/static", "/static/0", "/scripts", "/api/v1/scripts"] {
            let answer = ann.get(&format!("{folder}/{file}"));
            // A page sends whoever is not signed in to sign in, whatever was asked for.
            assert!(
                matches!(answer.status, 303 | 404),
                "{folder}/{file}: {}",
                answer.status
            );
            assert!(
                !answer.text().contains("marker-of-bytes"),
                "{folder}/{file}"
            );
        }
    }
    assert_eq!(ann.run("tool", &json!({}))["outcome"], "succeeded");
}
