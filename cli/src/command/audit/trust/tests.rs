use std::fs;

use lingqu_testkit::HandWritten;

use super::*;
use crate::command::audit::links::tests::{BALANCES, Desk, NEXT, both, run};

fn command(trust: PathBuf, archives: Vec<PathBuf>, proofs: Vec<PathBuf>) -> TrustCommand {
    TrustCommand {
        trust,
        from: From {
            archives,
            proofs,
            node: None,
        },
        head_trusts: Vec::new(),
        node_id: None,
        identity: None,
        units: UnitKeys::default(),
        out: None,
    }
}

/// a reader keeps a trust file up to date without asking anybody for a key.
#[test]
fn the_file_is_given_back_with_the_streams_that_follow() {
    let (old, next) = both();
    let desk = Desk::new();
    let text = format!("# mine\n{}", old.trust());
    let file = desk.put("trust", &text);
    let archive = desk.archive("archive", &[&next]);
    let proof = desk.receipt("proof", &next, 0);
    for command in [
        command(file.clone(), vec![archive.clone()], Vec::new()),
        command(file.clone(), Vec::new(), vec![proof.clone()]),
        command(file.clone(), vec![archive], vec![proof.clone()]),
    ] {
        let (code, out, _) = run(|session| command.run(session));
        assert_eq!(code, 0);
        assert!(out.starts_with(&text), "{out}");
        assert_eq!(out.matches("log ").count(), 2, "{out}");
        let trust = Trust::<Intl>::parse(&out).unwrap();
        assert_eq!(trust.log(NEXT), Some(&next.key()));
    }
    // To a file, and with nothing more to add.
    let out = desk.0.path().join("new");
    let mut written = command(file, Vec::new(), vec![proof.clone()]);
    written.out = Some(out.clone());
    assert_eq!(run(|session| written.run(session)).0, 0);
    let before = fs::read_to_string(&out).unwrap();
    let again = command(out, Vec::new(), vec![proof]);
    let (_, after, notes) = run(|session| again.run(session));
    assert_eq!((before, notes.contains("nothing was added")), (after, true));
}

#[test]
fn no_key_is_added_without_proof() {
    let (old, next) = both();
    let desk = Desk::new();
    let file = desk.put("trust", &old.trust());
    let mut stranger = old.next(NEXT, 9);
    stranger.begin(&old, BALANCES);
    // The first record is the true one, the log that it is shown in is not.
    let copied = HandWritten {
        entries: next.entries.clone(),
        ..old.next(NEXT, 9)
    };
    let unknown = desk.put("unknown", &stranger.trust());
    for (trust, of, why) in [
        (&file, &stranger, "another key"),
        (&file, &copied, "another signature"),
        (&unknown, &next, "a stream before that nobody trusts"),
    ] {
        let proof = desk.receipt("proof", of, 0);
        let command = command(trust.clone(), Vec::new(), vec![proof]);
        let (code, out, _) = run(|session| command.run(session));
        assert_eq!((code, out.as_str()), (1, ""), "{why}");
    }
    let archive = desk.archive("archive", &[&stranger]);
    let command = command(file, vec![archive], Vec::new());
    assert_eq!(run(|session| command.run(session)).0, 1);
}
