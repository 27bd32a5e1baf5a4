use super::*;
use crate::language::Language;

fn records(region: &str) -> Event {
    Event::Records {
        follows: None,
        origin: "lingqu.example/s/1".to_owned(),
        region: region.parse().unwrap(),
        records: Vec::new(),
        head: Vec::new(),
    }
}

fn complete(region: &str) -> Event {
    Event::Complete {
        region: region.parse().unwrap(),
        heads: 1,
        checkpoint: String::new(),
    }
}

#[test]
fn a_feed_must_end_with_the_word_that_it_was_all() {
    for (events, ended_well) in [
        (vec![], true),
        (vec![records("45"), complete("45")], true),
        (vec![records("45"), records("4591"), complete("45")], false),
        (vec![records("45"), complete("45"), records("45")], false),
        (vec![records("4591"), complete("45")], false),
    ] {
        let shown_events = format!("{events:?}");
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let mut session = Session::new(&mut out, &mut notes, Language::En);
        let mut shown = Shown::new(Selection::default(), true);
        for event in events {
            shown.show(event, &Seen::default(), &mut session).unwrap();
        }
        let ended = shown.end(&Seen::default(), &mut session);
        let code = ended.err().map_or(0, |failure| failure.exit_code());
        assert_eq!(code == 0, ended_well, "{shown_events}");
        assert!(code <= 1);
    }
}

/// what is missing and not on record as dropped ends the command with exit code 1, and every word that a region is
/// complete says how much is missing.
#[test]
fn what_is_missing_without_a_record_is_told() {
    let state = "lingqu/seen/v1\nfiles 0\ndropped c.example/s/n/45/2026h2 00\nend\n";
    let seen = Seen::parse(state).unwrap();
    for (json, expected) in [
        (true, "\"streams_dropped\":1"),
        (false, "but for 1 dropped"),
    ] {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let mut session = Session::new(&mut out, &mut notes, Language::En);
        let mut shown = Shown::new(Selection::default(), json);
        shown.show(complete("45"), &seen, &mut session).unwrap();
        let failed = shown.end(&seen, &mut session).unwrap_err();
        assert_eq!(failed.exit_code(), 1);
        let told = [out, notes].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(told.concat().contains(expected), "{told:?}");
    }
}
