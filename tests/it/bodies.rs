//! Kept bodies through a running network: sealed to the regulators that the unit names, opened only by an order that is
//! on record, held against the records, erased by the unit, and never before the retention is over.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lingqu_client::bodies::{self, OpenFailed, SealingKey};
use lingqu_core::body::{BodyAct, BodyOrder, Day, Days};
use lingqu_core::envelope::Envelope;
use lingqu_core::product::SignedPolicy;
use lingqu_core::record::{Field, Kind, Record, StreamId, flag};
use lingqu_core::{Clock, ErrorCode, Timestamp};
use lingqu_demo::cast::{self, Party, Unit};
use lingqu_journal::{LogId, StateKey};
use lingqu_node::NodeConfig;
use lingqu_node::admin::{AdminRequest, AdminResponse, ask};
use lingqu_node::config::RegulatorSection;
use lingqu_node::state::migrating::rewrite;
use lingqu_policy::BodyTerms;
use lingqu_proto::{encode_envelope, seal};
use lingqu_tlog::{Intl, Signer};
use lingqu_transport::signing_key;

use crate::binary::{Ran, run};
use crate::network::{GRANT, Setup, World, call, calls, stranger};

/// The regulator's sealing key, the same in every world.
fn sealing_key() -> SealingKey {
    SealingKey::parse(&"2a".repeat(32)).unwrap()
}

fn keeps_bodies(policy: &mut SignedPolicy) {
    let terms = BodyTerms::new(6).unwrap();
    policy.policy = policy.policy.clone().with_bodies(terms);
}

/// The bureau of the whole region is named, that of another city is not.
fn names_the_bureau(config: &mut NodeConfig) {
    let id = Party::Bureau.id();
    let key = config
        .base
        .join("../parties")
        .join(id.as_str())
        .join("approval.key");
    config.trust.regulators.push(RegulatorSection {
        id,
        key: signing_key::read(&key).unwrap().public_key().to_vec(),
        sealing_key: sealing_key().public_key(),
    });
}

async fn keeping() -> World {
    World::with(Setup {
        policy: keeps_bodies,
        config: names_the_bureau,
        ..Setup::default()
    })
    .await
}

/// Writes the node's state anew, sealed; gives where its key lies. What was kept in clear is still beside it.
fn seal_state(config: &NodeConfig) -> PathBuf {
    let key = StateKey::generate();
    let path = config.base.join("state.key");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .unwrap();
    file.write_all(key.to_text().as_bytes()).unwrap();
    let origin = lingqu_node::Node::read_origin(config).unwrap();
    let limits = config.limits.journal();
    let layout = (
        LogId(StreamId::of::<Intl>(&origin).0),
        limits.segment_len,
        limits.frame_bytes_max,
    );
    let migrated = rewrite(&config.data_dir, None, &key, layout).unwrap();
    std::fs::remove_dir_all(migrated.kept).unwrap();
    path
}

/// The day of UTC+8.
fn day(at: Timestamp) -> Day {
    Day::from_days(i32::try_from(at.day_utc8()).unwrap()).unwrap()
}

impl World {
    fn body_order(&self, by: Party, act: BodyAct) -> BodyOrder {
        let now = self.clock.now();
        BodyOrder {
            by: by.id(),
            node: Unit::Transport.node(),
            issued: now,
            grant: GRANT.parse().unwrap(),
            days: Days::new(day(Timestamp(now.0 - 86_400_000_000)), day(now)).unwrap(),
            act,
            reason: "(2026)桂01民初7号".to_owned(),
        }
    }

    fn signed_order(&self, order: &BodyOrder, signer: Party) -> Envelope {
        let mut envelope = seal(order);
        let key = self.network.approval_key(signer).unwrap();
        envelope.sign(order.by.as_str(), &key);
        envelope
    }

    /// What `party` gets for an order that it brings.
    async fn bring(
        &self,
        party: Party,
        order: &Envelope,
    ) -> Result<bodies::HandedOut, Option<ErrorCode>> {
        let identity = self.network.identity(party).unwrap();
        let channel = self.network.dial_node(&identity).await.unwrap();
        bodies::order(channel, order)
            .await
            .map_err(|failed| match failed {
                OpenFailed::Refused { code } => Some(code),
                OpenFailed::Broken(_) | OpenFailed::TooMuch => None,
            })
    }

    async fn admin(&self, request: &AdminRequest) -> AdminResponse {
        ask(&self.node().config().admin_socket(), request)
            .await
            .unwrap()
    }

    /// How many keys the unit's order erased, or the code.
    async fn erase(&self, envelope: &Envelope) -> Result<u64, String> {
        let order = hex::encode(encode_envelope(envelope));
        let answer = self.admin(&AdminRequest::EraseBodies { order }).await;
        match answer.erased {
            Some(erased) if answer.ok => Ok(erased),
            _ => Err(answer.code.unwrap()),
        }
    }
}

fn orders(records: &[Record], action: &str) -> usize {
    let is_one = |record: &&Record| record.draft.clear.get_text(Field::Action) == Some(action);
    records.iter().filter(is_one).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_that_says_so_nothing_is_kept() {
    let world = World::with(Setup {
        config: names_the_bureau,
        ..Setup::default()
    })
    .await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    let kept = world.admin(&AdminRequest::Bodies).await.bodies.unwrap();
    assert_eq!((kept.keys, kept.days, kept.bytes_today), (0, 0, 0));
    let records = world.records().await;
    assert!(
        calls(&records)
            .iter()
            .all(|record| record.draft.flags & flag::BODY_KEPT == 0)
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_keeps_bodies_answers_nothing_while_nobody_is_named() {
    let world = World::with(Setup {
        policy: keeps_bodies,
        ..Setup::default()
    })
    .await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "AUDIT_UNAVAILABLE");
    assert_eq!(world.charged(), 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_regulator_opens_what_was_kept_also_after_the_state_was_sealed() {
    let mut world = keeping().await;
    let bank = world.caller(Party::Bank).await;
    let (one, two) = (call(GRANT), call(GRANT));
    assert_eq!(bank.told(&one).await, "MATCH");
    let config = world.node().config().clone();
    world.network.stop_node().await.unwrap();
    let path = seal_state(&config);
    let sealed = move |config: &mut NodeConfig| {
        names_the_bureau(config);
        config.keys.state = Some(path);
    };
    world.start_node_with(sealed).await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&two).await, "MATCH");

    let order = world.body_order(Party::Bureau, BodyAct::Open);
    let envelope = world.signed_order(&order, Party::Bureau);
    let handed = world.bring(Party::Bureau, &envelope).await.unwrap();
    // The order is on record and mirrored, and whoever opens can prove it.
    let on_record = handed.check_receipt(&world.trust, &envelope).unwrap();
    assert_eq!(
        on_record.draft.clear.get_text(Field::Actor),
        Some(Party::Bureau.id().as_str())
    );
    assert_eq!(on_record.draft.clear.get_text(Field::Grant), Some(GRANT));
    assert!(
        handed
            .check_receipt(&world.trust, &world.signed_order(&order, Party::Unit))
            .is_ok(),
        "the digest is over what was ordered, not over who signed"
    );
    let records = world.records().await;
    let opened = handed.open(&order, &sealing_key());
    let compared = bodies::compare(&order, opened.clone(), &records);
    let proven: Vec<_> = compared
        .proven
        .iter()
        .map(|(record, _)| record.draft.call)
        .collect();
    assert_eq!(proven, [one.id, two.id]);
    assert_eq!((compared.missing.len(), compared.stray), (0, 0));
    let shown = &compared.proven[0].1;
    assert_eq!(shown.answer, [1]);
    let holds = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
    assert!(holds(&shown.request, b"N10156"));

    // Swapped among themselves they are none of them, and each call's own is missed.
    let mut swapped = opened;
    let (first, second) = (swapped[0].body.clone(), swapped[1].body.clone());
    (swapped[0].body, swapped[1].body) = (second, first);
    let compared = bodies::compare(&order, swapped, &records);
    assert_eq!(
        (
            compared.proven.len(),
            compared.missing.len(),
            compared.stray
        ),
        (0, 2, 2)
    );

    // Another's sealing key opens nothing.
    let other = SealingKey::generate();
    assert_eq!(handed.open(&order, &other), []);
    // Nothing of it lies on the node's disk in clear, nor does it say whose calls they were.
    let state = world.state();
    world.network.stop_node().await.unwrap();
    assert_eq!(files_with(&state, b"N10156"), Vec::<String>::new());
    assert_eq!(files_with(&state, GRANT.as_bytes()), Vec::<String>::new());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_opens_and_nothing_is_opened_unrecorded() {
    let mut world = keeping().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    let good = world.body_order(Party::Bureau, BodyAct::Open);
    let envelope = world.signed_order(&good, Party::Bureau);

    // Not named, though a regulator; and the order of the one that is, brought by others.
    let unnamed = world.body_order(Party::OtherBureau, BodyAct::Open);
    let unnamed = world.signed_order(&unnamed, Party::OtherBureau);
    let forbidden = Some(ErrorCode::BodyOrderForbidden);
    for (party, order) in [
        (Party::OtherBureau, &unnamed),
        (Party::OtherBureau, &envelope),
        (Party::Bank, &envelope),
        (Party::Unit, &envelope),
    ] {
        let told = world.bring(party, order).await.unwrap_err();
        assert_eq!(told, forbidden, "{party:?}");
    }
    // Signed by somebody else in its name.
    for signer in [Party::Unit, Party::Bank, Party::OtherBureau] {
        let forged = world.signed_order(&good, signer);
        let told = world.bring(Party::Bureau, &forged).await.unwrap_err();
        assert_eq!(told, Some(ErrorCode::ObjectSignatureInvalid), "{signer:?}");
    }
    let mut forged = seal(&good);
    forged.sign(good.by.as_str(), &stranger());
    let told = world.bring(Party::Bureau, &forged).await.unwrap_err();
    assert_eq!(told, Some(ErrorCode::ObjectSignatureInvalid));
    // Old, from the future, for another node, and an erasure.
    let at = |seconds: i64| Timestamp(good.issued.0 + seconds * 1_000_000);
    let stale = Some(ErrorCode::BodyOrderStale);
    let invalid = Some(ErrorCode::ObjectInvalid);
    for (order, code) in [
        (
            BodyOrder {
                issued: at(-2 * 86_400),
                ..good.clone()
            },
            stale,
        ),
        (
            BodyOrder {
                issued: at(600),
                ..good.clone()
            },
            stale,
        ),
        (
            BodyOrder {
                node: Unit::SocialSecurity.node(),
                ..good.clone()
            },
            invalid,
        ),
        (
            BodyOrder {
                act: BodyAct::Erase,
                ..good.clone()
            },
            invalid,
        ),
    ] {
        let envelope = world.signed_order(&order, Party::Bureau);
        assert_eq!(
            world.bring(Party::Bureau, &envelope).await.unwrap_err(),
            code
        );
    }
    // A regulator erases nothing, nor does anybody in the unit's name.
    let erasure = world.body_order(Party::Bureau, BodyAct::Erase);
    let told = world
        .erase(&world.signed_order(&erasure, Party::Bureau))
        .await;
    assert_eq!(told, Err("BODY_ORDER_FORBIDDEN".to_owned()));
    let erasure = world.body_order(Party::Unit, BodyAct::Erase);
    let told = world
        .erase(&world.signed_order(&erasure, Party::Bureau))
        .await;
    assert_eq!(told, Err("OBJECT_SIGNATURE_INVALID".to_owned()));
    assert_eq!(orders(&world.records().await, "bodies-open"), 0);

    // Without the mirror nobody else could see the order, so nothing is handed out.
    world.network.stop_coordinator().await.unwrap();
    world.mirror_is_away().await;
    let told = world.bring(Party::Bureau, &envelope).await.unwrap_err();
    assert_eq!(told, Some(ErrorCode::AuditUnavailable));
    world.network.stop_node().await.unwrap();
}

/// R-283 in both directions: too early is refused, too late is told.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_erased_after_the_retention_and_every_proof_holds() {
    let world = keeping().await;
    let bank = world.caller(Party::Bank).await;
    let receipt = bank.verify(&call(GRANT)).await.unwrap().receipt;
    let order = world.body_order(Party::Unit, BodyAct::Erase);
    let early = world.signed_order(&order, Party::Unit);
    assert_eq!(
        world.erase(&early).await,
        Err("RETENTION_NOT_ELAPSED".to_owned())
    );

    let ends = world.grant(GRANT).not_after;
    let until = ends.plus_months_utc8(6);
    let jump = |to: Timestamp| {
        let ahead = to.since(world.clock.now()) + Duration::from_secs(3_600);
        world
            .clock
            .move_by_s(i64::try_from(ahead.as_secs()).unwrap());
    };
    // An hour before: still too early, and what is kept is no alarm.
    jump(Timestamp(until.0 - 2 * 3_600_000_000));
    let fresh = |order: &BodyOrder| BodyOrder {
        issued: world.clock.now(),
        ..order.clone()
    };
    let envelope = world.signed_order(&fresh(&order), Party::Unit);
    assert_eq!(
        world.erase(&envelope).await,
        Err("RETENTION_NOT_ELAPSED".to_owned())
    );
    let kept = || async { world.admin(&AdminRequest::Bodies).await.bodies.unwrap() };
    assert_eq!(
        (kept().await.erasable, kept().await.overdue),
        (vec![], vec![])
    );
    jump(until);
    assert_eq!(kept().await.erasable, [GRANT]);
    assert!(kept().await.overdue.is_empty());
    jump(Timestamp(until.0 + 31 * 86_400_000_000));
    assert_eq!(kept().await.overdue, [GRANT]);

    // An old order is not good any more, whatever it says.
    assert_eq!(
        world.erase(&early).await,
        Err("BODY_ORDER_STALE".to_owned())
    );
    let envelope = world.signed_order(&fresh(&order), Party::Unit);
    assert_eq!(world.erase(&envelope).await, Ok(1));
    let after = kept().await;
    assert_eq!((after.keys, after.days, after.overdue.len()), (0, 0, 0));
    assert_eq!(
        std::fs::read_dir(world.state().join("body-keys"))
            .unwrap()
            .count(),
        0
    );
    let records = world.records().await;
    assert_eq!(orders(&records, "bodies-erase"), 1);
    // The record is as it was, says that a body was kept, and is proven as before.
    let proven = receipt.verify(&world.trust).unwrap();
    let call = calls(&records)[0];
    assert_eq!(proven.record, *call);
    assert!(call.draft.flags & flag::BODY_KEPT != 0);
    assert!(
        records
            .iter()
            .all(|record| record.draft.kind != Kind::Denials)
    );
    world.end().await;
}

/// The grants whose keys may be erased by now.
async fn erasable(world: &World) -> Vec<String> {
    let status = world.admin(&AdminRequest::Bodies).await;
    status.bodies.unwrap().erasable
}

/// A grant that ended before its time is kept from the end that really was, and no longer.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_revocation_the_retention_is_counted_from_it() {
    let mut world = keeping().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    let epoch = world.epoch(1_000_000, &[GRANT], world.clock.now());
    world.push_epoch(&epoch).await.unwrap();
    assert_eq!(bank.told(&call(GRANT)).await, "GRANT_REVOKED");
    // Noted now, and still known after a restart.
    assert!(erasable(&world).await.is_empty());
    let noted = world.clock.now();
    world.network.stop_node().await.unwrap();
    world.start_node_with(names_the_bureau).await;
    let until = noted.plus_months_utc8(6);
    assert!(until < world.grant(GRANT).not_after);
    let jump = |world: &World, to: Timestamp| {
        let ahead = to.since(world.clock.now()) + Duration::from_secs(60);
        let ahead = i64::try_from(ahead.as_secs()).unwrap();
        world.clock.move_by_s(ahead);
    };
    // About the day of the call, whenever it is given.
    let order = world.body_order(Party::Unit, BodyAct::Erase);
    let erase = |world: &World| {
        let order = BodyOrder {
            issued: world.clock.now(),
            ..order.clone()
        };
        world.signed_order(&order, Party::Unit)
    };
    jump(&world, Timestamp(until.0 - 3_600_000_000));
    assert!(erasable(&world).await.is_empty());
    let early = world.erase(&erase(&world)).await;
    assert_eq!(early, Err("RETENTION_NOT_ELAPSED".to_owned()));
    jump(&world, until);
    assert_eq!(erasable(&world).await, [GRANT]);
    assert_eq!(world.erase(&erase(&world)).await, Ok(1));
    let left = std::fs::read_dir(world.state().join("body-keys")).unwrap();
    assert_eq!(left.count(), 0, "nor is there a note of it");
    world.end().await;
}

/// The same with the commands that people use, and one field shown to a third party.
#[tokio::test(flavor = "multi_thread")]
async fn the_commands_open_prove_and_disclose() {
    let world = keeping().await;
    let bank = world.caller(Party::Bank).await;
    let question = call(GRANT);
    assert_eq!(bank.told(&question).await, "MATCH");
    world.mirrored().await;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(at("sealing.key"), sealing_key().to_text().as_bytes()).unwrap();
    std::fs::write(at("trust"), world.network.trust_text().unwrap()).unwrap();
    let coordinator = world.network.coordinator().unwrap();
    std::fs::write(at("heads"), coordinator.head_trust()).unwrap();
    let files = world.network.files();
    let shown = |path: &Path| path.display().to_string();
    let (cert, key) = files.party_tls(Party::Bureau);
    let approval = files.party(Party::Bureau).join("approval.key");
    let (cert, key, ca) = (shown(&cert), shown(&key), shown(&files.ca()));
    let ran = audit(&[
        "export",
        "--coordinator",
        &world.network.coordinator_url(),
        "--id",
        coordinator.id().as_str(),
        "--cert",
        &cert,
        "--key",
        &key,
        "--ca",
        &ca,
        "--trust",
        &at("trust"),
        "--head-trust",
        &at("heads"),
        "--region",
        cast::REGION,
        "--out",
        &at("archive"),
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let today = day(world.clock.now()).to_string();
    let ran = audit(&[
        "open",
        "--node",
        &world.network.node_url(),
        "--node-id",
        Unit::Transport.node().as_str(),
        "--by",
        Party::Bureau.id().as_str(),
        "--key",
        &shown(&approval),
        "--sealing-key",
        &at("sealing.key"),
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--ca",
        &ca,
        "--trust",
        &at("trust"),
        "--trust",
        &at("heads"),
        "--archive",
        &at("archive"),
        "--grant",
        GRANT,
        "--from",
        &today,
        "--to",
        &today,
        "--reason",
        "case 7",
        "--out",
        &at("opened"),
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let opened = format!("{}/{}", at("opened"), question.id);
    let text = std::fs::read_to_string(format!("{opened}.json")).unwrap();
    assert!(
        text.contains("\"N10156\"") && text.contains("\"MATCH\""),
        "{text}"
    );
    assert_eq!(orders(&world.records().await, "bodies-open"), 1);
    world.end().await;

    // One field, checked offline by somebody who has the trust file and nothing else.
    let ran = audit(&[
        "disclose",
        "--call",
        &opened,
        "--field",
        "answer",
        "--out",
        &at("shown"),
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let disclosed = std::fs::read_to_string(at("shown")).unwrap();
    assert!(
        !disclosed.contains(&hex::encode("N10156")),
        "the request stays closed"
    );
    let ran = audit(&["verify", "--trust", &at("trust"), &at("shown")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("MATCH"), "{ran:?}");
    assert_eq!(audit(&["verify", &at("shown")]).code, Some(3));
    let altered = disclosed.replace("value 01", "value 02");
    assert_ne!(altered, disclosed);
    std::fs::write(at("altered"), altered).unwrap();
    assert_eq!(
        audit(&["verify", "--trust", &at("trust"), &at("altered")]).code,
        Some(1)
    );
    let other_salt = disclosed.replace("salt ", "salt 00");
    std::fs::write(at("malformed"), other_salt).unwrap();
    assert_eq!(
        audit(&["verify", "--trust", &at("trust"), &at("malformed")]).code,
        Some(1)
    );
    let proof = receipt_of(&disclosed);
    assert!(proof.check_consistency::<Intl>().is_ok());
}

fn receipt_of(disclosed: &str) -> lingqu_core::receipt::Receipt {
    let (_, receipt) = disclosed.split_once("\n\n").unwrap();
    lingqu_core::receipt::Receipt::from_tlog_proof(receipt).unwrap()
}

fn audit(words: &[&str]) -> Ran {
    let mut line = vec!["audit"];
    line.extend(words);
    tokio::task::block_in_place(|| run(&line))
}

/// Files below `dir` that hold `needle`.
fn files_with(dir: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(needle.len()).any(|part| part == needle)
        {
            found.push(path.display().to_string());
        }
    }
    found
}
