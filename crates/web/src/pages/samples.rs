//! Every template, rendered with hostile texts in every place that takes text.

mod admin;
mod any_text;

use askama::Template;
use stagedoor_domain::run::State as RunState;

use super::account::password::Wrong;
use super::account::{AccountPage, SessionRow};
use super::arrival::ArrivalPage;
use super::audit_log::{self, AuditLogPage};
use super::blocked::{BlockedPage, BlockedRow};
use super::catalog::{Card, CatalogPage, FolderView, LastRun};
use super::confirm::ConfirmPage;
use super::health::{BrokenView, HealthPage, ProblemView};
use super::login::LoginPage;
use super::markdown::{self, Prose};
use super::policy_reports::{PolicyReportsPage, ReportRow};
use super::problem::ProblemPage;
use super::run::html::{Framed, Report};
use super::run::output;
use super::run::search::Found;
use super::run::{HeldBy, RunPage};
use super::runs::{Filter, OutcomeOption, Row, RunsPage};
use super::said::{Chip, When};
use super::script::field::{Choosable, Control, Field, Line};
use super::script::view::{DocsView, ScriptPage, Section};
use super::setup::SetupPage;
use super::shell::{Here, Person, Shell};
use super::stale::StalePage;
use crate::assets::Script;
use crate::base_path::BasePath;
use crate::language::Text;

/// Each would make markup, if one template wrote it as it is.
const HOSTILE: [&str; 4] = [
    r#""><svg onload=alert(1)>"#,
    "'><img src=x onerror=alert(1)>",
    "</textarea></title></option><script>alert(1)</script>",
    "<a href=javascript:alert(1)>x</a>",
];

fn shell(x: &str) -> Shell {
    Shell {
        person: Some(Person {
            name: x.to_owned(),
            admin: true,
        }),
        here: Some(Here::Scripts),
        ..Shell::outside(&BasePath::new("/door"), x.to_owned())
    }
}

fn file(x: &str) -> Script {
    Script {
        address: x.to_owned().into(),
        integrity: x.to_owned().into(),
    }
}

fn chip(x: &str) -> Chip {
    Chip {
        class: "ok",
        icon: "check",
        word: x.to_owned(),
    }
}

fn when(x: &str) -> When {
    When {
        iso: x.to_owned(),
        text: x.to_owned(),
        ago: x.to_owned(),
    }
}

fn text(x: &str) -> Text {
    Text {
        text: x.to_owned(),
        lang: Some(x.to_owned()),
    }
}

fn prose(x: &str) -> Prose {
    Prose {
        pieces: markdown::pieces(&format!("`{x}` **\\{x}** [{x}](https://x.example/?{x})")),
        lang: Some(x.to_owned()),
    }
}

fn row(x: &str) -> Row {
    Row {
        href: x.to_owned(),
        title: text(x),
        chip: chip(x),
        arguments: x.to_owned(),
        user: x.to_owned(),
        when: when(x),
        took: x.to_owned(),
    }
}

fn choosable(x: &str) -> Choosable {
    Choosable {
        value: x.to_owned(),
        label: x.to_owned(),
        disabled: true,
        chosen: true,
        when: Some(x.to_owned()),
    }
}

fn field(x: &str, control: Control) -> Field {
    Field {
        name: x.to_owned(),
        title: text(x),
        description: prose(x),
        hint: x.to_owned(),
        error: Some(x.to_owned()),
        required: true,
        optional: true,
        wide: true,
        when: Some(x.to_owned()),
        when_note: x.to_owned(),
        control,
    }
}

fn fields(x: &str) -> Vec<Field> {
    let line = Line {
        kind: "text",
        value: x.to_owned(),
        mode: "url",
        min: x.to_owned(),
        max: x.to_owned(),
        step: x.to_owned(),
        min_length: Some(1),
        max_length: Some(2),
        placeholder: x.to_owned(),
        suggestions: vec![choosable(x)],
    };
    let texts = vec![x.to_owned(), x.to_owned()];
    vec![
        field(x, Control::Line(line)),
        field(
            x,
            Control::Area {
                texts,
                rows: 2,
                placeholder: x.to_owned(),
                secret: true,
            },
        ),
        field(
            x,
            Control::Select {
                empty: Some("None"),
                options: vec![choosable(x)],
            },
        ),
        field(
            x,
            Control::Boxes {
                options: vec![choosable(x)],
            },
        ),
        field(x, Control::Tick { on: true }),
    ]
}

fn script(x: &str) -> ScriptPage {
    ScriptPage {
        shell: shell(x),
        form_script: file(x),
        name: x.to_owned(),
        folder: x.to_owned(),
        title: text(x),
        icon: Some(x.to_owned()),
        action: x.to_owned(),
        description: prose(x),
        docs: Some(DocsView {
            pieces: markdown::pieces(x),
            is_cut: true,
        }),
        disabled: Some(x.to_owned()),
        may_run: true,
        notice: Some(x.to_owned()),
        wrong: 1,
        other_errors: vec![x.to_owned()],
        fixed: vec![(x.to_owned(), x.to_owned())],
        sections: vec![Section {
            title: Some(x.to_owned()),
            fields: fields(x),
        }],
        advanced: fields(x),
        advanced_open: true,
        confirm: Some(x.to_owned()),
        ask_again: true,
        timeout: x.to_owned(),
        rows: vec![row(x)],
        all_runs: x.to_owned(),
    }
}

fn run(x: &str) -> RunPage {
    let piece = |class: &str| output::Piece {
        class: class.to_owned(),
        text: x.to_owned(),
    };
    RunPage {
        shell: shell(x),
        run_script: file(x),
        id: x.to_owned(),
        title: text(x),
        script: x.to_owned(),
        script_href: Some(x.to_owned()),
        again: Some(x.to_owned()),
        chip: chip(x),
        sentence: x.to_owned(),
        reason: Some(x.to_owned()),
        state: RunState::Running.word(),
        live: true,
        may_stop: true,
        now_ms: 1,
        started_ms: Some(1),
        took: x.to_owned(),
        user: x.to_owned(),
        created: when(x),
        started: Some(when(x)),
        ended: Some(when(x)),
        arguments: vec![(x.to_owned(), x.to_owned())],
        leftovers: 2,
        account: Some(x.to_owned()),
        sandbox: Some(HeldBy {
            level: "strict",
            lacks_some: true,
            measures: vec!["cannot use the network"],
            missing: vec![("is held", x.to_owned())],
            unpinned: Some(x.to_owned()),
        }),
        framed: Framed::Now(Report {
            address: x.to_owned(),
            cut: Some((8, 9)),
            unfold: true,
        }),
        rows: vec![output::Row {
            number: 1,
            is_error: true,
            spans: vec![piece(""), piece("f1")],
        }],
        above: 3,
        output_error: false,
        stdout: x.to_owned(),
        stderr: x.to_owned(),
        query: x.to_owned(),
        found: Some(Found {
            hits: vec![(1, x.to_owned()), (2, x.to_owned())],
            from: Some(1),
            next: Some((3, x.to_owned())),
            error: None,
        }),
    }
}

fn catalog(x: &str) -> CatalogPage {
    let card = |disabled, last| Card {
        href: x.to_owned(),
        title: text(x),
        icon: Some(x.to_owned()),
        summary: text(x),
        disabled,
        may_run: true,
        last,
        search: x.to_owned(),
    };
    let last = LastRun {
        chip: chip(x),
        ago: x.to_owned(),
        took: x.to_owned(),
    };
    let folder = || FolderView {
        id: x.to_owned(),
        is_root: false,
        title: x.to_owned(),
        icon: Some(x.to_owned()),
        cards: Vec::new(),
    };
    let cards = vec![card(Some(x.to_owned()), None), card(None, Some(last))];
    CatalogPage {
        shell: shell(x),
        search_script: file(x),
        query: x.to_owned(),
        folders: vec![
            FolderView { cards, ..folder() },
            folder(),
            folder(),
            folder(),
        ],
        count: 2,
        broken: 2,
    }
}

fn runs(x: &str) -> RunsPage {
    RunsPage {
        shell: shell(x),
        filter: Filter::of_samples(x),
        outcomes: vec![OutcomeOption {
            word: "lost",
            label: x.to_owned(),
            chosen: true,
        }],
        error: None,
        rows: vec![row(x)],
        is_filtered: true,
        newer: Some(x.to_owned()),
        older: Some(x.to_owned()),
    }
}

fn health(x: &str) -> HealthPage {
    let problem = ProblemView {
        place: x.to_owned(),
        message: x.to_owned(),
        source: x.to_owned(),
        mend: Some(x.to_owned()),
    };
    HealthPage {
        shell: shell(x),
        only: Some(x.to_owned()),
        running: 1,
        waiting: 1,
        scripts: 1,
        reports: 1,
        blocked: 1,
        broken: vec![BrokenView {
            title: x.to_owned(),
            problems: vec![problem],
        }],
    }
}

fn policy_reports(x: &str) -> PolicyReportsPage {
    PolicyReportsPage {
        shell: shell(x),
        rows: vec![ReportRow {
            tried: "Run a script",
            directive: x.to_owned(),
            blocked: x.to_owned(),
            page: x.to_owned(),
            source: x.to_owned(),
            count: 1,
            first: when(x),
            last: when(x),
        }],
        dropped: 1,
    }
}

fn blocked(x: &str) -> BlockedPage {
    BlockedPage {
        shell: shell(x),
        rows: vec![BlockedRow {
            id: x.to_owned(),
            what: x.to_owned(),
            network: x.to_owned(),
            rounds: 2,
            last: when(x),
            until: when(x),
        }],
        more: 1,
        failures: 5,
        first: x.to_owned(),
    }
}

fn audit_log(x: &str) -> AuditLogPage {
    let choices = || {
        vec![audit_log::Choice {
            word: "done",
            label: x.to_owned(),
            chosen: true,
        }]
    };
    let row = |run: Option<String>| audit_log::Row {
        seq: 1,
        when: when(x),
        who: x.to_owned(),
        by: x.to_owned(),
        address: x.to_owned(),
        act: x.to_owned(),
        target: x.to_owned(),
        run,
        chip: chip(x),
        details: vec![(x.to_owned(), x.to_owned())],
    };
    AuditLogPage {
        shell: shell(x),
        filter: audit_log::Filter::of_samples(x),
        acts: choices(),
        outcomes: choices(),
        error: None,
        rows: vec![row(None), row(Some(x.to_owned()))],
        is_filtered: true,
        newest: Some(x.to_owned()),
        older: Some(x.to_owned()),
    }
}

fn account(x: &str, is_external: bool) -> AccountPage {
    let session = |is_this| SessionRow {
        id: x.to_owned(),
        browser: x.to_owned(),
        address: x.to_owned(),
        began: when(x),
        seen: when(x),
        is_this,
    };
    AccountPage {
        shell: shell(x),
        name: x.to_owned(),
        groups: vec![x.to_owned()],
        is_external,
        done: Some("Done."),
        wrong: Wrong {
            whole: Some(x.to_owned()),
            old: Some(x.to_owned()),
            new: Some(x.to_owned()),
        },
        sessions: vec![session(true), session(false)],
    }
}

/// Every template, with its name.
fn pages(x: &str) -> Vec<(&'static str, String)> {
    let html = |template: askama::Result<String>| template.expect("rendered");
    let login = LoginPage {
        shell: shell(x),
        name: x,
        next: x,
        error: Some(x),
    };
    let setup = SetupPage {
        shell: shell(x),
        key: Some(x),
        name: x,
        error: Some(x),
        name_error: Some(x),
        password_error: Some(x),
    };
    let problem = ProblemPage {
        shell: shell(x),
        status: 500,
        title: x,
        detail: x,
        request: Some(x),
        cause: Some(x),
    };
    let field = (x.to_owned(), x.to_owned());
    let confirm = ConfirmPage {
        shell: shell(x),
        action: "/x",
        name: x.to_owned(),
        fields: vec![&field],
        left_out: true,
        counts_for: x.to_owned(),
        error: Some(x),
    };
    let stale = StalePage {
        shell: shell(x),
        action: "/x",
        fields: vec![&field],
        left_out: false,
    };
    let none = RunsPage {
        rows: Vec::new(),
        error: Some(x.to_owned()),
        ..runs(x)
    };
    let none_yet = RunsPage {
        rows: Vec::new(),
        ..runs(x)
    };
    let nothing = CatalogPage {
        folders: Vec::new(),
        ..catalog(x)
    };
    let mut all = vec![
        ("script.html", html(script(x).render())),
        ("run.html", html(run(x).render())),
        ("catalog.html", html(catalog(x).render())),
        ("catalog.html, nothing found", html(nothing.render())),
        ("runs.html", html(runs(x).render())),
        ("runs.html, not understood", html(none.render())),
        ("runs.html, none so far", html(none_yet.render())),
        ("health.html", html(health(x).render())),
        ("policy_reports.html", html(policy_reports(x).render())),
        ("blocked.html", html(blocked(x).render())),
        ("audit_log.html", html(audit_log(x).render())),
        ("login.html", html(login.render())),
        ("setup.html", html(setup.render())),
        ("problem.html", html(problem.render())),
        ("account.html", html(account(x, false).render())),
        ("account.html", html(account(x, true).render())),
        ("confirm.html", html(confirm.render())),
        ("stale.html", html(stale.render())),
        (
            "arrival.html",
            html(ArrivalPage { shell: shell(x) }.render()),
        ),
    ];
    all.extend(admin::pages(x));
    all
}

#[test]
fn w27_no_template_lets_a_hostile_text_become_markup() {
    for hostile in HOSTILE {
        for (name, html) in pages(hostile) {
            assert!(
                !html.contains(hostile),
                "{name} writes {hostile:?} as it is"
            );
            for begun in [
                "<svg onload",
                "<img ",
                "<script>",
                "<a href=javascript",
                "</title></option>",
            ] {
                assert!(!html.contains(begun), "{name} has {begun:?}");
            }
        }
    }
}

#[test]
fn a_hostile_text_is_shown_as_it_is_written() {
    for (name, html) in pages(HOSTILE[0]) {
        assert!(
            html.contains("&#34;&#62;&#60;svg onload=alert(1)&#62;"),
            "{name}"
        );
    }
}

#[test]
fn a_page_of_runs_that_found_none_so_far_leads_on_and_one_at_the_end_does_not() {
    let shown = |older: Option<&str>| {
        let page = RunsPage {
            rows: Vec::new(),
            older: older.map(str::to_owned),
            ..runs("x")
        };
        page.render().expect("rendered")
    };
    let link = "<a href=\"/door/runs?cursor=1\">Look at older ones</a>";
    let (so_far, at_the_end) = (shown(Some("/runs?cursor=1")), shown(None));
    assert!(so_far.contains(link) && !so_far.contains("No run matches"));
    assert!(!at_the_end.contains("older ones") && at_the_end.contains("No run matches"));
}

#[test]
fn every_address_of_a_template_stands_below_the_base_path() {
    for (name, html) in pages("/x") {
        let mut seen = 0;
        for attribute in [" href=\"", " src=\"", " action=\""] {
            for address in html.split(attribute).skip(1) {
                let address = address.split('"').next().unwrap_or("");
                let is_author_s = address.starts_with("https://");
                assert!(
                    is_author_s
                        || address.is_empty()
                        || address.starts_with('#')
                        || address.starts_with("/door/"),
                    "{name}:{attribute}{address}"
                );
                seen += usize::from(address.starts_with("/door/"));
            }
        }
        assert!(seen > 2, "{name}");
    }
}

#[test]
fn no_template_has_a_style_or_a_script_of_its_own() {
    for (name, html) in pages("x") {
        for begun in [
            " style=",
            "<style",
            " onclick=",
            " onload=",
            "<script>",
            "javascript:",
        ] {
            assert!(!html.contains(begun), "{name} has {begun:?}");
        }
    }
}

#[test]
fn every_form_that_changes_something_begins_with_its_token() {
    for (name, html) in pages("x") {
        for form in html
            .split("<form")
            .skip(1)
            .filter(|form| form.contains("method=\"post\""))
        {
            let first = form.split("<input").nth(1).unwrap_or("");
            assert!(first.contains("name=\"csrf_token\""), "{name}: {form}");
        }
    }
}

#[test]
fn no_template_switches_escaping_off() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let files = std::fs::read_dir(folder).expect("the folder of templates");
    let mut seen = 0;
    for file in files {
        let path = file.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(
            path.extension().is_some_and(|end| end == "html"),
            "{}",
            path.display()
        );
        for banned in ["|safe", "| safe", "|escape", "| escape", "autoescape"] {
            assert!(!text.contains(banned), "{}: {banned}", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 14, "{seen}");
}
