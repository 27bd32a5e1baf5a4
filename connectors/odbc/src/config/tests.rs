use super::*;

const BASE: &str = r#"
[server]
directory = "/run/lingqu-odbc"

[[source]]
name = "hr"
driver = "/opt/d.so"
parameters = { SERVER = "10.0.0.5" }
secrets = { PWD = { env = "PATH" } }

[[source.table]]
name = ["HR", "PEOPLE"]
"#;

fn refused(text: &str) -> String {
    Config::parse(text, Path::new(""))
        .expect_err(text)
        .to_string()
}

#[test]
fn the_smallest_configuration_has_the_documented_defaults() {
    let config = Config::parse(BASE, Path::new("/etc")).unwrap();
    assert_eq!(config.server.access, Access::Owner);
    assert_eq!(config.server.peer_uids, None);
    assert_eq!(config.sources[0].limits, Limits::default());
    assert_eq!(config.sources[0].dialect, Dialect::default());
    assert!(
        config.sources[0]
            .table(&["HR".into(), "PEOPLE".into()])
            .is_some()
    );
    assert!(config.sources[0].table(&["PEOPLE".into()]).is_none());
}

#[test]
fn what_is_unusable_is_refused_with_its_reason() {
    for (from, to, why) in [
        ("\"/run", "\"run", "absolute"),
        ("name = \"hr\"", "name = \"../hr\"", "letters"),
        ("driver = \"/opt", "driver = \"opt", "absolute path"),
        (
            "driver = \"/opt/d.so\"",
            "dsn = \"x\"\ndriver = \"/opt/d.so\"",
            "either",
        ),
        ("SERVER", "Driver", "settings of the source"),
        ("SERVER", "PWD", "twice"),
        ("SERVER", "A;Driver", "letters"),
        ("10.0.0.5", "a\\u0000b", "control"),
        ("[\"HR\", \"PEOPLE\"]", "[]", "one to three"),
        ("[\"HR\", \"PEOPLE\"]", "[\"a\\nb\"]", "one to three"),
        ("[\"HR\", \"PEOPLE\"]", "[\"a\"]\ncolumns = []", "1 to 2048"),
        (
            "[\"HR\", \"PEOPLE\"]",
            "[\"a\"]\ncolumns = [{ name = \"a\", type = \"int\" }]",
            "no column type",
        ),
        (
            "[[source.table]]",
            "[source.limits]\nbatch_rows = 0\n[[source.table]]",
            "batch_rows",
        ),
        (
            "[[source.table]]",
            "[source.limits]\nrows = 0\n[[source.table]]",
            "unknown field",
        ),
        (
            "[[source.table]]",
            "[source.dialect]\nquote = \"none\"\n[[source.table]]",
            "unknown variant",
        ),
        ("[server]", "[server]\npeer_uids = []", "nobody"),
        (
            "[server]",
            "[server]\nconnections_max = 0",
            "connections_max",
        ),
    ] {
        let text = BASE.replace(from, to);
        assert_ne!(text, BASE);
        let refusal = refused(&text);
        assert!(refusal.contains(why), "{to}: {refusal}");
    }
    assert!(refused("[server]\ndirectory = \"/run\"").contains("no [[source]]"));
    let second = BASE.split_once("[[source]]").unwrap().1;
    assert!(refused(&format!("{BASE}\n[[source]]{second}")).contains("taken"));
}

#[test]
fn a_value_cannot_begin_another_part() {
    let text = BASE.replace("10.0.0.5", "x;Driver=/tmp/evil.so;}");
    let config = Config::parse(&text, Path::new("")).unwrap();
    let connection = config.sources[0].connection(Path::new("")).unwrap();
    let expected = "Driver=/opt/d.so;SERVER={x;Driver=/tmp/evil.so;}}};PWD=";
    assert!(
        connection.expose().starts_with(expected),
        "{}",
        connection.expose()
    );
}

#[test]
fn debug_shows_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pwd");
    std::fs::write(&path, "CANARY-SECRET\n").unwrap();
    let text = BASE.replace("env = \"PATH\"", "file = \"pwd\"");
    let config = Config::parse(&text, directory.path()).unwrap();
    // The mode of a new file lets others read it.
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let refusal = config.sources[0]
        .connection(directory.path())
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("chmod 600"), "{refusal}");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let connection = config.sources[0].connection(directory.path()).unwrap();
    assert!(connection.expose().ends_with("PWD=CANARY-SECRET;"));
    assert!(!format!("{config:?} {connection:?}").contains("CANARY"));
}

#[test]
fn every_sample_in_deploy_parses_and_says_whether_it_was_tested() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/odbc");
    let english = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sources/odbc.md"),
    )
    .unwrap();
    let chinese = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sources/odbc.zh-CN.md"),
    )
    .unwrap();
    let mut found = 0;
    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let config =
            Config::read(&path).unwrap_or_else(|refusal| panic!("{}: {refusal}", path.display()));
        let profile = config.sources[0].profile.as_ref().unwrap();
        assert!(
            !profile.product.is_empty() && !profile.quirks.is_empty(),
            "{}",
            path.display()
        );
        let file = path.file_name().unwrap().to_str().unwrap();
        // The manuals say of each profile what the profile says of itself.
        let says = |text: &str, tested: &str, untested: &str| {
            let line = text
                .lines()
                .find(|line| line.contains(&format!("`{file}`")));
            let line = line.unwrap_or_else(|| panic!("{file} is not in the manual"));
            assert!(
                line.contains(if profile.tested { tested } else { untested }),
                "{line}"
            );
        };
        says(&english, "| tested", "| untested");
        says(&chinese, "| 已测试", "| 未测试");
        found += 1;
    }
    assert!(found >= 10, "{found}");
}
