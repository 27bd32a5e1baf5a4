use arrow_schema::DataType;
use lingqu_core::product::SignedPolicy;
use lingqu_node::NodeConfig;

use super::*;
use crate::document::Document;
use crate::inspection::{Column, Pattern, Seen};

fn asked() -> Asked {
    Asked {
        dir: PathBuf::from("drafts"),
        id: "node_gx.test-01".parse().unwrap(),
        unit: "party_gx.test".parse().unwrap(),
        region: "450102".parse().unwrap(),
        name: "people".to_owned(),
        as_of: "2026-01-01".to_owned(),
        from: From::File(PathBuf::from("/data/people \"quoted\".parquet")),
    }
}

fn column(name: &str, grade: Option<(Pattern, Seen)>) -> Column {
    Column {
        name: name.to_owned(),
        data_type: DataType::Utf8,
        grade,
    }
}

#[test]
fn the_drafted_configuration_is_this_nodes_and_has_this_resource_alone() {
    let asked = asked();
    let text = asked.node_toml(&asked.sections().unwrap());
    let config = NodeConfig::parse(&text).unwrap();
    assert_eq!(config.id, asked.id);
    assert_eq!(config.unit, asked.unit);
    assert_eq!(config.region, asked.region);
    assert_eq!(config.resources.len(), 1);
    assert_eq!(config.resources[0].name, "people");
    assert_eq!(
        config.resources[0].path.as_deref(),
        Some(Path::new("/data/people \"quoted\".parquet"))
    );
    // What the sample says beside its resource is still there.
    assert!(text.contains("#rows_max") && text.contains("[observe]"));
}

#[test]
fn the_drafted_policy_allows_nothing_whatever_the_columns_are_called() {
    let found = Inspected {
        columns: vec![
            column("身份证号", Some((Pattern::IdentityNumber, Seen::Name))),
            column("a \"b\" = [\"show\"]\n[release]", None),
        ],
        looked: 0,
    };
    let text = asked().policy_toml(&found);
    assert!(text.contains("sensitive: identity number"));
    let written = toml::from_str(&text).unwrap();
    let policy = SignedPolicy::from_written(written, Path::new("")).unwrap();
    assert_eq!(policy.policy.purposes().count(), 0);
    assert_eq!(policy.policy.columns().count(), 2);
    let mut columns = policy.policy.columns();
    assert!(columns.all(|(_, uses)| uses.iter().next().is_none()));
    assert!(policy.policy.release().is_none());
}

#[test]
fn a_draft_never_takes_the_place_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.toml");
    write_new(&path, "first").unwrap();
    assert!(write_new(&path, "second").is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
}
