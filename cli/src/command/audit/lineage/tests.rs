use lingqu_core::record::{Clear, Draft, Kind, StreamId};
use lingqu_core::{CallId, ErrorCode, Timestamp};

use super::*;
use crate::language::Language;

const WRONG: &str = "load_00000000000000000001";

fn record(index: u64, kind: Kind, clear: Clear) -> Vec<u8> {
    let mut draft = Draft::new(kind);
    draft.clear = clear;
    if kind == Kind::Call {
        draft.call = CallId([1; 16]);
    }
    let stream = StreamId::of::<Intl>("lineage.test");
    let time = Timestamp::from_unix_s(1_767_225_600 + i64::try_from(index).unwrap());
    draft.at(stream, index, time).encode::<Intl>()
}

fn call(index: u64, loads: &str) -> Vec<u8> {
    let clear = Clear::default()
        .text(Field::Caller, &format!("party_{index}"))
        .text(Field::Load, loads);
    record(index, Kind::Call, clear)
}

fn bundle(entries: &[Vec<u8>]) -> Vec<u8> {
    let framed = entries.iter().map(|entry| {
        let length = u16::try_from(entry.len()).unwrap();
        [&length.to_be_bytes(), entry.as_slice()].concat()
    });
    framed.collect::<Vec<_>>().concat()
}

fn run(dir: &Path) -> (Result<(), Failure>, String) {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut session = Session::new(&mut out, &mut notes, Language::En);
    let lineage = Lineage {
        from: From {
            socket: None,
            archive: Some(dir.to_owned()),
        },
        load: WRONG.parse().unwrap(),
    };
    let ended = lineage.run(&mut session);
    (ended, String::from_utf8(out).unwrap())
}

fn archive(bundles: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in bundles {
        let path = dir.path().join("tile/entries").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    dir
}

#[test]
fn exactly_the_answers_from_the_load_are_listed_each_once() {
    let other = "load_00000000000000000002";
    let entries = [
        record(0, Kind::Load, Clear::default().text(Field::Load, WRONG)),
        call(1, WRONG),
        call(2, other),
        call(3, &format!("{other} {WRONG}")),
        // Nearly the same id is another load.
        call(4, &format!("{WRONG}1")),
        record(
            5,
            Kind::AuthorizationChange,
            Clear::default().text(Field::WrongLoad, WRONG),
        ),
    ];
    let partial = bundle(&entries[..3]);
    let dir = archive(&[("000", bundle(&entries)), ("000.p/3", partial)]);
    let (ended, out) = run(dir.path());
    ended.unwrap();
    let lines: Vec<&str> = out.lines().collect();
    let begins = ["loaded: 0", "answer: 1", "answer: 3", "marked wrong: 5"];
    assert_eq!(lines.len(), begins.len(), "{out}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
}

#[test]
fn an_unknown_load_and_a_torn_bundle_are_said() {
    let dir = archive(&[("000", bundle(&[call(0, "load_00000000000000000002")]))]);
    let (ended, _) = run(dir.path());
    assert_eq!(ended.unwrap_err().code(), ErrorCode::LoadUnknown);
    let mut torn = bundle(&[call(0, WRONG)]);
    torn.pop();
    let (ended, _) = run(archive(&[("000", torn)]).path());
    assert_eq!(ended.unwrap_err().code(), ErrorCode::FileInvalid);
    let (ended, _) = run(tempfile::tempdir().unwrap().path());
    assert_eq!(ended.unwrap_err().code(), ErrorCode::FileInvalid);
}
