use lingqu_core::record::{Draft, Kind};
use lingqu_journal::{
    EndFailed, EndOrder, FatalHook, FileStore, Journal, JournalLimits, JournalOptions, Reconciled,
};
use lingqu_proto::{decode_envelope, open, seal};
use lingqu_testkit::{EndPlace, EndSeeds, HandWritten, ManualClock, bad_ends};
use lingqu_tlog::{Ed25519Signer, KeyName, Signer, VerifierKey};

use super::*;

const OLD: &str = "c.example/s/a/45/2026h2";
const NEXT: &str = "c.example/s/a/45/2027h1";
const NOW: Timestamp = Timestamp(1_795_132_800_000_000);

const SEEDS: EndSeeds = EndSeeds {
    unit: 50,
    log: 1,
    mirror: 102,
    heads: 103,
    next: 2,
};

fn public(seed: u8) -> Vec<u8> {
    let signer = Ed25519Signer::from_seed([seed; 32]);
    signer.public_key().to_vec()
}

fn config() -> NodeConfig {
    const SAMPLE: &str = include_str!("../../../../deploy/node.toml");
    let mut config = NodeConfig::parse(SAMPLE).unwrap();
    config.id = "node_a".parse().unwrap();
    config.unit = "party_unit".parse().unwrap();
    config.trust.unit_key = public(SEEDS.unit);
    let name = |text| KeyName::parse(text).unwrap();
    config.trust.mirror_key =
        VerifierKey::cosignature(name("c.example/mirror"), &public(SEEDS.mirror)).unwrap();
    config.trust.head_key =
        Some(VerifierKey::note(name("c.example/h/45"), &public(SEEDS.heads)).unwrap());
    config
}

fn good() -> SuccessionOrder {
    let next = HandWritten::new(NEXT, SEEDS.next, "c.example/mirror");
    SuccessionOrder {
        unit: config().unit,
        node: config().id,
        issued: NOW,
        not_before: NOW,
        not_after: NOW.plus_months_utc8(1),
        ends: OLD.to_owned(),
        begins: next.key().to_string(),
    }
}

fn place() -> EndPlace<'static> {
    EndPlace {
        good: good(),
        seal: &|order| seal(order),
        encode: &encode_envelope,
        seeds: SEEDS,
    }
}

fn signed() -> Envelope {
    let mut envelope = seal(&good());
    envelope.sign("party_unit", &Ed25519Signer::from_seed([SEEDS.unit; 32]));
    envelope
}

fn journal(dir: &std::path::Path) -> Journal {
    let options = JournalOptions {
        origin: OLD.to_owned(),
        signer: std::sync::Arc::new(Ed25519Signer::from_seed([SEEDS.log; 32])),
        mirrors: config().mirror_terms().unwrap(),
        lost: false,
        clock: ManualClock::at(NOW),
        limits: JournalLimits::default(),
        follows: false,
        on_fatal: FatalHook::new(|_| ()),
    };
    let journal = Journal::open(options, Box::new(FileStore::open(dir).unwrap())).unwrap();
    assert_eq!(journal.reconcile(0, None), Ok(Reconciled::Ready));
    journal
}

/// The table that the mirror's test goes through: what it refuses is never written here.
#[test]
fn an_end_that_the_mirror_would_refuse_is_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let beat = || runtime.block_on(journal.append(Draft::new(Kind::Heartbeat)));
    beat().unwrap();
    let by = |order: Vec<u8>, next: VerifierKey<Intl>| EndOrder {
        order,
        next,
        not_before: NOW,
        check: check(&config(), OLD),
    };
    for bad in bad_ends(&place()) {
        let size = journal.size();
        // Some, the journal does not even take in hand.
        let refused = journal.end_stream(by(bad.order, bad.next.key()));
        let why = bad.why;
        assert!(refused.is_err(), "{why}");
        assert!(!journal.has_ended() && journal.size() == size, "{why}");
        beat().unwrap();
    }
    let next = good().begins.parse().unwrap();
    let ended = journal.end_stream(by(encode_envelope(&signed()), next));
    assert_eq!(ended, Ok::<_, EndFailed>(journal.size() - 1));
}

/// An order is tried when it is taken in: nothing is held up for one that could not be carried out.
#[test]
fn an_order_that_would_be_refused_is_not_taken_in() {
    let config = config();
    let tried = |envelope: &Envelope, now| {
        let order: SuccessionOrder = open(envelope).unwrap();
        try_order(&config, OLD, (envelope, &order), now)
    };
    assert_eq!(tried(&signed(), NOW), Ok(()));
    // Given early, it is judged by when it is due; given too late, it is dead.
    let (early, late) = (Timestamp(NOW.0 - 1), good().not_after);
    assert_eq!(tried(&signed(), early), Ok(()));
    assert!(matches!(tried(&signed(), late), Err(EndRefused::Order(_))));
    assert_eq!(tried(&signed(), Timestamp(late.0 - 1)), Ok(()));
    let mut seen = 0;
    for bad in bad_ends(&place()) {
        let Ok(envelope) = decode_envelope(&bad.order) else {
            continue;
        };
        // Here the record would name the key that the order does.
        if open::<SuccessionOrder>(&envelope).is_err() || bad.why == "for another key" {
            continue;
        }
        // An order that is not due yet is taken in, and waits.
        let waits = bad.why == "before its time";
        assert_eq!(tried(&envelope, NOW).is_ok(), waits, "{}", bad.why);
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}
