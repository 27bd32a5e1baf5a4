//! The path of authorisation over real connections: what it ends in opens the node, and what suspends, renews or revokes
//! it reaches the node. Everything that must not work on the way is tested at the registry.

use std::collections::BTreeSet;
use std::time::Duration;

use lingqu_client::workflow::{CaseSeen, signed_by};
use lingqu_core::case::{Action, State};
use lingqu_core::credential::Validity;
use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::epoch::{Epoch, Lifting, Suspension};
use lingqu_core::grant::Grant;
use lingqu_core::{CaseId, Clock, ErrorCode, Timestamp};
use lingqu_demo::authorise::terms;
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::wait_until;
use lingqu_proto::pb::verify_stream_response::Outcome;
use lingqu_proto::{open, seal};
use lingqu_tlog::{Hash, Signer};
use tokio_stream::wrappers::ReceiverStream;

use crate::network::{GRANT, World, call, patiently, wire};

const PATH: &str = "grant_path";

impl World {
    /// Walks the path for a grant like the good one, and waits until the node has it.
    async fn authorised(&self) -> Grant {
        let authorised = self.network.authorise(&self.grant(PATH), terms()).await;
        let authorised = authorised.unwrap().unwrap();
        let (grant, envelope) = authorised.grant.unwrap();
        for party in [Party::Agency, Party::Bank, Party::Unit] {
            let key = self.network.approval_key(party).unwrap();
            assert_eq!(envelope.signed_by(key.public_key()), SignedBy::Yes);
        }
        self.has(&grant).await;
        grant
    }

    /// Waits until the node holds this version of the grant.
    async fn has(&self, grant: &Grant) {
        wait_until(&self.network, "the node has the grant", |node| {
            let holdings = node.holdings();
            let held = holdings.grant(&grant.id);
            held.is_some_and(|held| held.version == grant.version)
        })
        .await
        .unwrap();
    }

    /// Waits until the node decides by this epoch or a later one.
    async fn decides_by(&self, number: u64) {
        wait_until(&self.network, "the node has the epoch", |node| {
            node.epoch().is_some_and(|epoch| epoch >= number)
        })
        .await
        .unwrap();
    }

    async fn case(&self) -> CaseSeen {
        let desk = self.network.desk(Party::Agency).await.unwrap();
        desk.show(&"case_path".parse().unwrap()).await.unwrap()
    }

    async fn suspend(&self, party: Party, grant: &str) -> Result<Hash, ErrorCode> {
        let suspension = Suspension {
            by: party.id(),
            grant: grant.parse().unwrap(),
            reason: "整改".to_owned(),
            issued: self.clock.now(),
        };
        let key = self.network.approval_key(party).unwrap();
        let request = signed_by(&suspension, &party.id(), &key);
        let desk = self.network.desk(party).await.unwrap();
        let suspended = desk.suspend(&request).await;
        let (number, digest) = suspended.map_err(|failed| failed.code().unwrap())?;
        self.decides_by(number).await;
        Ok(digest)
    }

    async fn lift(&self, party: Party, suspension: Hash) -> Result<(), ErrorCode> {
        let lifting = Lifting {
            by: party.id(),
            suspension,
            reason: "整改完成".to_owned(),
            issued: self.clock.now(),
        };
        let key = self.network.approval_key(party).unwrap();
        let request = signed_by(&lifting, &party.id(), &key);
        let desk = self.network.desk(party).await.unwrap();
        let lifted = desk.lift(&request).await;
        let number = lifted.map_err(|failed| failed.code().unwrap())?;
        self.decides_by(number).await;
        Ok(())
    }

    /// An epoch with both lists, signed with the coordinator's own key.
    fn lists(&self, number: u64, revoked: &[&str], suspended: &[&str]) -> Envelope {
        let issued = self.clock.now();
        let epoch = Epoch {
            coordinator: cast::coordinator(),
            number,
            issued,
            valid_until: issued.plus(Duration::from_secs(3_600)),
            revoked: revoked.iter().map(|id| (*id).to_owned()).collect(),
            suspended: suspended
                .iter()
                .map(|id| id.parse().unwrap())
                .collect::<BTreeSet<_>>(),
        };
        let mut envelope = seal(&epoch);
        let key = self.network.files().coordinator_key("signing").unwrap();
        envelope.sign(cast::coordinator().as_str(), &key);
        envelope
    }
}

/// from the application to an answer, through suspension to revocation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_path_ends_in_a_grant_that_the_node_honours() {
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let unknown = ErrorCode::GrantUnknown.as_str();
    assert_eq!(
        bank.told(&call(PATH)).await,
        unknown,
        "nothing before the path"
    );
    let grant = world.authorised().await;
    let answered = bank.told(&call(PATH)).await;
    assert_eq!(
        answered,
        bank.told(&call(GRANT)).await,
        "as under any other grant"
    );

    // The agency suspends and lifts; what the unit suspended the agency does not lift.
    let suspended = ErrorCode::GrantSuspended.as_str();
    let by_agency = world.suspend(Party::Agency, PATH).await.unwrap();
    let by_unit = world.suspend(Party::Unit, PATH).await.unwrap();
    assert_eq!(bank.told(&call(PATH)).await, suspended);
    assert_eq!(
        bank.told(&call(GRANT)).await,
        answered,
        "another grant goes on"
    );
    let lifted = world.lift(Party::Agency, by_unit).await;
    assert_eq!(lifted, Err(ErrorCode::SuspensionForbidden));
    world.lift(Party::Agency, by_agency).await.unwrap();
    assert_eq!(
        bank.told(&call(PATH)).await,
        suspended,
        "the unit's still stands"
    );

    // Neither end forgets it over a restart.
    world.network.stop_node().await.unwrap();
    world.network.stop_coordinator().await.unwrap();
    world.network.start_coordinator().await.unwrap();
    world.start_node().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(PATH)).await, suspended);
    assert_eq!(world.case().await.standing, "SUSPENDED");
    world.lift(Party::Unit, by_unit).await.unwrap();
    assert_eq!(bank.told(&call(PATH)).await, answered);

    // Revoked for good; the case's history has it all.
    let revoked = world.network.revoke(Party::Agency, PATH, "转供数据").await;
    world.decides_by(revoked.unwrap().unwrap()).await;
    assert_eq!(
        bank.told(&call(PATH)).await,
        ErrorCode::GrantRevoked.as_str()
    );
    let refused = world.suspend(Party::Agency, PATH).await;
    assert_eq!(refused, Err(ErrorCode::GrantRevoked));
    let case = world.case().await;
    assert_eq!(case.standing, "REVOKED");
    let actions: Vec<&str> = case.history.iter().map(|act| act.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "APPLY", "ACCEPT", "PASS", "OPINE", "OPINE", "PROPOSE", "SIGN", "SIGN", "FILE",
            "SUSPEND", "SUSPEND", "LIFT", "LIFT", "REVOKE"
        ]
    );
    assert_eq!(grant.version, 1);
    world.end().await;
}

/// A stream of calls that runs when the grant is suspended gets no further answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_stream_is_cut_by_a_suspension() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let (requests, stream) = tokio::sync::mpsc::channel(1);
    let mut raw = bank.raw.clone();
    requests.send(wire(&call(GRANT))).await.unwrap();
    let answers = raw.verify_stream(ReceiverStream::new(stream)).await;
    let mut answers = answers.unwrap().into_inner();
    let first = patiently("an answer", answers.message())
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(first.outcome, Some(Outcome::Answer(_))));
    world.suspend(Party::Unit, GRANT).await.unwrap();
    requests.send(wire(&call(GRANT))).await.unwrap();
    let next = patiently("a refusal", answers.message())
        .await
        .unwrap()
        .unwrap();
    match next.outcome {
        Some(Outcome::Refusal(refusal)) => {
            assert_eq!(refusal.code, ErrorCode::GrantSuspended.as_str());
        }
        other => panic!("{other:?}"),
    }
    world.end().await;
}

/// a renewal replaces the version that the node holds, and the case goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_grant_replaces_the_old_one() {
    let world = World::ready().await;
    let grant = world.authorised().await;
    let case: CaseId = "case_path".parse().unwrap();
    let longer = Timestamp(grant.not_after.0 + 86_400_000_000);
    let renewed = world.network.renew(&case, terms(), longer).await;
    let renewed = renewed.unwrap().unwrap();
    let (second, _) = renewed.grant.unwrap();
    assert_eq!((second.id.clone(), second.version), (grant.id, 2));
    world.has(&second).await;
    assert_eq!(renewed.case.listed.state, State::Filed);
    // Six years are too long, and shorter than before is no renewal.
    let six_years = Timestamp(world.clock.now().0 + 6 * 366 * 86_400_000_000);
    for (not_after, code) in [
        (six_years, ErrorCode::TermTooLong),
        (longer, ErrorCode::ObjectInvalid),
    ] {
        let refused = world.network.renew(&case, terms(), not_after).await;
        assert_eq!(refused.unwrap().unwrap_err(), code);
    }
    world.end().await;
}

/// a catalog authorisation is a credential that anybody checks, and opens no node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_authorisation_is_a_credential_and_no_grant() {
    let world = World::ready().await;
    let now = world.clock.now();
    let term = (now, now.plus(Duration::from_secs(3 * 365 * 86_400)));
    let case: CaseId = "case_catalog".parse().unwrap();
    let authorised = world
        .network
        .authorise_catalog(case.clone(), Party::Broker, terms(), term)
        .await;
    let authorised = authorised.unwrap().unwrap();
    assert!(authorised.grant.is_none());
    let (credential, envelope) = authorised.credential.unwrap();
    let key = world.network.files().coordinator_key("signing").unwrap();
    assert_eq!(envelope.signed_by(key.public_key()), SignedBy::Yes);
    assert_eq!(credential.holder, Party::Broker.id());
    assert_eq!(credential.holder_name, Party::Broker.name());
    assert_eq!(credential.validity(term.1), Validity::Expired);
    let broker = world.caller(Party::Broker).await;
    let mut catalog = call(GRANT);
    catalog.asked.grant = None;
    let told = broker.told(&catalog).await;
    assert_eq!(told, ErrorCode::GrantUnknown.as_str());

    // Six years are refused before anybody signs; the agency's own application before anybody reads it.
    let six_years = (now, now.plus(Duration::from_secs(6 * 366 * 86_400)));
    let case: CaseId = "case_long".parse().unwrap();
    let refused = world
        .network
        .authorise_catalog(case, Party::Broker, terms(), six_years)
        .await;
    assert_eq!(refused.unwrap().unwrap_err(), ErrorCode::TermTooLong);
    let own: CaseId = "case_own".parse().unwrap();
    let refused = world
        .network
        .authorise_catalog(own, Party::Agency, terms(), term)
        .await;
    let code = ErrorCode::OperatorRedevelopmentForbidden;
    assert_eq!(refused.unwrap().unwrap_err(), code);
    world.end().await;
}

/// a missing term is named, and nothing is proposed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agreement_without_a_term_is_refused_by_name() {
    let world = World::ready().await;
    let mut without = terms();
    without.revenue_method.clear();
    let refused = world.network.authorise(&world.grant(PATH), without).await;
    assert_eq!(
        refused.unwrap().unwrap_err(),
        ErrorCode::AgreementTermMissing
    );
    let case = world.case().await;
    assert_eq!(case.listed.state, State::Agreement);
    // The same through the wire, with the name that the message must have.
    let desk = world.network.desk(Party::Agency).await.unwrap();
    let mut agreement = lingqu_core::agreement::Agreement {
        case: case.listed.id.clone(),
        round: 1,
        application: case.application.digest(),
        previous: None,
        kind: case.listed.kind,
        agency: Party::Agency.id(),
        licensee: Party::Bank.id(),
        not_before: world.clock.now(),
        not_after: world.clock.now().plus(Duration::from_secs(86_400)),
        terms: terms(),
        template: String::new(),
        grant: Some(Hash([1; 32])),
    };
    agreement.terms.breach.clear();
    let key = world.network.approval_key(Party::Agency).unwrap();
    let envelope = signed_by(&agreement, &Party::Agency.id(), &key);
    let refused = desk.propose(&envelope, None).await.unwrap_err().to_string();
    assert!(refused.contains("AGREEMENT_TERM_MISSING"), "{refused}");
    let open = open::<lingqu_core::agreement::Agreement>(&envelope).unwrap_err();
    assert_eq!(open.field, "breach (违约责任)");
    // An act on what was never proposed is out of order for everybody.
    let act = case.act(Action::File, &Party::Agency.id(), "", world.clock.now());
    let envelope = signed_by(&act, &Party::Agency.id(), &key);
    let refused = desk.act(&envelope).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::IllegalTransition));
    world.end().await;
}

/// Whoever holds the coordinator's key lifts suspensions, and nothing else: what is revoked stays revoked, and one number
/// is one pair of lists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_node_only_the_suspended_list_shrinks() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let answered = bank.told(&call(GRANT)).await;
    let number = world.node().epoch().unwrap();
    let push = async |epoch: Envelope| world.push_epoch(&epoch).await;
    push(world.lists(number + 1, &["party_gx.x"], &[GRANT]))
        .await
        .unwrap();
    assert_eq!(
        bank.told(&call(GRANT)).await,
        ErrorCode::GrantSuspended.as_str()
    );
    for (what, epoch) in [
        (
            "the same number, lifted",
            world.lists(number + 1, &["party_gx.x"], &[]),
        ),
        ("an older one", world.lists(number, &["party_gx.x"], &[])),
        (
            "lifted, with what was revoked",
            world.lists(number + 2, &[], &[]),
        ),
    ] {
        assert_eq!(push(epoch).await, Err(ErrorCode::EpochRollback), "{what}");
        let told = bank.told(&call(GRANT)).await;
        assert_eq!(told, ErrorCode::GrantSuspended.as_str(), "{what}");
    }
    push(world.lists(number + 2, &["party_gx.x"], &[]))
        .await
        .unwrap();
    assert_eq!(bank.told(&call(GRANT)).await, answered);
    world.end().await;
}
