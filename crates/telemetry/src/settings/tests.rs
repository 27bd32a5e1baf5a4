//! What an operator may write, and what would leave the machine by mistake.

use super::*;

fn read(text: &str) -> Result<Settings, toml::de::Error> {
    toml::from_str(text)
}

#[test]
fn nothing_is_on_by_default_and_unknown_keys_are_refused() {
    let settings = read("").unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!((settings.listen, settings.otlp.as_ref()), (None, None));
    assert_eq!(settings.check(), Ok(()));
    assert!(read("listening = \"127.0.0.1:1\"").is_err());
    assert!(read("listen = \"localhost\"").is_err());
}

#[test]
fn what_leaves_the_machine_must_be_allowed() {
    for local in [
        "127.0.0.1:9464",
        "127.9.9.9:1",
        "[::1]:9464",
        "[::ffff:127.0.0.1]:9464",
    ] {
        let settings = read(&format!("listen = \"{local}\"")).unwrap();
        assert_eq!(settings.check(), Ok(()), "{local}");
    }
    for remote in [
        "0.0.0.0:9464",
        "[::]:9464",
        "10.0.0.1:9464",
        "[::ffff:10.0.0.1]:9464",
    ] {
        let settings = read(&format!("listen = \"{remote}\"")).unwrap();
        assert_eq!(
            settings.check(),
            Err(SettingsRefused::Remote("listen")),
            "{remote}"
        );
        let allowed = Settings {
            allow_remote: true,
            ..settings
        };
        assert_eq!(allowed.check(), Ok(()));
    }
    for remote in [
        "http://collector:4317",
        "http://10.0.0.1:4317",
        "http://localhost.evil.example:4317",
    ] {
        let settings = Settings {
            otlp: Some(remote.to_owned()),
            ..Settings::default()
        };
        assert_eq!(
            settings.check(),
            Err(SettingsRefused::Remote("otlp")),
            "{remote}"
        );
    }
}

#[test]
fn an_endpoint_is_scheme_host_and_port_and_nothing_else() {
    for (endpoint, expected) in [
        ("http://127.0.0.1:4317", Ok(())),
        ("http://[::1]:4317/", Ok(())),
        ("http://LOCALHOST:4317", Ok(())),
        ("https://127.0.0.1:4317", Err(SettingsRefused::Endpoint)),
        ("http://127.0.0.1", Err(SettingsRefused::Endpoint)),
        (
            "http://user:word@127.0.0.1:4317",
            Err(SettingsRefused::Endpoint),
        ),
        (
            "http://127.0.0.1:4317/v1/traces",
            Err(SettingsRefused::Endpoint),
        ),
        ("http://127.0.0.1:4317/?q", Err(SettingsRefused::Endpoint)),
        ("127.0.0.1:4317", Err(SettingsRefused::Endpoint)),
        ("unix:///tmp/otlp", Err(SettingsRefused::Endpoint)),
        ("", Err(SettingsRefused::Endpoint)),
    ] {
        let settings = Settings {
            otlp: Some(endpoint.to_owned()),
            ..Settings::default()
        };
        assert_eq!(settings.check(), expected, "{endpoint}");
    }
}

#[test]
fn every_bound_has_both_ends() {
    type Change = fn(&mut Settings);
    let changes: [(&str, Change); 9] = [
        ("connections_max", |s| s.connections_max = 0),
        ("connections_max", |s| s.connections_max = 1_025),
        ("series_max", |s| s.series_max = 0),
        ("series_max", |s| s.series_max = 10_001),
        ("spans_queued_max", |s| s.spans_queued_max = 0),
        ("spans_batch_max", |s| s.spans_batch_max = 0),
        ("spans_batch_max", |s| s.spans_queued_max = 511),
        ("export_timeout_s", |s| s.export_timeout_s = 0),
        ("export_timeout_s", |s| s.export_timeout_s = 61),
    ];
    for (name, change) in changes {
        let mut settings = Settings::default();
        change(&mut settings);
        assert_eq!(settings.check(), Err(SettingsRefused::Bound(name)));
    }
}
