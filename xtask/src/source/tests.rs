//! Comments and literals do not count as code, items under `#[cfg(test)]` do not count at all.

use super::*;

fn texts(text: &str) -> Vec<&str> {
    tokens(text).iter().map(|token| token.text).collect()
}

#[test]
fn comments_and_literals_are_no_tokens() {
    for text in [
        "// fs\na b",
        "a /* fs /* Instant */ */ b",
        "a \"fs \\\" { \\\\\" b",
        "a r#\"fs \" {\"# b",
        "a br\"fs\\\" b",
        "a '{' b",
        "a '\\'' b",
        "a '\\u{7b}' b",
        "a '界' b",
        "a 'lifetime b",
        "a\n\"two\nlines\"b",
    ] {
        assert_eq!(texts(text), ["a", "b"], "{text}");
    }
    assert_eq!(texts("r#type"), ["r", "#", "type"]);
    assert_eq!(texts("b'{' b\"{\""), ["b", "b"]);
}

#[test]
fn lines_are_counted_through_comments_and_literals() {
    let text = "a\n/* \n */ b \"\n\n\" c\nd";
    let lines: Vec<usize> = tokens(text).iter().map(|token| token.line).collect();
    assert_eq!(lines, [1, 3, 5, 6]);
}

#[test]
fn an_unclosed_literal_ends_with_the_text() {
    for text in ["a \"b", "a /* b", "a r#\"b\"", "a '\\"] {
        assert_eq!(texts(text), ["a"], "{text}");
    }
}

#[test]
fn items_under_cfg_test_are_left_out() {
    for item in [
        "mod tests;",
        "mod tests { fn f() { g(); } }",
        "use std::fs;",
        "fn f(bytes: [u8; 3]) -> [u8; 3] { bytes }",
        "#[allow(dead_code)] fn f() {}",
    ] {
        let text = format!("a; #[cfg(test)] {item} b");
        let tokens = tokens(&text);
        let kept: Vec<&str> = without_tests(&tokens).iter().map(|t| t.text).collect();
        assert_eq!(kept, ["a", ";", "b"], "{item}");
    }
}

#[test]
fn production_files_leave_out_tests_and_generated_code() {
    let package = std::env::temp_dir().join(format!("xtask-source-{}", std::process::id()));
    for name in [
        "src/lib.rs",
        "src/call.rs",
        "src/call/tests.rs",
        "src/call/tests/more.rs",
        "src/generated/wire.rs",
        "src/notes.md",
        "tests/outside.rs",
        "build.rs",
    ] {
        let path = package.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let files = production_files(&package).unwrap();
    std::fs::remove_dir_all(&package).unwrap();

    let names: Vec<_> = files
        .iter()
        .map(|file| file.strip_prefix(&package).unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["build.rs", "src/call.rs", "src/lib.rs"]);
}
