//! Blocks good and bad.

use super::*;

fn found(content: &str) -> Option<Found> {
    find("x", content.as_bytes(), false).expect("a good block")
}

fn problem(content: &str) -> Problem {
    let problems = find("x", content.as_bytes(), false).expect_err("a bad block");
    problems.into_iter().next().expect("one problem")
}

#[test]
fn every_lead_is_known() {
    for lead in LEADS {
        let space = if lead.is_empty() { "" } else { " " };
        for end in ["\n", "\r\n"] {
            let content = [
                "first".to_owned(),
                format!("{lead}{space}/// stagedoor"),
                format!("{lead}{space}title = 'x'"),
                lead.to_owned(),
                format!("{lead}{space}///"),
                "rest".to_owned(),
            ]
            .join(end);
            let found = found(&content).expect("a definition");
            assert!(found.table.has("title"), "{lead:?}");
            assert_eq!(found.mark.line(), 2, "{lead:?}");
        }
    }
    assert!(found("rem /// stagedoor\nREM title = 'x'\nRem ///\n").is_some());
}

#[test]
fn a_byte_order_mark_is_accepted() {
    assert!(found("\u{FEFF}# /// stagedoor\n# ///\n").is_some());
}

#[test]
fn a_file_without_a_block_has_no_definition() {
    for content in [
        "",
        "# /// script\n# ///\n",
        "see `/// stagedoor`\n",
        "  # /// stagedoor\n",
        "\u{7f}ELF\n# /// stagedoor\n",
    ] {
        assert!(found(content).is_none(), "{content:?}");
    }
}

#[test]
fn an_unclosed_block_is_an_error_at_the_line_that_leaves_it() {
    let p = problem("#!/bin/sh\n# /// stagedoor\n# title = 'x'\necho\n");
    assert_eq!(p.line, 4);
    assert_eq!(p.mend.as_deref(), Some("end the block with a line `# ///`"));
    assert_eq!(problem("# /// stagedoor\n# title = 'x'").line, 1);
    assert_eq!(
        problem("/// stagedoor\ntitle = 'x'").message,
        "this block is not closed"
    );
    let cut = find("x", b"/// stagedoor\n", true).expect_err("cut off");
    assert!(cut.to_string().contains("64 KiB"));
}

#[test]
fn a_second_block_is_an_error() {
    assert_eq!(
        problem("# /// stagedoor\n# ///\n\n# /// stagedoor\n# ///\n").line,
        4
    );
    assert_eq!(problem("# /// stagedoor\n# /// stagedoor\n# ///\n").line, 2);
}

#[test]
fn a_line_that_is_nearly_the_begin_is_told_and_not_ignored() {
    for line in [
        "#/// stagedoor",
        "#  /// stagedoor",
        "# /// Stagedoor",
        "# ///stagedoor",
        "///stagedoor",
    ] {
        let p = problem(&format!("x\n{line}\n"));
        assert_eq!(p.line, 2, "{line}");
        assert!(
            p.mend.is_some_and(|m| m.contains("/// stagedoor`")),
            "{line}"
        );
    }
    assert_eq!(
        problem("# /// stagedoor\n#title = 'x'\n# ///\n")
            .mend
            .as_deref(),
        Some("write `# title = 'x'`")
    );
}

#[test]
fn a_position_in_a_block_is_the_one_in_the_file() {
    let p = problem("#!/bin/sh\n\n# /// stagedoor\n# title = x\n# ///\n");
    assert_eq!((p.line, p.column), (4, 11));
    assert_eq!(p.source_line, "# title = x");
}

#[test]
fn bytes_that_are_not_utf_8_matter_only_inside_the_block() {
    assert!(
        find("x", b"\xff\n# /// stagedoor\n# ///\n\xff", false)
            .expect("fine")
            .is_some()
    );
    let bad =
        find("x", b"# /// stagedoor\n# title = '\xff'\n# ///\n", false).expect_err("not UTF-8");
    assert!(bad.to_string().contains("x:2:1: this line is not UTF-8"));
}

#[test]
fn python_blocks_need_a_blank_line_or_the_tool_table() {
    let script = "# /// script\n# dependencies = []\n# ///\n";
    let ours = "# /// stagedoor\n# title = 'x'\n# ///\n";
    assert!(found(&format!("{script}\n{ours}")).is_some());
    assert!(found(&format!("{ours}\n{script}")).is_some());
    assert!(found(&format!("{ours}import x\n{script}")).is_some());
    for adjacent in [format!("{script}{ours}"), format!("{ours}#\n# x\n{script}")] {
        assert!(
            problem(&adjacent)
                .mend
                .is_some_and(|m| m.contains("blank line"))
        );
    }
    let tool = "# /// script\n# [tool.stagedoor]\n# title = 'x'\n# ///\n";
    assert!(found(tool).is_some_and(|f| f.table.has("title") && f.mark.line() == 2));
    assert!(
        problem(&format!("{tool}\n{ours}"))
            .message
            .contains("two definitions")
    );
}

#[test]
fn a_python_block_that_is_not_about_us_is_left_to_others() {
    assert!(found("# /// script\n# this is = not toml\n# ///\n").is_none());
    assert!(found("# /// script\n").is_none());
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(start in 0..4usize, bytes: Vec<u8>) {
        let starts: [&[u8]; 4] = [b"", b"# /// stagedoor\n# ", b"/// stagedoor\n", b"# /// script\n# [tool.stagedoor]\n# "];
        let mut content = starts[start].to_vec();
        content.extend(bytes);
        content.extend(b"\n# ///\n///\n");
        let _ = find("x", &content, false);
    }
}
