//! Pages that are made from the code, kept true: each must be exactly what the code says. With `LINGQU_WRITE_DOCS=1` the
//! test writes them instead.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lingqu_core::ErrorCode;
use lingqu_core::code::Class;
use lingqu_core::decide::TABLE;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn kept_true(path: &Path, page: &str) {
    if std::env::var_os("LINGQU_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, page).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        found,
        page,
        "{} is not what the code says; LINGQU_WRITE_DOCS=1 writes it",
        path.display()
    );
}

fn page(code: ErrorCode) -> String {
    let told = match code.class() {
        Class::Local => "Said by the command line and by `lingqu doctor` about the machine that they run on; never sent \
                         by a service."
            .to_owned(),
        _ if code.told() != code => format!(
            "The outcome in records; never sent to a caller, who is told `{}`.",
            code.told()
        ),
        class => format!(
            "gRPC: `{class:?}`. The code is `reason` in `google.rpc.ErrorInfo` (domain `lingqu`), the outcome in records, \
             and the first word of the message."
        ),
    };
    format!(
        "# {code}\n\n{}.\n\n**What to do**: {}.\n\n---\n\n{}。\n\n**处理办法**：{}。\n\n{told}\n",
        sentence(code.message_en()),
        code.remedy_en(),
        code.message_zh(),
        code.remedy_zh(),
    )
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[test]
fn every_error_code_has_its_page() {
    let dir = docs().join("errors");
    let mut index = String::from(
        "# Error codes · 错误码\n\nOne code per failure, the same on the wire, in records, logs and the command line. \
         A code is never renamed or reused.\n\n| code | meaning | 含义 |\n|---|---|---|\n",
    );
    for code in ErrorCode::ALL {
        kept_true(&dir.join(format!("{code}.md")), &page(*code));
        let _ = writeln!(
            index,
            "| [{code}]({code}.md) | {} | {} |",
            code.message_en(),
            code.message_zh()
        );
    }
    kept_true(&dir.join("README.md"), &index);
    let pages = std::fs::read_dir(&dir).unwrap().count();
    assert_eq!(
        pages,
        ErrorCode::ALL.len() + 1,
        "a page without a code is left over"
    );
}

/// The sources of what is built, without tests: what is only tested for is said by nobody.
fn sources(dir: &Path, into: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let apart = ["target", "tests", "testkit", "benches", "generated", ".git"];
            if !apart.contains(&name.as_str()) {
                sources(&path, into);
            }
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "code.rs" {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_error_code_is_said_by_somebody() {
    let mut text = String::new();
    sources(&docs().join(".."), &mut text);
    let is_said = |code: &ErrorCode| {
        // The rows of the decision table name their codes without the enum.
        if TABLE.iter().any(|row| row.code == *code) {
            return true;
        }
        let variant = format!("{code:?}");
        // The name as a word: some places say it through a shorter path.
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        text.match_indices(&variant).any(|(at, found)| {
            let (before, after) = (&text[..at], &text[at + found.len()..]);
            !is_part(before.chars().next_back()) && !is_part(after.chars().next())
        })
    };
    let unsaid: Vec<&ErrorCode> = ErrorCode::ALL
        .iter()
        .filter(|code| !is_said(code))
        .collect();
    assert!(unsaid.is_empty(), "nothing says {unsaid:?}");
}

#[test]
fn the_decision_table_has_its_page() {
    let mut text = String::from(
        "# How a call is decided · 调用判定表\n\nA node decides each call by this table, from what it holds itself and \
         without any network. A call is allowed only if every row holds; the first that does not is the refusal. Made \
         from the code.\n\n节点仅凭自身持有的信息、不依赖网络，按此表逐行判定；全部成立方可调用，首个不成立的行即为拒绝原因。\n\n\
         | # | must hold | otherwise |\n|---|---|---|\n",
    );
    for (number, row) in TABLE.iter().enumerate() {
        let code = row.code;
        let told = match code.told() {
            same if same == code => String::new(),
            told => format!(" on record, told as [{told}](errors/{told}.md)"),
        };
        let _ = writeln!(
            text,
            "| {} | {} | [{code}](errors/{code}.md){told} |",
            number + 1,
            row.requires
        );
    }
    kept_true(&docs().join("decision-table.md"), &text);
}

/// Every Rust file.
fn tests_below(dir: &Path, into: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Every row of the table of misbehaviour names the tests that show it, and they are there.
#[test]
fn every_misbehaviour_that_is_listed_has_its_tests() {
    let page = std::fs::read_to_string(docs().join("audit.md")).unwrap();
    let mut rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| misbehaviour |"))
        .skip(2)
        .take_while(|line| line.starts_with("| "));
    let mut all = String::new();
    for part in ["cli", "coordinator", "crates", "node", "tests"] {
        tests_below(&docs().join("..").join(part), &mut all);
    }
    let mut named = 0;
    for row in rows.by_ref() {
        let tests = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        let is_told = row.contains("nobody by logs alone");
        assert_ne!(tests.is_empty(), !is_told, "{row}");
        for test in tests {
            assert!(
                all.contains(&format!("fn {test}()")),
                "`{test}` is not there"
            );
            named += 1;
        }
    }
    assert!(named > 20);
}
