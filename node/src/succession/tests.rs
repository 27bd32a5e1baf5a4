use std::fs;

use lingqu_tlog::{Ed25519Signer, KeyName};

use super::*;
use crate::state::write_file;

const OLD: &str = "c.example/s/node_a/45/2026h2";
const NEXT: &str = "c.example/s/node_a/45/2027h1";

fn key(origin: &str, seed: u8) -> VerifierKey<Intl> {
    let public = Ed25519Signer::from_seed([seed; 32]);
    VerifierKey::note(KeyName::parse(origin).unwrap(), public.public_key()).unwrap()
}

fn written() -> Written {
    Written {
        next_key: key(NEXT, 2),
        predecessor: Predecessor {
            key: key(OLD, 1).to_string(),
            end: "c2sp.org/tlog-proof@v1\n".to_owned(),
            forward: vec![1, 2, 3],
        },
    }
}

#[test]
fn the_stream_is_the_one_that_was_left_last() {
    let dir = tempfile::tempdir().unwrap();
    let read = || CurrentStream::read(dir.path());
    assert_eq!(read().unwrap(), None);
    let file = dir.path().join(ORIGIN_FILE);
    write_file(&file, OLD.as_bytes()).unwrap();
    let first = read().unwrap().unwrap();
    assert_eq!((first.origin.as_str(), first.key), (OLD, None));
    CurrentStream::write(dir.path(), &key(NEXT, 2)).unwrap();
    let next = read().unwrap().unwrap();
    assert_eq!((next.origin.as_str(), next.key), (NEXT, Some(key(NEXT, 2))));
    // A key of another stream, a third line, nothing.
    let other = key(OLD, 2).to_string();
    for text in [
        format!("{NEXT}\n{other}\n"),
        format!("{OLD}\n{other}\nx\n"),
        String::new(),
    ] {
        write_file(&file, text.as_bytes()).unwrap();
        assert_eq!(read().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn what_is_written_down_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), None).unwrap();
    assert!(Written::read(&state).unwrap().is_none());
    written().write(&state).unwrap();
    let read = Written::read(&state).unwrap().unwrap();
    assert_eq!(read.next_key, key(NEXT, 2));
    assert_eq!(read.predecessor, written().predecessor);
    write_file(&dir.path().join(BEGIN_FILE), b"\x08\x01").unwrap();
    assert!(Written::read(&state).is_err());
}

/// A state directory with a journal of one file, and the configuration with two log keys, of which the first one signs the
/// stream that is there; and what is written down for the other one, or for one that nobody has.
struct Place {
    _dir: tempfile::TempDir,
    config: NodeConfig,
    written: Written,
}

impl Place {
    fn new(has_next: bool) -> Place {
        const SAMPLE: &str = include_str!("../../../deploy/node.toml");
        let dir = tempfile::tempdir().unwrap();
        let mut config = NodeConfig::parse(SAMPLE).unwrap();
        config.data_dir = dir.path().join("state");
        create_dir(&config.data_dir.join(JOURNAL)).unwrap();
        fs::write(config.data_dir.join(JOURNAL).join("x.seg"), b"frames").unwrap();
        write_file(&config.data_dir.join(ORIGIN_FILE), OLD.as_bytes()).unwrap();
        config.keys.log = dir.path().join("log.key");
        signing_key::create(&config.keys.log).unwrap();
        let path = dir.path().join("next.key");
        let next = signing_key::create(&path).unwrap();
        config.keys.log_next = has_next.then_some(path);
        let name = KeyName::parse(NEXT).unwrap();
        let next_key = VerifierKey::note(name, next.public_key()).unwrap();
        let written = Written {
            next_key,
            ..written()
        };
        Place {
            _dir: dir,
            config,
            written,
        }
    }

    fn state(&self) -> State {
        State::open(&self.config.data_dir, None).unwrap()
    }
}

#[test]
fn a_journal_is_put_aside_once_whatever_a_crash_left_of_it() {
    let place = Place::new(true);
    let (config, state, next) = (&place.config, place.state(), &place.written.next_key);
    let data = config.data_dir.clone();
    put_aside(config, &state).unwrap();
    assert!(data.join(JOURNAL).exists(), "nothing has ended");
    place.written.write(&state).unwrap();
    let aside = data.join(PAST).join("2026h2");
    let done = || {
        assert!(!data.join(JOURNAL).exists());
        assert_eq!(fs::read(aside.join("x.seg")).unwrap(), b"frames");
        let stream = CurrentStream::read(&data).unwrap().unwrap();
        assert_eq!(stream.key.as_ref(), Some(next));
        let signer = stream.signer(config).unwrap();
        assert_eq!(signer.public_key(), next.public_key());
    };
    put_aside(config, &state).unwrap();
    done();
    // The name was not written yet.
    write_file(&data.join(ORIGIN_FILE), OLD.as_bytes()).unwrap();
    put_aside(config, &state).unwrap();
    done();
    // All was done: the new journal stays where it is.
    create_dir(&data.join(JOURNAL)).unwrap();
    put_aside(config, &state).unwrap();
    assert!(data.join(JOURNAL).exists());
}

#[test]
fn a_journal_stays_where_it_is_while_the_next_key_is_missing() {
    let place = Place::new(false);
    place.written.write(&place.state()).unwrap();
    let refused = put_aside(&place.config, &place.state()).unwrap_err();
    assert!(matches!(refused, OpenError::LogKey(origin) if origin == NEXT));
    assert!(place.config.data_dir.join(JOURNAL).exists());
}

#[test]
fn what_another_stream_left_is_not_taken_over() {
    let place = Place::new(true);
    let (config, state) = (&place.config, place.state());
    let mut other = Written {
        next_key: place.written.next_key.clone(),
        ..written()
    };
    other.predecessor.key = key("c.example/s/node_b/45/2026h2", 1).to_string();
    other.write(&state).unwrap();
    assert!(matches!(
        put_aside(config, &state),
        Err(OpenError::State(_))
    ));
    assert!(config.data_dir.join(JOURNAL).exists());
}

#[test]
fn balances_of_any_size_that_a_stream_can_begin_with_are_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), None).unwrap();
    let mut large = written();
    // More than the state's other files may have: what 262,144 remembered calls take.
    large.predecessor.forward = vec![7; 13 << 20];
    large.write(&state).unwrap();
    let read = Written::read(&state).unwrap().unwrap();
    assert_eq!(read.predecessor, large.predecessor);
    let path = dir.path().join("another");
    assert!(state.write(&path, &vec![0; 4 << 20]).is_err());
    assert!(!path.exists());
}

#[test]
fn that_a_stream_follows_is_said_by_more_than_one_trace() {
    let place = Place::new(true);
    let state = place.state();
    let data = place.config.data_dir.clone();
    let first = CurrentStream::read(&data).unwrap().unwrap();
    assert!(!follows(&first, &state).unwrap());
    place.written.write(&state).unwrap();
    put_aside(&place.config, &state).unwrap();
    // The second line is taken away: the node does not go on as if nothing had been before.
    write_file(&data.join(ORIGIN_FILE), NEXT.as_bytes()).unwrap();
    let bare = CurrentStream::read(&data).unwrap().unwrap();
    assert_eq!(bare.key, None);
    assert!(put_aside(&place.config, &state).is_err());
    assert!(follows(&bare, &state).unwrap());
    fs::remove_file(data.join(BEGIN_FILE)).unwrap();
    assert!(follows(&bare, &state).unwrap());
    // What is being dropped is no stream any more.
    let past = data.join(PAST);
    fs::rename(past.join("2026h2"), past.join("2026h2~")).unwrap();
    assert_eq!(past_journals(&state).unwrap(), [] as [PathBuf; 0]);
    fs::create_dir(past.join("2027h1")).unwrap();
    remove_half_dropped(&state).unwrap();
    assert!(!past.join("2026h2~").exists() && past.join("2027h1").exists());
}

#[test]
fn files_put_back_beside_what_they_became_are_left_to_a_person() {
    let place = Place::new(true);
    let state = place.state();
    let data = place.config.data_dir.clone();
    place.written.write(&state).unwrap();
    put_aside(&place.config, &state).unwrap();
    create_dir(&data.join(JOURNAL)).unwrap();
    fs::write(data.join(JOURNAL).join("x.seg"), b"older").unwrap();
    write_file(&data.join(ORIGIN_FILE), OLD.as_bytes()).unwrap();
    assert!(put_aside(&place.config, &state).is_err());
    let aside = data.join(PAST).join("2026h2/x.seg");
    assert_eq!(fs::read(aside).unwrap(), b"frames");
    assert_eq!(
        fs::read(data.join(JOURNAL).join("x.seg")).unwrap(),
        b"older"
    );
}
