use super::licences::linked;
use super::*;
use serde_json::json;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

#[test]
fn what_is_asked_for_is_understood() {
    let asked = |line: &str| parse(&words(line));
    assert_eq!(
        asked("--profile dev --out here"),
        Ok(Asked {
            profile: Profile::Dev,
            out: Some("here".into())
        })
    );
    assert_eq!(asked("").map(|asked| asked.profile), Ok(Profile::Release));
    for wrong in ["--profile", "--profile fast", "--out", "--fast", "here"] {
        assert!(asked(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn only_what_is_linked_into_a_program_counts() {
    let package = |name: &str, source: Option<&str>| {
        json!({ "name": name, "id": name, "version": "1.0.0", "license": "MIT", "source": source,
                "manifest_path": format!("/r/{name}/Cargo.toml") })
    };
    let dependency =
        |name: &str, kind: Option<&str>| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
    let registry = Some("registry");
    let metadata = json!({
        "packages": [
            package("lingqu-cli", None), package("lingqu-odbc", None), package("ours", None), package("driver", registry), package("deep", registry), package("wide", registry),
            package("builder", registry), package("tester", registry), package("other", registry),
        ],
        "resolve": { "nodes": [
            { "id": "lingqu-odbc", "deps": [dependency("driver", None)] }, { "id": "driver", "deps": [] },
            { "id": "lingqu-cli", "deps": [
                dependency("ours", None), dependency("wide", None), dependency("tester", Some("dev")),
                dependency("builder", Some("build")),
            ]},
            { "id": "ours", "deps": [dependency("deep", None)] },
            { "id": "deep", "deps": [] }, { "id": "wide", "deps": [] }, { "id": "builder", "deps": [] },
            { "id": "tester", "deps": [] }, { "id": "other", "deps": [] },
        ]},
    });
    let names: Vec<String> = linked(&metadata)
        .unwrap()
        .into_iter()
        .map(|found| found.name)
        .collect();
    assert_eq!(names, ["deep", "driver", "wide"]);
    assert!(linked(&json!({})).is_err());
}

#[test]
fn a_release_does_not_know_where_it_was_built() {
    let flags = remapped();
    assert!(
        flags.contains(&format!("{}=/lingqu", workspace::root().display())),
        "{flags}"
    );
}
