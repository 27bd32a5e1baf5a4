//! Attacks on grants: each reaches the node as a malicious coordinator would push it, and is then called under over
//! gRPC. What counts is the code that the caller is told, and that no data was touched.

use std::time::Duration;

use lingqu_client::Question;
use lingqu_core::ErrorCode;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::{Environment, Grant, GrantKind};
use lingqu_core::product::{Approval, SignedPolicy};
use lingqu_demo::cast::{self, Party};
use lingqu_demo::objects::{self, Which};
use lingqu_policy::AuditTerms;
use lingqu_proto::seal;
use lingqu_tlog::{Hash, Signer};

use crate::network::{GRANT, Setup, World, altered, asked, call, calls, claims, policy, stranger};

const EVERYBODY: [Party; 3] = [Party::Agency, Party::Bank, Party::Unit];

/// One forged or misused grant, and the code that whoever calls under it is told.
struct Attack {
    what: &'static str,
    object: Envelope,
    filing: Option<Envelope>,
    code: ErrorCode,
}

impl World {
    fn attack(&self, what: &'static str, object: Envelope, code: ErrorCode) -> Attack {
        let filing = Some(self.filing(&object));
        Attack {
            what,
            object,
            filing,
            code,
        }
    }
}

/// A signature by `key` under the name of `claimed`.
fn signed_by_another(world: &World, grant: &Grant, replaced: Party, key: &dyn Signer) -> Envelope {
    let others: Vec<Party> = EVERYBODY
        .into_iter()
        .filter(|party| *party != replaced)
        .collect();
    let mut envelope = world.sign_by(grant, &others);
    envelope.sign(replaced.id().as_str(), key);
    envelope
}

/// As [`signed_by_another`], and claiming to be by the pinned key: what a forger without the key can make at best.
fn forged_signature(world: &World, grant: &Grant, replaced: Party) -> Envelope {
    let unknown = stranger();
    let mut envelope = signed_by_another(world, grant, replaced, &unknown);
    let pinned = world.network.approval_key(replaced).unwrap();
    let last = envelope.signatures.last_mut().unwrap();
    last.public_key = pinned.public_key().to_vec();
    envelope
}

/// Grants whose bytes or signatures are wrong. The object's id is its place in the list.
fn forgeries(world: &World) -> Vec<Attack> {
    use ErrorCode as Code;
    let unknown = stranger();
    let coordinator = world.network.files().coordinator_key("signing").unwrap();
    let grant = |n: usize| world.grant(&format!("grant_forged-{n}"));
    let mut attacks = Vec::new();

    // One byte of the scenario's text: it reads as a grant, of another scenario.
    let good = world.sign(&grant(0));
    let at = position(&good.payload, cast::SCENARIO.as_bytes());
    attacks.push(world.attack(
        "one byte of the payload",
        altered(&good, at),
        Code::GrantAltered,
    ));
    for (n, signer) in EVERYBODY.iter().enumerate() {
        let mut object = world.sign(&grant(n + 1));
        let signer = signer.id();
        let line = object.signatures.iter_mut();
        let line = line.into_iter().find(|line| line.signer == signer.as_str());
        line.unwrap().signature[17] ^= 0x40;
        attacks.push(world.attack("one bit of a signature", object, Code::GrantAltered));
    }
    for (n, party) in EVERYBODY.into_iter().enumerate() {
        let object = forged_signature(world, &grant(n + 4), party);
        attacks.push(world.attack("a made-up signature", object, Code::GrantAltered));
    }
    let unsigned = [
        (Party::Unit, Code::GrantUnsignedByUnit),
        (Party::Agency, Code::GrantUnsignedByAgency),
        (Party::Bank, Code::GrantUnsignedByLicensee),
    ];
    for (n, (party, code)) in unsigned.into_iter().enumerate() {
        let others: Vec<Party> = EVERYBODY.into_iter().filter(|p| *p != party).collect();
        let object = world.sign_by(&grant(n + 7), &others);
        attacks.push(world.attack("a signature is missing", object, code));
        let object = signed_by_another(world, &grant(n + 10), party, &unknown);
        attacks.push(world.attack("signed by a stranger's key", object, code));
        // The coordinator's own key signs in the place of each: it convinces nobody.
        let object = signed_by_another(world, &grant(n + 13), party, &coordinator);
        attacks.push(world.attack("signed by the coordinator", object, code));
    }
    // Another unit's signature is no signature of this node's own unit.
    let other_unit = world.network.approval_key(Party::Broker).unwrap();
    let object = signed_by_another(world, &grant(16), Party::Unit, &other_unit);
    attacks.push(world.attack("signed by another unit", object, Code::GrantUnsignedByUnit));
    attacks
}

/// Good grants that nobody has properly filed.
fn unfiled(world: &World) -> Vec<Attack> {
    let good = |n: usize| world.sign(&world.grant(&format!("grant_unfiled-{n}")));
    let unknown = stranger();
    let mirror = world.network.files().coordinator_key("mirror").unwrap();
    let another = world.filing(&good(99));
    let as_product = {
        let mut object = good(4);
        object.payload_type = "lingqu.v1.Product".to_owned();
        world.filing(&object)
    };
    let filings = [
        ("not filed", None),
        (
            "filed by a stranger",
            Some(world.filing_by(&good(1), &unknown)),
        ),
        // Each role has a key of its own, and the mirror's files nothing.
        (
            "filed by the mirror's key",
            Some(world.filing_by(&good(2), &mirror)),
        ),
        ("filed under another grant's filing", Some(another)),
        ("filed as another type", Some(as_product)),
    ];
    let attack = |(n, (what, filing))| Attack {
        what,
        object: good(n),
        filing,
        code: ErrorCode::GrantNotFiled,
    };
    filings.into_iter().enumerate().map(attack).collect()
}

/// Where `part` begins in `whole`.
fn position(whole: &[u8], part: &[u8]) -> usize {
    let mut windows = whole.windows(part.len());
    windows.position(|window| window == part).unwrap()
}

fn id_in(attack: &Attack) -> String {
    // Of an altered grant only the bytes are known; its id is whatever they say.
    let text = String::from_utf8_lossy(&attack.object.payload).into_owned();
    let from = text.find("grant_").unwrap();
    text[from..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_or_unfiled_grant_is_refused_with_its_own_code() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let mut attacks = forgeries(&world);
    attacks.extend(unfiled(&world));
    for attack in &attacks {
        let pushed = world.push(&attack.object, attack.filing.as_ref()).await;
        assert_eq!(pushed, Err(attack.code), "{}", attack.what);
        let told = bank.told(&call(&id_in(attack))).await;
        assert_eq!(
            told,
            attack.code.as_str(),
            "{}: {}",
            attack.what,
            id_in(attack)
        );
    }
    // Nothing was evaluated for any of them, and the good grant still works.
    assert!(calls(&world.records().await).is_empty());
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    world.end().await;
}

/// Properly signed and filed grants, each used for what it does not say: the change, then the code.
type Misuse = (&'static str, fn(&mut Grant), ErrorCode);

/// A call under a good grant that asks for something else: the change, then the code.
type Ask = (&'static str, fn(&mut Question), ErrorCode);

const DAY: Duration = Duration::from_secs(86_400);

const MISUSES: [Misuse; 13] = [
    (
        "expired",
        |g| {
            g.not_before.0 -= 10 * 86_400_000_000;
            g.not_after = g.not_before.plus(DAY)
        },
        ErrorCode::GrantExpired,
    ),
    (
        "not yet valid",
        |g| g.not_before = g.not_before.plus(DAY),
        ErrorCode::GrantNotYetValid,
    ),
    (
        "another node",
        |g| g.quotas[0].node = "node_gx.elsewhere".parse().unwrap(),
        ErrorCode::GrantOtherNode,
    ),
    (
        "another product",
        |g| g.products[0].reference.id = Which::Flight.reference().id,
        ErrorCode::ProductNotGranted,
    ),
    (
        "another version",
        |g| g.products[0].reference.version = 2,
        ErrorCode::ProductUnknown,
    ),
    (
        "other bytes",
        |g| g.products[0].digest = Hash([7; 32]),
        ErrorCode::ProductNotApproved,
    ),
    (
        "another purpose",
        |g| g.purposes = vec!["MARKETING".to_owned()],
        ErrorCode::PurposeMismatch,
    ),
    (
        "another environment",
        |g| g.environments = vec![Environment::Test],
        ErrorCode::EnvMismatch,
    ),
    (
        "another scenario",
        |g| g.scenario = "SC-0666".to_owned(),
        ErrorCode::ScenarioMismatch,
    ),
    (
        "another end user",
        |g| g.end_users = vec!["91350100M000100Y43".to_owned()],
        ErrorCode::EndUserNotGranted,
    ),
    (
        "no end user at all",
        |g| g.end_users.clear(),
        ErrorCode::EndUserNotGranted,
    ),
    (
        "a catalog grant",
        |g| g.kind = GrantKind::Catalog,
        ErrorCode::CatalogGrantOnly,
    ),
    (
        "no quantity left",
        |g| g.quotas[0].calls_per_day = 0,
        ErrorCode::QuotaExhausted,
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_holds_for_what_it_says_and_for_nothing_else() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    for (n, (what, change, code)) in MISUSES.iter().enumerate() {
        let id = format!("grant_misused-{n}");
        let mut grant = world.grant(&id);
        change(&mut grant);
        let pushed = world.push_filed(&world.sign(&grant)).await;
        assert_eq!(pushed, Ok(()), "{what}: every signature is there");
        assert_eq!(bank.told(&call(&id)).await, code.as_str(), "{what}");
    }
    // The same from the other side: a good grant, and a call that asks for something else.
    let asks: [Ask; 8] = [
        (
            "grant",
            |c| c.asked.grant = Some("grant_nowhere".parse().unwrap()),
            ErrorCode::GrantUnknown,
        ),
        (
            "product",
            |c| c.asked.product = "tb.nothing".parse().unwrap(),
            ErrorCode::ProductUnknown,
        ),
        (
            "version",
            |c| c.asked.version = Some(2),
            ErrorCode::ProductUnknown,
        ),
        (
            "purpose",
            |c| c.asked.purpose = "MARKETING".to_owned(),
            ErrorCode::PurposeMismatch,
        ),
        (
            "scenario",
            |c| c.asked.scenario = "SC-0666".to_owned(),
            ErrorCode::ScenarioMismatch,
        ),
        (
            "end user",
            |c| c.asked.end_user = "91350100M000100Y43".to_owned(),
            ErrorCode::EndUserNotGranted,
        ),
        (
            "no end user",
            |c| c.asked.end_user.clear(),
            ErrorCode::EndUserMissing,
        ),
        (
            "environment",
            |c| c.asked.environment = Environment::Test,
            ErrorCode::EnvMismatch,
        ),
    ];
    for (what, change, code) in asks {
        let mut call = call(GRANT);
        change(&mut call);
        assert_eq!(bank.told(&call).await, code.as_str(), "{what}");
    }
    // Somebody else with the bank's grant, and the bank's delegate, who is admitted.
    let broker = world.caller(Party::Broker).await;
    let told = broker.told(&call(GRANT)).await;
    assert_eq!(told, ErrorCode::GrantUnknown.as_str());
    let mut shared = world.grant("grant_shared");
    shared.delegates = vec![Party::Broker.id()];
    world.push_filed(&world.sign(&shared)).await.unwrap();
    assert_eq!(broker.told(&call("grant_shared")).await, "MATCH");
    assert_eq!(calls(&world.records().await).len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocation_reaches_grant_product_and_party() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    let number = world.node().epoch().unwrap();
    let product = Which::Plane.reference().to_string();
    let bank_id = Party::Bank.id().to_string();
    // What is revoked stays revoked, so the lists grow; each new entry decides earlier than the ones before.
    let targets = [
        (product.as_str(), ErrorCode::ProductRevoked),
        (GRANT, ErrorCode::GrantRevoked),
        (&bank_id, ErrorCode::CallerRevoked),
    ];
    let mut revoked = Vec::new();
    for (n, (target, code)) in targets.into_iter().enumerate() {
        revoked.push(target);
        let now = world.network.clock().now();
        let epoch = world.epoch(number + 1 + n as u64, &revoked, now);
        world.push_epoch(&epoch).await.unwrap();
        assert_eq!(bank.told(&call(GRANT)).await, code.as_str(), "{target}");
    }
    // A delegate falls with its licensee.
    let mut shared = world.grant("grant_shared");
    shared.delegates = vec![Party::Broker.id()];
    world.push_filed(&world.sign(&shared)).await.unwrap();
    let broker = world.caller(Party::Broker).await;
    let told = broker.told(&call("grant_shared")).await;
    assert_eq!(told, ErrorCode::CallerRevoked.as_str());
    assert_eq!(calls(&world.records().await).len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_grant_replaces_and_nothing_older_or_worse_comes_back() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let first = world.sign(&world.grant("grant_twice"));
    world.push_filed(&first).await.unwrap();
    assert_eq!(bank.told(&call("grant_twice")).await, "MATCH");

    // Refused copies of the same id leave the good one in place.
    let at = position(&first.payload, cast::SCENARIO.as_bytes());
    let forged = altered(&first, at);
    assert_eq!(
        world.push_filed(&forged).await,
        Err(ErrorCode::GrantAltered)
    );
    assert_eq!(
        world.push(&first, None).await,
        Err(ErrorCode::GrantNotFiled)
    );
    let mut same_version = world.grant("grant_twice");
    same_version.purposes.push("MARKETING".to_owned());
    let wider = world.sign(&same_version);
    assert_eq!(
        world.push_filed(&wider).await,
        Err(ErrorCode::ObjectConflict)
    );
    assert_eq!(bank.told(&call("grant_twice")).await, "MATCH");

    // A newer version narrows it, and the older one, good as its signatures are, never comes back.
    let mut narrower = world.grant("grant_twice");
    narrower.version = 2;
    narrower.end_users = vec!["91350100M000100Y43".to_owned()];
    world.push_filed(&world.sign(&narrower)).await.unwrap();
    let refused = ErrorCode::EndUserNotGranted.as_str();
    assert_eq!(bank.told(&call("grant_twice")).await, refused);
    assert_eq!(
        world.push_filed(&first).await,
        Err(ErrorCode::ObjectConflict)
    );
    assert_eq!(bank.told(&call("grant_twice")).await, refused);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_unit_opens_a_product_and_an_older_policy_never_comes_back() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let sign = |object: &Approval, by: Party| world.network.signed(object, &[by]).unwrap();

    // A second version that the agency registers: known, granted, but not approved by the unit.
    let mut second = objects::product(Which::Plane);
    second.reference.version = 2;
    let second = world.network.signed(&second, &[Party::Agency]).unwrap();
    world.push(&second, None).await.unwrap();
    let mut grant = world.grant("grant_second");
    grant.products[0].reference.version = 2;
    grant.products[0].digest = second.digest();
    world.push_filed(&world.sign(&grant)).await.unwrap();
    let unapproved = ErrorCode::ProductNotApproved.as_str();
    assert_eq!(bank.told(&call("grant_second")).await, unapproved);

    // Everybody but the unit "approves" it.
    let mut approval = objects::approval(Which::Plane, &second, &world.policy);
    approval.product.version = 2;
    let coordinator = world.network.files().coordinator_key("signing").unwrap();
    let mut by_coordinator = seal(&approval);
    by_coordinator.sign(Party::Unit.id().as_str(), &coordinator);
    for forged in [
        sign(&approval, Party::Agency),
        sign(&approval, Party::Bank),
        by_coordinator,
    ] {
        let pushed = world.push_filed(&forged).await;
        assert_eq!(pushed, Err(ErrorCode::ObjectSignatureInvalid));
    }
    assert_eq!(bank.told(&call("grant_second")).await, unapproved);

    // The same name and version with other bytes: the first ones stay.
    let mut other = objects::product(Which::Plane);
    other.title_en = "something else".to_owned();
    let other = world.network.signed(&other, &[Party::Agency]).unwrap();
    assert_eq!(
        world.push(&other, None).await,
        Err(ErrorCode::ObjectConflict)
    );

    // A newer policy closes what was approved under the older one; replaying policy and approval opens nothing.
    let newer: SignedPolicy = policy(2, AuditTerms::Mirrored { wait_ms_max: 5_000 });
    let newer = world.network.signed(&newer, &[Party::Unit]).unwrap();
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    world.push(&newer, None).await.unwrap();
    assert_eq!(bank.told(&call(GRANT)).await, unapproved);
    assert_eq!(
        world.push(&world.policy, None).await,
        Err(ErrorCode::ObjectConflict)
    );
    let product = world
        .network
        .signed(&objects::product(Which::Plane), &[Party::Agency]);
    let old = objects::approval(Which::Plane, &product.unwrap(), &world.policy);
    world.push(&sign(&old, Party::Unit), None).await.unwrap();
    assert_eq!(bank.told(&call(GRANT)).await, unapproved);
    assert_eq!(world.node().products_open(), 0);
    assert_eq!(calls(&world.records().await).len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_names_no_grant_runs_only_if_exactly_one_fits() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let mut unnamed = Question::new(asked(GRANT), claims(2004));
    unnamed.asked.grant = None;
    assert_eq!(bank.told(&unnamed).await, "MATCH");
    let broker = world.caller(Party::Broker).await;
    let told = broker.told(&unnamed).await;
    assert_eq!(told, ErrorCode::GrantUnknown.as_str());
    world
        .push_filed(&world.sign(&world.grant("grant_also")))
        .await
        .unwrap();
    unnamed.id.0[0] ^= 1;
    let told = bank.told(&unnamed).await;
    assert_eq!(told, ErrorCode::GrantAmbiguous.as_str());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_names_no_grant_does_not_move_to_another_one() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let mut unnamed = call(GRANT);
    unnamed.asked.grant = None;
    assert_eq!(bank.told(&unnamed).await, "MATCH");
    // The first grant ends, another one begins: the same call would now be allowed under that one.
    let number = world.node().epoch().unwrap() + 1;
    let now = lingqu_core::Clock::now(world.clock.as_ref());
    world
        .push_epoch(&world.epoch(number, &[GRANT], now))
        .await
        .unwrap();
    world
        .push_filed(&world.sign(&world.grant("grant_also")))
        .await
        .unwrap();
    let told = bank.told(&unnamed).await;
    assert_eq!(told, ErrorCode::CallIdSpent.as_str());
    assert_eq!(calls(&world.records().await).len(), 1, "charged once");
    let told = bank.told(&call("grant_also")).await;
    assert_eq!(told, "MATCH", "a new call id is a new call");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_answer_does_not_leave_under_terms_that_were_tightened() {
    let world = World::with(Setup {
        audit: AuditTerms::Lagged {
            entries_max: 100,
            age_s_max: 3_600,
        },
        ..Setup::default()
    })
    .await;
    let bank = world.caller(Party::Bank).await;
    let mut call = call(GRANT);
    call.lagged_accepted = true;
    assert_eq!(bank.told(&call).await, "MATCH");
    assert_eq!(bank.told(&call).await, "MATCH", "a retry is answered again");
    let stricter = policy(2, AuditTerms::Mirrored { wait_ms_max: 5_000 });
    let stricter = world.network.signed(&stricter, &[Party::Unit]).unwrap();
    let product = objects::product(Which::Plane);
    let product = world.network.signed(&product, &[Party::Agency]).unwrap();
    let approval = objects::approval(Which::Plane, &product, &stricter);
    let approval = world.network.signed(&approval, &[Party::Unit]).unwrap();
    for object in [&stricter, &approval] {
        world.push(object, None).await.unwrap();
    }
    let told = bank.told(&call).await;
    assert_eq!(told, ErrorCode::CallIdSpent.as_str());
    world.end().await;
}
