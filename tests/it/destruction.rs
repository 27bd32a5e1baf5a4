//! Confirmations of destruction through a running node: signed by the licensee, countersigned by the unit, on record, and
//! only after the grant has ended.

use lingqu_core::destruction::Destruction;
use lingqu_core::envelope::Envelope;
use lingqu_core::record::Field;
use lingqu_core::{Clock, Timestamp};
use lingqu_demo::cast::{Party, Unit};
use lingqu_node::admin::{AdminRequest, AdminResponse, ask};
use lingqu_proto::{encode_envelope, seal};

use crate::network::{GRANT, World, call, records};

impl World {
    fn confirmation(&self) -> Destruction {
        Destruction {
            licensee: Party::Bank.id(),
            grant: GRANT.parse().unwrap(),
            node: Unit::Transport.node(),
            at: self.clock.now(),
            what: "all verdicts".to_owned(),
            method: "records deleted, media overwritten".to_owned(),
            person: "Zhang San".to_owned(),
        }
    }

    fn confirmed_by(&self, confirmation: &Destruction, signers: &[Party]) -> Envelope {
        let mut envelope = seal(confirmation);
        for signer in signers {
            let key = self.network.approval_key(*signer).unwrap();
            envelope.sign(signer.id().as_str(), &key);
        }
        envelope
    }

    async fn ask_admin(&self, request: &AdminRequest) -> AdminResponse {
        ask(&self.node().config().admin_socket(), request)
            .await
            .unwrap()
    }

    /// `OK` or the code.
    async fn hand_in(&self, envelope: &Envelope) -> String {
        let confirmation = hex::encode(encode_envelope(envelope));
        let answer = self
            .ask_admin(&AdminRequest::Destruction { confirmation })
            .await;
        answer.code.unwrap_or_else(|| "OK".to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_counts_once_both_have_signed_and_the_grant_has_ended() {
    const BOTH: [Party; 2] = [Party::Bank, Party::Unit];
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let question = call(GRANT);
    assert_eq!(bank.told(&question).await, "MATCH");
    let good = world.confirmation();
    // In force: nothing can have been destroyed that may still be used.
    let told = world.hand_in(&world.confirmed_by(&good, &BOTH)).await;
    assert_eq!(told, "GRANT_IN_FORCE");
    let destructions = |answer: AdminResponse| answer.destructions.unwrap();
    let asked = destructions(world.ask_admin(&AdminRequest::Destructions).await);
    assert!(asked.missing.is_empty() && asked.confirmed.is_empty());

    let revoked = world.epoch(1_000_000, &[GRANT], world.clock.now());
    world.push_epoch(&revoked).await.unwrap();
    let asked = destructions(world.ask_admin(&AdminRequest::Destructions).await);
    assert!(
        asked.missing.contains(GRANT),
        "an ended grant without a confirmation is told"
    );

    for (signers, what) in [
        (&[Party::Bank][..], "not countersigned"),
        (&[Party::Unit][..], "not by the licensee"),
        (&[Party::Broker, Party::Unit][..], "by another licensee"),
        (&[Party::Bank, Party::SocialSecurity][..], "by another unit"),
    ] {
        let told = world.hand_in(&world.confirmed_by(&good, signers)).await;
        assert_eq!(told, "OBJECT_SIGNATURE_INVALID", "{what}");
    }
    let ahead = Timestamp(good.at.0 + 3_600_000_000);
    for (forged, code) in [
        (
            Destruction {
                at: ahead,
                ..good.clone()
            },
            "OBJECT_INVALID",
        ),
        (
            Destruction {
                node: Unit::SocialSecurity.node(),
                ..good.clone()
            },
            "OBJECT_INVALID",
        ),
        (
            Destruction {
                licensee: Party::Broker.id(),
                ..good.clone()
            },
            "OBJECT_INVALID",
        ),
        (
            Destruction {
                grant: "grant_none".parse().unwrap(),
                ..good.clone()
            },
            "GRANT_UNKNOWN",
        ),
    ] {
        assert_eq!(
            world.hand_in(&world.confirmed_by(&forged, &BOTH)).await,
            code
        );
    }
    let envelope = world.confirmed_by(&good, &BOTH);
    let mut altered = envelope.clone();
    let at = altered.payload.len() - 6;
    altered.payload[at] ^= 1;
    assert_ne!(world.hand_in(&altered).await, "OK");

    assert_eq!(world.hand_in(&envelope).await, "OK");
    let asked = destructions(world.ask_admin(&AdminRequest::Destructions).await);
    assert!(asked.missing.is_empty() && asked.confirmed.contains(GRANT));
    let on_record: Vec<_> = records(world.journal())
        .await
        .into_iter()
        .filter(|record| record.draft.clear.get_text(Field::Action) == Some("destruction"))
        .collect();
    assert_eq!(on_record.len(), 1);
    let clear = &on_record[0].draft.clear;
    assert_eq!(
        clear.get_text(Field::Actor),
        Some(Party::Bank.id().as_str())
    );
    assert_eq!(
        clear.get_bytes(Field::ObjectDigest),
        Some(&envelope.digest().0[..])
    );
    // The answer that was kept for a retry is gone; and the person's name is in no record.
    assert_eq!(clear.get_number(Field::Count), Some(1));
    assert!(
        clear
            .fields()
            .all(|field| clear.get_text(field) != Some("Zhang San"))
    );

    // It is still there after a restart.
    world.network.stop_node().await.unwrap();
    world.start_node().await;
    let asked = destructions(world.ask_admin(&AdminRequest::Destructions).await);
    assert!(asked.confirmed.contains(GRANT));
    world.end().await;
}
