//! Each kind of violation is found in a made-up workspace, and the real one has none.

use super::*;
use crate::workspace;
use std::path::PathBuf;

/// The metadata of a workspace that has every row's package without any edge, but for these:
/// `(from, to, kind)`.
fn packages(edges: &[(&str, &str, &str)]) -> Vec<Package> {
    let packages: Vec<String> = ROWS
        .iter()
        .map(|row| {
            let dependencies: Vec<String> = edges
                .iter()
                .filter(|(from, _, _)| *from == row.package)
                .map(|(_, to, kind)| format!(r#"{{"name": "{to}", "kind": {kind}}}"#))
                .collect();
            format!(
                r#"{{"name": "{}", "manifest_path": "/w/Cargo.toml", "dependencies": [{}]}}"#,
                row.package,
                dependencies.join(", ")
            )
        })
        .collect();
    let json = format!(
        r#"{{"target_directory": "/t", "packages": [{}]}}"#,
        packages.join(", ")
    );
    workspace::parse(json.as_bytes()).unwrap().packages
}

const NORMAL: &str = "null";
const DEV: &str = r#""dev""#;
const BUILD: &str = r#""build""#;

fn texts(packages: &[Package]) -> Vec<String> {
    check(packages).iter().map(ToString::to_string).collect()
}

#[test]
fn a_workspace_along_the_table_has_no_violation() {
    let edges: Vec<_> = ROWS
        .iter()
        .flat_map(|row| match row.may_use {
            Only(allowed) => allowed
                .iter()
                .map(|to| (row.package, *to, NORMAL))
                .collect(),
            Anything => vec![
                (row.package, TESTKIT, NORMAL),
                (row.package, "tokio", NORMAL),
            ],
        })
        .collect();
    assert_eq!(check(&packages(&edges)), []);
}

#[test]
fn the_real_workspace_has_no_violation() {
    let workspace = workspace::load().unwrap();
    assert_eq!(check(&workspace.packages), []);
}

#[test]
fn an_edge_outside_the_table_is_found_with_the_reason() {
    for kind in [NORMAL, BUILD] {
        let found = texts(&packages(&[("lingqu-policy", "lingqu-core", kind)]));
        assert_eq!(
            found,
            [
                "lingqu-policy must not use lingqu-core: what a unit allows must be readable, and \
              usable by others, without the rest"
            ]
        );
    }
}

#[test]
fn a_dev_dependency_is_free() {
    let edges = [
        ("lingqu-policy", "lingqu-core", DEV),
        ("lingqu-core", "lingqu-testkit", DEV),
        ("lingqu-core", "tokio", DEV),
    ];
    assert_eq!(check(&packages(&edges)), []);
}

#[test]
fn test_support_outside_tests_is_found() {
    let found = check(&packages(&[("lingqu-journal", TESTKIT, NORMAL)]));
    assert_eq!(found, [Violation::TestSupport("lingqu-journal".to_owned())]);
}

#[test]
fn a_package_without_a_row_is_found() {
    let mut packages = packages(&[]);
    packages.push(Package {
        name: "lingqu-extra".to_owned(),
        directory: PathBuf::new(),
        dependencies: Vec::new(),
    });
    assert_eq!(
        check(&packages),
        [Violation::NoRow("lingqu-extra".to_owned())]
    );
}

#[test]
fn a_row_without_a_package_is_found() {
    let mut packages = packages(&[]);
    packages.retain(|package| package.name != "lingqu-demo");
    assert_eq!(check(&packages), [Violation::StaleRow("lingqu-demo")]);
}

#[test]
fn the_coordinator_is_found_behind_a_node_by_any_path() {
    for kind in [NORMAL, BUILD, DEV] {
        let found = texts(&packages(&[("lingqu-node", "lingqu-coordinator", kind)]));
        let direct = "lingqu-node -> lingqu-coordinator: a unit stays sovereign";
        assert!(
            found.iter().any(|text| text.starts_with(direct)),
            "{found:?}"
        );
    }
    let found = texts(&packages(&[
        ("lingqu-node", "lingqu-journal", NORMAL),
        ("lingqu-journal", "lingqu-core", NORMAL),
        ("lingqu-core", "lingqu-journal", NORMAL),
        ("lingqu-journal", "lingqu-coordinator", NORMAL),
    ]));
    let path = "lingqu-node -> lingqu-journal -> lingqu-coordinator: ";
    assert!(found.iter().any(|text| text.starts_with(path)), "{found:?}");
}

#[test]
fn runtimes_and_wires_in_a_pure_package_are_found() {
    for name in [
        "tokio",
        "tokio-util",
        "tonic",
        "prost-types",
        "hyper",
        "rustls",
        "sqlx",
    ] {
        for package in PURE {
            let found = check(&packages(&[(package, name, NORMAL)]));
            let expected = Violation::Impure {
                package: (*package).to_owned(),
                dependency: name.to_owned(),
            };
            assert_eq!(found, [expected]);
        }
    }
    // A name that only starts alike is another library.
    assert_eq!(
        check(&packages(&[("lingqu-core", "hyperloglog", NORMAL)])),
        []
    );
    assert_eq!(check(&packages(&[("lingqu-node", "tokio", NORMAL)])), []);
}

#[test]
fn unknown_metadata_is_refused() {
    for json in [
        "",
        "{}",
        r#"{"target_directory": "/t"}"#,
        r#"{"target_directory": "/t", "packages": [{"name": "a"}]}"#,
        r#"{"target_directory": "/t", "packages": [{"name": "a", "manifest_path": "/a/Cargo.toml",
            "dependencies": [{"name": "b", "kind": "new"}]}]}"#,
    ] {
        assert!(workspace::parse(json.as_bytes()).is_err(), "{json}");
    }
}
