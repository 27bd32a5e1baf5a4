//! What is shown was checked, what does not hold is found, the window stays bounded and fair, and every receipt proves.

use std::collections::BTreeSet;

use lingqu_core::record::{Clear, Draft, Field, Kind, StreamId, flag};
use lingqu_core::trust::Trust;
use lingqu_core::{CallId, Timestamp};
use lingqu_tlog::{Ed25519Signer, Frontier, Signer};

use super::prove::Place;
use super::search::{Cursor, Filter, Findings, Kinds, Outcome};
use super::window::Class;
use super::*;
use crate::mirror::testbed::{Bed, START, Writer, heads, keys, mirror_key, region, replicate};

/// One call of a stream that is made by hand.
struct Call {
    caller: &'static str,
    product: &'static str,
    purpose: &'static str,
    outcome: &'static str,
}

const ANSWER: Call = Call {
    caller: "party_bank",
    product: "u.person",
    purpose: "KYC",
    outcome: "ANSWERED",
};

fn write(writer: &mut Writer, call: &Call, at_s: i64) {
    let kind = match call.outcome {
        "ANSWERED" | "EVALUATION_FAILED" => Kind::Call,
        _ => Kind::Denials,
    };
    let mut draft = Draft::new(kind);
    if kind == Kind::Call {
        draft.call = CallId([u8::try_from(writer.size() % 250).unwrap() + 1; 16]);
    }
    if call.outcome == "EVALUATION_FAILED" {
        draft.flags = flag::ERROR;
    }
    draft.clear = Clear::default()
        .text(Field::Caller, call.caller)
        .text(Field::Product, call.product)
        .text(Field::Purpose, call.purpose)
        .text(Field::Outcome, call.outcome);
    if kind == Kind::Denials {
        draft.flags = flag::REFUSED;
        draft.clear = draft.clear.number(Field::Count, 5);
    }
    let stream = StreamId::of::<Intl>(&writer.origin());
    let order = i64::try_from(writer.size()).unwrap();
    let time = Timestamp(START + at_s * 1_000_000 + order);
    let record = draft.at(stream, writer.size(), time);
    writer.entries.push(record.encode::<Intl>());
}

fn auditor(mirror: &Arc<Mirror>) -> Auditor {
    Auditor::new(Arc::clone(mirror), &keys(), KeyNames::new("coord.example"))
}

fn now() -> Timestamp {
    Timestamp(START + 600_000_000)
}

fn all() -> Filter {
    Filter {
        kinds: Kinds::All,
        ..Filter::default()
    }
}

fn search(auditor: &Auditor, code: &str, filter: &Filter) -> Findings {
    auditor
        .window()
        .search(&region(code), filter, None, 1_000, now())
}

fn trust(writer: &Writer) -> Trust<Intl> {
    let text = format!(
        "log {}\nwitness mirror {}\nquorum mirror\n",
        writer.stream().log_key,
        mirror_key()
    );
    Trust::parse(&text).unwrap()
}

/// Spans of any size, over a restart: what is shown is every record of the region, and each one's receipt verifies on keys
/// alone, at the mirrored level.
#[tokio::test]
async fn what_is_shown_is_everything_and_each_record_proves() {
    let mut near = Writer::new("near", "450102", 1);
    let mut far = Writer::new("far", "4502", 2);
    let bed = Bed::new(&[&near, &far]);
    let mut mirror = bed.open();
    let mut shown = auditor(&mirror);
    for round in 0..40_i64 {
        // Small spans and one that is larger than the distance between kept edges.
        let count = if round == 20 { 300 } else { round % 4 };
        for _ in 0..count {
            write(&mut near, &ANSWER, round);
        }
        write(&mut far, &ANSWER, round);
        replicate(&mirror, &near, 64).await;
        replicate(&mirror, &far, 64).await;
        mirror.tick().await.unwrap();
        if round == 25 {
            mirror.close();
            drop((mirror, shown));
            mirror = bed.open();
            shown = auditor(&mirror);
        }
        shown.catch_up().await;
    }
    let found = search(&shown, "4501", &all());
    let indices: BTreeSet<u64> = found.rows.iter().map(|found| found.row.index).collect();
    assert_eq!(indices, (0..near.size()).collect());
    assert_eq!(found.records, near.size());
    assert!(
        found
            .rows
            .is_sorted_by(|newer, older| newer.cursor > older.cursor)
    );
    let both = search(&shown, "45", &all());
    assert_eq!(both.records, near.size() + far.size());
    assert_eq!(search(&shown, "4503", &all()).records, 0);

    let place = |found: &search::Found| Place {
        origin: found.origin.clone(),
        head: found.row.head,
        index: found.row.index,
    };
    let places: Vec<Place> = found.rows.iter().map(place).collect();
    let receipts = shown.receipts(&places).await.unwrap();
    assert_eq!(receipts.len(), places.len());
    for (receipt, place) in receipts.iter().zip(&places) {
        let proven = receipt.verify(&trust(&near)).unwrap();
        assert_eq!(proven.record.index, place.index);
        assert_eq!(proven.level, lingqu_core::receipt::Level::Mirrored);
    }
    // A record of another span, stream or place is not proven.
    for (head, index, origin) in [
        (places[0].head + 1, places[0].index, near.origin()),
        (places[0].head, near.size(), near.origin()),
        (places[0].head, places[0].index, far.origin()),
        (0, 0, "coord.example/s/none/45/2026h2".to_owned()),
    ] {
        let refused = shown
            .receipts(&[Place {
                origin,
                head,
                index,
            }])
            .await;
        assert_eq!(refused.unwrap_err(), ErrorCode::RequestInvalid);
    }
    let log = &shown.window();
    let log = &log.logs[&region("450102")];
    assert_eq!(log.closed(), log.size());
    assert!(log.size() > 20 && !log.is_faulty());
}

/// Entries that are not what was signed, signatures of others, and heads in a wrong place.
#[tokio::test]
async fn what_does_not_hold_is_found_and_stays_found() {
    let mut writer = Writer::new("n", "45", 1);
    write(&mut writer, &ANSWER, 0);
    write(&mut writer, &ANSWER, 1);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    replicate(&mirror, &writer, 2).await;
    mirror.tick().await.unwrap();
    let stream = mirror.shared.stream(&writer.origin()).unwrap();
    let place = region("45");
    let all = heads(&mirror, &place);
    let head = all.iter().position(|head| head.origin == writer.origin());
    let head = head.unwrap();
    let task = || Task {
        region: place.clone(),
        index: head as u64,
        head: all[head].clone(),
        stream: Arc::clone(&stream),
        before: Frontier::new(),
        is_faulty: false,
        mirror_key: mirror_key(),
        bytes_max: 1 << 20,
        chunk_bytes_max: 700,
    };
    let stranger = Ed25519Signer::from_seed([99; 32]);
    let other_stream = {
        let public = stranger.public_key();
        crate::mirror::streams::Stream::new(&writer.origin(), &writer.owner(), &place, public)
    };
    let other_mirror = VerifierKey::cosignature(
        KeyNames::new("coord.example").mirror(),
        stranger.public_key(),
    );
    let mut grown = Frontier::new();
    grown.push(leaf_hash::<Intl>(b"x"));
    let other = Writer::new("n", "4501", 1).stream();
    let cases: [(Task, Fault); 5] = [
        (
            Task {
                stream: Arc::new(other_stream.unwrap()),
                ..task()
            },
            Fault::Signature,
        ),
        (
            Task {
                mirror_key: other_mirror.unwrap(),
                ..task()
            },
            Fault::Signature,
        ),
        (
            Task {
                before: grown,
                ..task()
            },
            Fault::Head,
        ),
        (
            Task {
                is_faulty: true,
                ..task()
            },
            Fault::Before,
        ),
        (
            Task {
                stream: Arc::new(other),
                ..task()
            },
            Fault::Signature,
        ),
    ];
    for (task, expected) in cases {
        let read = move |archive: &crate::mirror::archive::Archive| {
            task.read(archive, &mut Names::default())
        };
        let (_, checked) = mirror.read(read).await.unwrap();
        assert!(
            matches!(checked, Checked::Faulty(fault) if fault == expected),
            "{checked:?}"
        );
    }
    // A stream that was found not to hold stays so, and nothing more of it is shown.
    let shown = auditor(&mirror);
    let kept = Checked::Faulty(Fault::Root);
    shown.window_mut().keep(&stream, 0, kept);
    shown.catch_up().await;
    let window = shown.window();
    let kept = &window.streams[&writer.origin()];
    assert_eq!(kept.fault, Some((0, Fault::Root)));
    assert!(kept.rows.is_empty());
    // The head log itself is whole all the same.
    assert_eq!(window.logs[&place].closed(), window.logs[&place].size());
}

#[test]
fn a_head_log_over_other_leaves_is_never_whole_again() {
    let mut log = window::ReadLog::default();
    log.push(leaf_hash::<Intl>(b"one"));
    let mut tree = Frontier::<Intl>::new();
    tree.push(leaf_hash::<Intl>(b"one"));
    log.close(tree.root());
    assert_eq!((log.closed(), log.is_faulty()), (1, false));
    log.push(leaf_hash::<Intl>(b"two"));
    tree.push(leaf_hash::<Intl>(b"other"));
    log.close(tree.root());
    assert_eq!((log.closed(), log.is_faulty()), (1, true));
}

/// A flooded stream does not push out what others did.
#[tokio::test]
async fn the_window_is_bounded_and_the_loudest_gives_way() {
    let mut quiet = Writer::new("quiet", "45", 1);
    let mut loud = Writer::new("loud", "45", 2);
    let bed = Bed::new(&[&quiet, &loud]);
    let mirror = bed.open();
    let shown = auditor(&mirror);
    *shown.window_mut() = Window::new(40_000);
    for second in 0..5 {
        write(&mut quiet, &ANSWER, second);
    }
    for second in 0..400 {
        write(&mut loud, &ANSWER, second);
    }
    replicate(&mirror, &quiet, 1).await;
    for end in (20..=400).step_by(20) {
        let entries = loud.entries.clone();
        loud.entries.truncate(end);
        replicate(&mirror, &loud, 20).await;
        loud.entries = entries;
        mirror.tick().await.unwrap();
        shown.catch_up().await;
    }
    let found = search(&shown, "45", &all());
    assert!(found.is_cut && found.records < 200, "{}", found.records);
    let of = |name: &str| {
        found
            .rows
            .iter()
            .filter(|found| found.owner == name)
            .count()
    };
    assert_eq!(of("node_quiet"), 5);
    // What is left is the end of the loud stream, each record of which still proves.
    let newest = found.rows.iter().filter(|found| found.owner == "node_loud");
    let newest: Vec<&search::Found> = newest.collect();
    assert_eq!(newest[0].row.index, 399);
    let places = [newest[0], newest[newest.len() - 1]].map(|found| Place {
        origin: found.origin.clone(),
        head: found.row.head,
        index: found.row.index,
    });
    for receipt in shown.receipts(&places).await.unwrap() {
        receipt.verify(&trust(&loud)).unwrap();
    }
}

/// Every filter finds what fits it and nothing else, and pages are the whole list in order.
#[tokio::test]
async fn filters_and_pages_agree_with_the_whole_list() {
    let mut one = Writer::new("one", "4501", 1);
    let mut two = Writer::new("two", "4502", 2);
    let bed = Bed::new(&[&one, &two]);
    let mirror = bed.open();
    let calls = [
        ANSWER,
        Call {
            caller: "party_shop",
            ..ANSWER
        },
        Call {
            product: "u.model",
            ..ANSWER
        },
        Call {
            purpose: "LOAN",
            outcome: "PURPOSE_MISMATCH",
            ..ANSWER
        },
        Call {
            outcome: "GRANT_EXPIRED",
            ..ANSWER
        },
        Call {
            outcome: "EVALUATION_FAILED",
            ..ANSWER
        },
    ];
    for (call, second) in calls.iter().cycle().take(30).zip(0..) {
        write(&mut one, call, second);
        write(&mut two, call, second);
    }
    replicate(&mirror, &one, 7).await;
    replicate(&mirror, &two, 7).await;
    mirror.tick().await.unwrap();
    let shown = auditor(&mirror);
    shown.catch_up().await;
    let text = |text: &str| Some(text.to_owned());
    let outcome = |class| Some(Outcome::Class(class));
    let at = |second: i64| Some(Timestamp(START + second * 1_000_000));
    let owners = BTreeSet::from(["node_one".to_owned()]);
    for (filter, expected) in [
        (Filter::default(), 60),
        (
            Filter {
                kinds: Kinds::Acts,
                ..Filter::default()
            },
            0,
        ),
        (
            Filter {
                party: text("party_shop"),
                ..all()
            },
            10,
        ),
        (
            Filter {
                party: text("party_none"),
                ..all()
            },
            0,
        ),
        (
            Filter {
                product: text("u.model"),
                ..all()
            },
            10,
        ),
        (
            Filter {
                purpose: text("LOAN"),
                ..all()
            },
            10,
        ),
        (
            Filter {
                outcome: outcome(Class::Answered),
                ..all()
            },
            30,
        ),
        (
            Filter {
                outcome: outcome(Class::Refused),
                ..all()
            },
            20,
        ),
        (
            Filter {
                outcome: outcome(Class::Failed),
                ..all()
            },
            10,
        ),
        (
            Filter {
                outcome: Some(Outcome::Code("GRANT_EXPIRED".to_owned())),
                ..all()
            },
            10,
        ),
        (
            Filter {
                owners: Some(owners),
                ..all()
            },
            30,
        ),
        (
            Filter {
                owners: Some(BTreeSet::new()),
                ..all()
            },
            0,
        ),
        (
            Filter {
                from: at(10),
                until: at(20),
                ..all()
            },
            20,
        ),
        (
            Filter {
                product: text("u.model"),
                from: at(20),
                ..all()
            },
            4,
        ),
    ] {
        let whole = search(&shown, "45", &filter);
        assert_eq!(whole.records, expected, "{filter:?}");
        let mut paged: Vec<Cursor> = Vec::new();
        let mut before = None;
        loop {
            let page = shown
                .window()
                .search(&region("45"), &filter, before, 7, now());
            assert_eq!(page.records, expected, "totals are of the whole list");
            paged.extend(page.rows.iter().map(|found| found.cursor));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let whole: Vec<Cursor> = whole.rows.iter().map(|found| found.cursor).collect();
        assert_eq!(paged, whole, "{filter:?}");
    }
    let found = search(&shown, "45", &Filter::default());
    // A record of refusals stands for several.
    assert_eq!(found.totals[&Class::Refused], 100);
    let bars = found.bars.counts.iter();
    let sums = bars.fold([0; 3], |sums: [u64; 3], bar| {
        [0, 1, 2].map(|at| sums[at] + bar[at])
    });
    assert_eq!(sums, [30, 10, 100]);
    assert!(found.bars.counts.len() <= 60);
    let parties: Vec<&str> = found.choices.parties.iter().map(|name| &**name).collect();
    assert_eq!(parties, ["party_bank", "party_shop"]);
}
