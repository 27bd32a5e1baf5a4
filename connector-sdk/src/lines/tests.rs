//! The kit on real files, all of which this test has written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lingqu_connector_sdk::async_trait::async_trait;
use lingqu_connector_sdk::conformance::{
    Aspect, Control, Fixture, NotControlled, Options, Specimen, Unfit, check,
};
use lingqu_connector_sdk::{Connector, Kinds, TableName, toml};

use super::LinesKind;

/// What no error may quote.
const CANARY: &str = "canary-110101199003070000";

fn table(name: &str) -> TableName {
    TableName::of_one(name).unwrap()
}

fn source(dir: &Path) -> Arc<dyn Connector> {
    let settings = toml::toml! { path = "." };
    Kinds::default()
        .with(LinesKind)
        .configure("lines", settings, dir)
        .unwrap()
}

/// A table whose first line is its column's name.
fn write(dir: &Path, name: &str, lines: impl IntoIterator<Item = String>) {
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    std::fs::write(dir.join(format!("{name}.txt")), text).unwrap();
}

/// The standard specimen without what lines cannot have: they are text and nothing else, in one encoding.
fn specimen() -> Specimen {
    let mut specimen = Specimen::standard(table("words"));
    for aspect in Aspect::ALL {
        if aspect != Aspect::TextUtf8 {
            specimen = specimen.without(aspect);
        }
    }
    // The last row is null, which no line is.
    specimen.expected = specimen.expected.slice(0, 5);
    // The format ends a line at a line feed and cannot hold one: where a text had one, a blank would stand for it.
    specimen.map_text("words", |text| Some(text.replace('\n', " ")))
}

/// What can be done to files. Whoever counts open files sees what is being read; nothing can be restarted.
struct Files {
    dir: PathBuf,
}

fn failed(error: std::io::Error) -> NotControlled {
    NotControlled::Failed(error.to_string())
}

#[async_trait]
impl Control for Files {
    async fn alter(&self) -> Result<(), NotControlled> {
        // As another program would do it: nobody sees half a file.
        let new = self.dir.join("drifting.new");
        std::fs::write(&new, "other\na\nb\n").map_err(failed)?;
        std::fs::rename(new, self.dir.join("drifting.txt")).map_err(failed)
    }

    async fn running_queries(&self) -> Result<u64, NotControlled> {
        let open = std::fs::read_dir("/proc/self/fd").map_err(failed)?;
        let open = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        Ok(open.filter(|path| path.starts_with(&self.dir)).count() as u64)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_conform() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let words = specimen();
    let texts = words.texts().into_iter().map(|row| row[1].clone().unwrap());
    write(
        &dir,
        "words",
        std::iter::once("words".to_owned()).chain(texts),
    );
    let many = (1..=200_000).map(|row| format!("line {row}"));
    write(
        &dir,
        "large",
        std::iter::once("text".to_owned()).chain(many),
    );
    write(&dir, "drifting", ["text", "a", "b"].map(str::to_owned));
    // No UTF-8 behind the canary.
    let unfit = [b"text\n", CANARY.as_bytes(), b"\xff\n"].concat();
    std::fs::write(dir.join("unfit.txt"), unfit).unwrap();

    let fixture = Fixture {
        specimens: vec![words],
        large: Some(table("large")),
        unfit: Some(Unfit {
            table: table("unfit"),
            canary: CANARY.to_owned(),
        }),
        drifting: Some(table("drifting")),
        control: Some(Arc::new(Files { dir: dir.clone() })),
        ..Fixture::default()
    };
    let options = Options {
        probe_write: true,
        // Enough to meet every kind of predicate; an unoptimised engine takes long for each.
        predicates_max: 4,
        ..Options::default()
    };
    let report = check(source(&dir), Some(fixture), options, |_| {}).await;
    assert!(report.conforms(), "{report}");
    // What does not apply is pinned, so that no check falls away unnoticed.
    let not_applicable: Vec<&str> = report.not_applicable().collect();
    assert_eq!(
        not_applicable,
        [
            "encrypted",
            "secrets",
            "types.decimal",
            "types.timestamp-zone",
            "types.text-gbk",
            "types.null-empty",
            "types.char-padding",
            "types.big-integer",
            "types.date-before-1970",
            "change.restart",
        ]
    );
}
