use std::path::Path;

use lingqu_connector_sdk::{Connector, ConnectorKind};

use super::*;
use crate::sources::scripted::Scripted;

/// A kind that knows one key.
struct Kind;

impl ConnectorKind for Kind {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn configure(
        &self,
        settings: toml::Table,
        _: &Path,
    ) -> Result<Arc<dyn Connector>, SettingsRefused> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Known {
            #[serde(default, rename = "host")]
            _host: String,
        }
        let _: Known = toml::Value::Table(settings).try_into()?;
        Ok(Scripted::of(Vec::new()))
    }
}

const SAMPLE: &str = include_str!("../../../../deploy/node.toml");

/// The sample with these sections in the place of its own.
fn configured(sections: &str) -> Result<Configured, String> {
    let begin = SAMPLE.find("[[resource]]\n").unwrap();
    let end = SAMPLE.find("# Bounds of everything").unwrap();
    let text = format!("{}{sections}\n{}", &SAMPLE[..begin], &SAMPLE[end..]);
    let config = NodeConfig::parse(&text).map_err(|error| error.message().to_owned())?;
    let kinds = Kinds::default().with(Kind);
    configure(&config, &kinds).map_err(|error| error.to_string())
}

const SOURCES: &str = r#"
[[source]]
name = "main"
kind = "scripted"
replicas = ["standby"]
[source.settings]
host = "127.0.0.1"
[[source]]
name = "standby"
kind = "scripted"
"#;

#[test]
fn a_resource_has_its_source_first_and_then_the_replicas() {
    let text = format!(
        "{SOURCES}[[resource]]\nname = \"people\"\nsource = \"main\"\ntable = \"public.people\"\n\
         as_of_column = \"day\"\nrefresh = \"every 24h\"\nupdate_cycle_days = 31"
    );
    let found = configured(&text).unwrap();
    let resource = &found.resources[0];
    let names: Vec<&str> = resource
        .sources
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["main", "standby"]);
    assert_eq!(resource.table.to_string(), "public.people");
    assert_eq!(resource.label(), "people@PROD");
    assert_eq!(
        resource.refresh,
        Refresh::Every(Duration::from_secs(86_400))
    );
    assert_eq!(
        resource.update_cycle,
        Some(Duration::from_secs(31 * 86_400))
    );
    let file = configured("[[resource]]\nname = \"f\"\npath = \"/f\"\nas_of = \"2026-01-01\"");
    assert_eq!(file.unwrap().resources[0].sources.len(), 1);
}

#[test]
fn what_does_not_fit_is_refused_by_section_and_key() {
    let resource = |rest: &str| format!("{SOURCES}[[resource]]\nname = \"r\"\n{rest}");
    let good = "source = \"main\"\ntable = \"t\"\nas_of = \"load\"\n";
    configured(&resource(good)).unwrap();
    let cases = [
        (resource("as_of = \"load\""), "source"),
        (resource(&format!("{good}path = \"/f\"")), "source"),
        (
            resource("source = \"none\"\ntable = \"t\"\nas_of = \"load\""),
            "source",
        ),
        (resource("source = \"main\"\nas_of = \"load\""), "source"),
        (
            resource("source = \"main\"\ntable = \"a..b\"\nas_of = \"load\""),
            "table",
        ),
        (resource("source = \"main\"\ntable = \"t\""), "as_of"),
        (resource(&format!("{good}as_of_column = \"c\"")), "as_of"),
        (
            resource("source = \"main\"\ntable = \"t\"\nas_of = \"yesterday\""),
            "as_of",
        ),
        (
            resource(
                "source = \"main\"\ntable = \"t\"\nas_of = \"2026-01-01\"\nrefresh = \"every 1h\"",
            ),
            "refresh",
        ),
        (resource(&format!("{good}refresh = \"hourly\"")), "refresh"),
        (
            resource(&format!("{good}update_cycle_days = 0")),
            "update_cycle_days",
        ),
        (
            resource(&format!("{good}environments = [\"TEST\", \"PROD\"]")),
            "environments",
        ),
        (
            resource(&format!("{good}environments = []")),
            "environments",
        ),
        (
            resource(&format!("{good}[[resource]]\nname = \"r\"\n{good}")),
            "environments",
        ),
        (resource(&good.replace("main", "MAIN")), "source"),
        (
            resource(good).replace("\"standby\"]", "\"main\"]"),
            "replicas",
        ),
        (
            resource(good).replace("\"standby\"]", "\"gone\"]"),
            "replicas",
        ),
        (
            resource(good).replace("name = \"standby\"", "name = \"main\""),
            "name",
        ),
        (
            resource(good).replace("name = \"r\"", "name = \"R r\""),
            "name",
        ),
        (resource(&format!("{good}tabel = \"t\"")), "tabel"),
        (
            resource(good).replace("kind = \"scripted\"", "kind = \"oracle8\""),
            "oracle8",
        ),
        (resource(good).replace("host =", "hots ="), "hots"),
    ];
    for (text, key) in cases {
        let told = configured(&text).expect_err(key);
        assert!(told.contains(key), "{key}: {told}");
    }
}

#[test]
fn a_secret_under_a_wrong_key_is_not_repeated() {
    let secret = "hunter2-CANARY";
    let text = SOURCES.replace("host = \"127.0.0.1\"", &format!("password = \"{secret}\""));
    let told = configured(&text).expect_err("the key is unknown");
    assert!(
        told.contains("password") && !told.contains(secret),
        "{told}"
    );
    let config = format!("{SAMPLE}\n{text}");
    let config = NodeConfig::parse(&config).unwrap();
    let debug = format!("{config:?}");
    assert!(debug.contains("password") && !debug.contains(secret));
}
