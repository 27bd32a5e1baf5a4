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
