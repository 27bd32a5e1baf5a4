use super::*;
use crate::registry::testbed::config_text;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/lingqu"))
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let text = config_text().replace("\"log.key\"", "\"/secret/log.key\"");
    let config = parse(&text).unwrap();
    assert_eq!(config.data_dir, Path::new("/etc/lingqu/data"));
    assert_eq!(
        config.tls.authorities[0].path,
        Path::new("/etc/lingqu/ca.pem")
    );
    assert_eq!(config.keys.log, Path::new("/secret/log.key"));
    assert_eq!(config.epoch.renew_s, 20);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    assert!(parse(&config_text()).is_ok());
    for (from, to) in [
        ("region = \"45\"", "region = \"45\"\nregions = 2"),
        ("[limits]", "[limits]\nunknown = 1"),
        ("[keys]", "[keys]\nother = \"x\""),
        ("[tls]", "[tls]\nverify = false"),
        ("id = \"coord_gx\"", "id = \"party_gx\""),
        ("region = \"45\"", "region = \"450\""),
        ("\"operating_agency\"", "\"regulator\""),
        ("\"operating_agency\"", "\"king\""),
        ("\"coord.example\"", "\"coord+example\""),
        ("\"coord.example\"", "\"https://coord.example\""),
        ("\"coord.example\"", "\"\""),
        ("queue_max = 8", "queue_max = 0"),
        ("queue_max = 8", "window = 0"),
        ("segment_bytes = 131072", "segment_bytes = 0"),
        ("segment_bytes = 131072", "segment_bytes = 135000"),
        ("queue_max = 8", "queue_bytes_max = 16000"),
        ("queue_max = 8", "message_bytes_max = 32000"),
        ("batch_bytes_max = 16384", "batch_bytes_max = 99999999"),
        ("[limits]", "[epoch]\nrenew_s = 0\n[limits]"),
        ("[limits]", "[epoch]\nrenew_s = 60\nvalid_s = 60\n[limits]"),
        ("\"party_\", ", "\"pony_\", "),
    ] {
        let text = config_text().replacen(from, to, 1);
        assert_ne!(text, config_text(), "`{from}` is in the text");
        assert!(parse(&text).is_err(), "{from} → {to}");
    }
}

#[test]
fn a_founder_named_twice_is_refused() {
    let text = config_text();
    let founder = &text[text.find("[[founders]]").unwrap()..text.find("[limits]").unwrap()];
    let twice = text.replacen("[limits]", &format!("{founder}[limits]"), 1);
    assert!(matches!(parse(&twice), Err(ConfigError::Founders)));
}

/// A batch that a node's journal makes by default is never refused for its size: the node could not go on.
#[test]
fn the_default_batch_of_a_journal_fits() {
    let (mirror, journal) = (Limits::default(), lingqu_journal::JournalLimits::default());
    assert!(mirror.check().is_ok());
    assert!(mirror.batch_entries_max >= journal.batch_entries_max);
    assert!(mirror.batch_bytes_max >= journal.batch_bytes_max);
    // One frame alone may be larger than a batch.
    assert!(mirror.batch_entries_max >= journal.frame_entries_max);
    assert!(mirror.batch_bytes_max >= journal.frame_bytes_max);
}

/// The calendar is a table that people write each year: a day that is no day, or both kinds of day, is refused.
#[test]
fn the_workflow_has_a_calendar_and_bounds() {
    let with = |section: &str| {
        let text = format!(
            "{}\n[workflow]\n{section}\n",
            crate::registry::testbed::config_text()
        );
        Config::parse(&text, Path::new("/nowhere"))
    };
    let read = with("holidays = [\"2026-10-01\"]\nworkdays = [\"2026-10-10\"]").unwrap();
    assert_eq!(
        (read.workflow.holidays.len(), read.workflow.workdays.len()),
        (1, 1)
    );
    assert_eq!(read.workflow.review_days, 3);
    assert_eq!(read.workflow.materials_catalog.len(), 8);
    for wrong in [
        "holidays = [\"2026-02-29\"]",
        "holidays = [\"2026-10-01T00:00:00Z\"]",
        "holidays = [\"2026-10-10\"]\nworkdays = [\"2026-10-10\"]",
        "review_days = 0",
        "page_max = 0",
        "cases_open_max = 0",
        "surprise = 1",
        "issuing_department = \"a\\nb\"",
        "bureaus = [{ region = \"45\", party = \"party_a\" }, { region = \"45\", party = \"party_b\" }]",
    ] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}
