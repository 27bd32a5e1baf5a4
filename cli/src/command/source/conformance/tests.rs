use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use lingqu_connector_sdk::{
    Connector, ConnectorKind, Health, Kinds, SettingsRefused, SourceError, TableInfo, TableName,
};

use super::{Kit, section};
use crate::failure::Failure;
use crate::language::Language;
use crate::session::Session;

/// Answers or not, as its settings say, and has no tables.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {
    answers: bool,
}

#[async_trait]
impl Connector for Empty {
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
        Ok(Vec::new())
    }

    async fn open(&self, table: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        Err(SourceError::TableMissing(table.clone()))
    }

    async fn health(&self) -> Result<Health, SourceError> {
        let health = Health {
            server: "empty 1\u{1b}[2J".into(),
            may_write: Vec::new(),
            verified_tls: None,
        };
        if self.answers {
            Ok(health)
        } else {
            Err(SourceError::Unreachable)
        }
    }
}

struct EmptyKind;

impl ConnectorKind for EmptyKind {
    fn name(&self) -> &'static str {
        "empty"
    }

    fn configure(
        &self,
        settings: toml::Table,
        _: &Path,
    ) -> Result<Arc<dyn Connector>, SettingsRefused> {
        let settings: Empty = settings.try_into()?;
        Ok(Arc::new(settings))
    }
}

fn run(file: &str, only: &[&str], as_json: bool) -> (Result<(), Failure>, String) {
    run_on(&[], file, only, as_json)
}

fn run_on(
    tables: &[&str],
    file: &str,
    only: &[&str],
    as_json: bool,
) -> (Result<(), Failure>, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source.toml");
    std::fs::write(&path, file).unwrap();
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut session = Session::new(&mut out, &mut notes, Language::En).with_json(as_json);
    let kit = Kit {
        conformance: true,
        tables: tables.iter().map(|name| name.parse().unwrap()).collect(),
        only: only.iter().map(|id| (*id).to_owned()).collect(),
        probe_write: false,
        rows: None,
    };
    let kinds = Kinds::default().with(EmptyKind);
    let ended = kit.run_with(&kinds, &path, None, &mut session);
    (ended, String::from_utf8(out).unwrap())
}

const ANSWERS: &str = "[source]\nkind = \"empty\"\n[source.settings]\nanswers = true\n";
const SILENT: &str = "[source]\nkind = \"empty\"\n[source.settings]\nanswers = false\n";

#[test]
fn the_report_is_printed_and_the_exit_code_says_how_it_ended() {
    let (ended, out) = run(ANSWERS, &[], false);
    assert_eq!(ended.unwrap_err().exit_code(), 1);
    assert!(out.contains("✗ describe: "), "{out}");
    assert!(out.contains("✓ reach: "), "{out}");
    assert!(!out.contains('\u{1b}'), "a source moves the cursor");

    let (ended, out) = run(ANSWERS, &["reach"], true);
    ended.unwrap();
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["outcomes"][0]["id"], "reach");
    assert_eq!(report["outcomes"][0]["verdict"], "passed");

    let (ended, out) = run(SILENT, &[], false);
    assert_eq!((ended.unwrap_err().exit_code(), out.as_str()), (4, ""));
}

#[test]
fn what_cannot_be_used_is_said_before_the_source_is_asked() {
    for file in [
        "",
        "source = 1",
        "[source]\nkind = \"oracle\"\n",
        "[source]\nkind = \"empty\"\nsettings = { answer = true }\n",
        "[source]\nkind = \"empty\"\n[sources]\n",
        "[source]\nsettings = {}\n",
    ] {
        let (ended, _) = run(file, &[], false);
        assert_eq!(ended.unwrap_err().exit_code(), 2, "{file}");
    }
    let (ended, _) = run(ANSWERS, &["no-such-check"], false);
    assert_eq!(ended.unwrap_err().exit_code(), 2);
}

/// A mistyped table is no failed check, and the report says which.
#[test]
fn a_table_that_is_not_there_is_said_to_be_what_was_asked_wrongly() {
    let (ended, out) = run_on(&["public.pepole"], ANSWERS, &[], false);
    assert_eq!(ended.unwrap_err().exit_code(), 2);
    assert!(out.contains("`public.pepole`"), "{out}");
    assert!(!out.contains("✓ reach"), "{out}");
}

#[test]
fn a_source_of_several_is_chosen_by_its_name() {
    let several = "id = \"node_x\"\n[[source]]\nname = \"a\"\nkind = \"x\"\n\
                   [[source]]\nname = \"b\"\nkind = \"y\"\nreplicas = [\"a\"]\n";
    assert_eq!(section(several, Some("b")).unwrap().kind, "y");
    assert!(section(several, None).err().unwrap().contains("a, b"));
    assert!(section(several, Some("c")).err().unwrap().contains("a, b"));
}

#[test]
fn the_words_of_a_broken_file_are_not_repeated() {
    let refused = section("[source]\npassword = hunter2\n", None)
        .err()
        .unwrap();
    assert!(!refused.contains("hunter2"), "{refused}");
}
