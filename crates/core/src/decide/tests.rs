use std::collections::BTreeSet;

use crate::CallId;
use crate::call::{Call, Header};
use crate::record::Field;

use lingqu_policy::Preset;

use super::*;
use crate::grant::{DebugTerms, GrantedProduct};
use crate::product::{Definition, FieldRule, Tier, Verification};
use crate::stop::{StopOrder, StopScope};

/// Everything that the decision depends on, owned, so that a test can spoil one thing.
#[derive(Clone)]
struct World {
    now: Timestamp,
    node: NodeId,
    clock: ClockState,
    reconciled: bool,
    stops: Stops,
    epoch: Option<(Epoch, Duration)>,
    caller: PartyId,
    asked: Asked,
    grant: Result<Grant, GrantFact<'static>>,
    product: Result<(Product, Hash, Policy), ProductFact<'static>>,
}

impl World {
    fn decide(&self) -> Decision {
        decide(&self.facts())
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            now: self.now,
            node: &self.node,
            clock: self.clock,
            reconciled: self.reconciled,
            stops: &self.stops,
            epoch: self.epoch.as_ref().map(|(epoch, age)| (epoch, *age)),
            caller: &self.caller,
            asked: &self.asked,
            grant: match &self.grant {
                Ok(grant) => GrantFact::Checked(grant),
                Err(fact) => *fact,
            },
            product: match &self.product {
                Ok((product, digest, policy)) => ProductFact::Approved {
                    product,
                    digest: *digest,
                    policy,
                },
                Err(fact) => *fact,
            },
        }
    }

    fn grant(&mut self) -> &mut Grant {
        self.grant
            .as_mut()
            .unwrap_or_else(|_| panic!("the good world has a grant"))
    }
}

const DIGEST: Hash = Hash([4; 32]);

fn product() -> Product {
    let field = |name: &str| FieldRule {
        name: name.into(),
        column: name.into(),
        comparator: "exact".into(),
        thresholds: Vec::new(),
    };
    Product {
        reference: ProductRef {
            id: "tb.plane".parse().unwrap(),
            version: 1,
        },
        tier: Tier::Primary,
        derived_from: vec![],
        title_zh: "飞机登记核验".into(),
        title_en: "plane registration".into(),
        unit: "party_unit".parse().unwrap(),
        node: "node_a".parse().unwrap(),
        resource: "planes".into(),
        definition: Definition::Verification(Verification {
            key: vec![field("tailnum")],
            compared: vec![field("model")],
        }),
    }
}

fn good() -> World {
    let grant = Grant {
        id: "grant_1".parse().unwrap(),
        version: 1,
        kind: GrantKind::Scenario,
        agency: "party_agency".parse().unwrap(),
        licensee: "party_bank".parse().unwrap(),
        licensee_key: vec![1; 32],
        delegates: vec!["party_gateway".parse().unwrap()],
        scenario: "SC-1".into(),
        purposes: vec!["LENDING".into()],
        environments: vec![Environment::Prod],
        products: vec![GrantedProduct {
            reference: product().reference,
            digest: DIGEST,
            reveals_not_found: false,
            reveals_indeterminate: false,
        }],
        quotas: vec![NodeQuota {
            unit: "party_unit".parse().unwrap(),
            node: "node_a".parse().unwrap(),
            calls_per_day: 10,
            calls_total: 100,
            rho_total: None,
        }],
        not_before: Timestamp(1_000),
        not_after: Timestamp(9_000),
        end_users: vec!["91450000X".into()],
        region: "45".parse().unwrap(),
        debug: None,
    };
    let policy = Policy::new(
        [
            ("tailnum".to_owned(), Preset::LinkOnly.uses()),
            ("model".to_owned(), Preset::VerifyOnly.uses()),
        ],
        ["LENDING".to_owned()],
        AuditTerms::Mirrored { wait_ms_max: 1_000 },
        60,
    );
    World {
        now: Timestamp(5_000),
        node: "node_a".parse().unwrap(),
        clock: ClockState::Good,
        reconciled: true,
        stops: Stops::default(),
        epoch: Some((epoch([]), Duration::from_secs(1))),
        caller: "party_bank".parse().unwrap(),
        asked: Asked {
            grant: None,
            product: "tb.plane".parse().unwrap(),
            version: None,
            purpose: "LENDING".into(),
            scenario: "SC-1".into(),
            end_user: "91450000X".into(),
            environment: Environment::Prod,
        },
        grant: Ok(grant),
        product: Ok((product(), DIGEST, policy.unwrap())),
    }
}

fn epoch<const N: usize>(revoked: [&str; N]) -> Epoch {
    Epoch {
        coordinator: "coord_c".parse().unwrap(),
        number: 3,
        issued: Timestamp(0),
        valid_until: Timestamp(100_000),
        revoked: revoked
            .into_iter()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>(),
        suspended: BTreeSet::new(),
    }
}

fn suspending(grant: &str) -> Epoch {
    Epoch {
        suspended: BTreeSet::from([grant.parse().unwrap()]),
        ..epoch([])
    }
}

fn stop(world: &mut World, scope: StopScope) {
    let order = StopOrder {
        unit: "party_unit".parse().unwrap(),
        node: world.node.clone(),
        number: world.stops.number() + 1,
        issued: Timestamp(0),
        lift: false,
        scope,
    };
    world.stops.apply(&order).unwrap();
}

/// A good call for debugging on production data.
fn debugging(world: &mut World) -> &mut Grant {
    world.asked.environment = Environment::ProdDebug;
    let grant = world.grant();
    grant.environments.push(Environment::ProdDebug);
    grant.debug = Some(DebugTerms {
        not_before: Timestamp(4_000),
        not_after: Timestamp(6_000),
        calls_total: 3,
        national_security_unharmed: true,
        trade_secrets_unharmed: true,
        privacy_unharmed: true,
    });
    grant
}

fn terms(grant: &mut Grant) -> &mut DebugTerms {
    grant.debug.as_mut().unwrap()
}

type Spoil = fn(&mut World);

/// One line per way to be refused. Together they cover every row of the table.
const REFUSALS: &[(ErrorCode, &str, Spoil)] = &[
    (ErrorCode::ClockSetBack, "clock set back", |w| {
        w.clock = ClockState::SetBack
    }),
    (ErrorCode::ClockSkew, "clock skewed", |w| {
        w.clock = ClockState::Skewed
    }),
    (ErrorCode::NodeNotReady, "not reconciled", |w| {
        w.reconciled = false
    }),
    (ErrorCode::Stopped, "everything stopped", |w| {
        stop(w, StopScope::All)
    }),
    (ErrorCode::Stopped, "caller stopped", |w| {
        stop(w, StopScope::Party("party_bank".parse().unwrap()))
    }),
    (ErrorCode::Stopped, "grant stopped", |w| {
        stop(w, StopScope::Grant("grant_1".parse().unwrap()))
    }),
    (ErrorCode::Stopped, "product stopped", |w| {
        stop(w, StopScope::Product(product().reference))
    }),
    (
        ErrorCode::Stopped,
        "licensee stopped, delegate calls",
        |w| {
            stop(w, StopScope::Party("party_bank".parse().unwrap()));
            w.caller = "party_gateway".parse().unwrap();
        },
    ),
    (ErrorCode::EpochMissing, "no epoch", |w| w.epoch = None),
    (ErrorCode::EpochStale, "epoch too old", |w| {
        w.epoch = Some((epoch([]), Duration::from_secs(61)))
    }),
    (ErrorCode::EpochStale, "epoch past its validity", |w| {
        let mut past = epoch([]);
        past.valid_until = Timestamp(5_000);
        w.epoch = Some((past, Duration::ZERO));
    }),
    (ErrorCode::CallerRevoked, "caller revoked", |w| {
        w.epoch = Some((epoch(["party_bank"]), Duration::ZERO))
    }),
    (
        ErrorCode::CallerRevoked,
        "licensee revoked, delegate calls",
        |w| {
            w.epoch = Some((epoch(["party_bank"]), Duration::ZERO));
            w.caller = "party_gateway".parse().unwrap();
        },
    ),
    (ErrorCode::GrantUnknown, "no grant", |w| {
        w.grant = Err(GrantFact::Unknown)
    }),
    (ErrorCode::GrantAmbiguous, "several", |w| {
        w.grant = Err(GrantFact::Several)
    }),
    (ErrorCode::GrantAltered, "altered", |w| {
        w.grant = Err(GrantFact::Refused(ErrorCode::GrantAltered))
    }),
    (ErrorCode::GrantUnsignedByUnit, "unit", |w| {
        w.grant = Err(GrantFact::Refused(ErrorCode::GrantUnsignedByUnit))
    }),
    (ErrorCode::GrantUnsignedByAgency, "agency", |w| {
        w.grant = Err(GrantFact::Refused(ErrorCode::GrantUnsignedByAgency));
    }),
    (ErrorCode::GrantUnsignedByLicensee, "licensee", |w| {
        w.grant = Err(GrantFact::Refused(ErrorCode::GrantUnsignedByLicensee));
    }),
    (ErrorCode::GrantNotFiled, "not filed", |w| {
        w.grant = Err(GrantFact::Refused(ErrorCode::GrantNotFiled))
    }),
    (ErrorCode::ObjectInvalid, "refused otherwise", |w| {
        w.grant = Err(GrantFact::Refused(ErrorCode::TermTooLong))
    }),
    (ErrorCode::GrantRevoked, "grant revoked", |w| {
        w.epoch = Some((epoch(["grant_1"]), Duration::ZERO))
    }),
    (ErrorCode::GrantSuspended, "grant suspended", |w| {
        w.epoch = Some((suspending("grant_1"), Duration::ZERO))
    }),
    (ErrorCode::GrantPartyMismatch, "another party", |w| {
        w.caller = "party_other".parse().unwrap()
    }),
    (ErrorCode::GrantPartyMismatch, "another party's", |w| {
        w.grant = Err(GrantFact::Foreign)
    }),
    (ErrorCode::GrantOtherNode, "another node", |w| {
        w.grant().quotas[0].node = "node_b".parse().unwrap()
    }),
    (ErrorCode::GrantOtherNode, "another node's product", |w| {
        if let Ok((product, ..)) = &mut w.product {
            product.node = "node_b".parse().unwrap();
        }
    }),
    (ErrorCode::GrantNotYetValid, "one microsecond early", |w| {
        w.now = Timestamp(999)
    }),
    (ErrorCode::GrantExpired, "at the end", |w| {
        w.now = Timestamp(9_000)
    }),
    (ErrorCode::CatalogGrantOnly, "catalog grant", |w| {
        w.grant().kind = GrantKind::Catalog
    }),
    (ErrorCode::EnvMismatch, "environment", |w| {
        w.asked.environment = Environment::Test
    }),
    (
        ErrorCode::DebugPrecondition,
        "debugging without terms",
        |w| debugging(w).debug = None,
    ),
    (
        ErrorCode::DebugPrecondition,
        "debugging with two of three statements",
        |w| terms(debugging(w)).privacy_unharmed = false,
    ),
    (ErrorCode::DebugWindowClosed, "before the window", |w| {
        terms(debugging(w)).not_before = Timestamp(5_001)
    }),
    (
        ErrorCode::DebugWindowClosed,
        "at the end of the window",
        |w| terms(debugging(w)).not_after = Timestamp(5_000),
    ),
    (ErrorCode::ScenarioMismatch, "scenario", |w| {
        w.asked.scenario = "SC-2".into()
    }),
    (ErrorCode::PurposeMismatch, "purpose", |w| {
        w.asked.purpose = "MARKETING".into()
    }),
    (ErrorCode::PurposeMismatch, "no purpose", |w| {
        w.asked.purpose.clear()
    }),
    (ErrorCode::EndUserMissing, "no end user", |w| {
        w.asked.end_user.clear()
    }),
    (ErrorCode::EndUserNotGranted, "another end user", |w| {
        w.asked.end_user = "9145X".into()
    }),
    (ErrorCode::EndUserNotGranted, "none granted", |w| {
        w.grant().end_users.clear()
    }),
    (ErrorCode::ProductUnknown, "unknown product", |w| {
        w.product = Err(ProductFact::Unknown)
    }),
    (ErrorCode::ProductNotGranted, "another product", |w| {
        w.asked.product = "tb.other".parse().unwrap()
    }),
    (ErrorCode::ProductNotGranted, "another version", |w| {
        w.asked.version = Some(2)
    }),
    (ErrorCode::ProductNotApproved, "unapproved", |w| {
        w.product = Err(ProductFact::Unapproved)
    }),
    (
        ErrorCode::ProductNotApproved,
        "other bytes than granted",
        |w| w.grant().products[0].digest = Hash([5; 32]),
    ),
    (ErrorCode::ProductRevoked, "product revoked", |w| {
        w.epoch = Some((epoch(["tb.plane@1"]), Duration::ZERO))
    }),
    (
        ErrorCode::PurposeForbidden,
        "the policy is narrower than the grant",
        |w| {
            w.grant().purposes.push("SCORING".into());
            w.asked.purpose = "SCORING".into();
        },
    ),
];

#[test]
fn the_good_call_is_allowed() {
    let Decision::Allow(permit) = good().decide() else {
        panic!("the good call is refused")
    };
    assert_eq!(permit.grant().as_str(), "grant_1");
    assert_eq!(permit.quota().calls_per_day, 10);
    assert_eq!(permit.environment(), Environment::Prod);
    let mut debugged = good();
    debugging(&mut debugged);
    let Decision::Allow(permit) = debugged.decide() else {
        panic!("debugging within its terms is refused")
    };
    assert_eq!(
        (permit.quota().calls_per_day, permit.quota().calls_total),
        (3, 3)
    );
    let mut delegate = good();
    delegate.caller = "party_gateway".parse().unwrap();
    assert!(matches!(delegate.decide(), Decision::Allow(_)));
    let mut edge = good();
    edge.now = Timestamp(1_000);
    assert!(matches!(edge.decide(), Decision::Allow(_)));
}

/// A suspension is the grant's own, and ends with the list that no longer names it.
#[test]
fn only_the_suspended_grant_is_suspended() {
    let mut world = good();
    world.epoch = Some((suspending("grant_2"), Duration::ZERO));
    assert!(matches!(world.decide(), Decision::Allow(_)));
    // Revoked weighs more than suspended: it will not end.
    let both = Epoch {
        revoked: BTreeSet::from(["grant_1".to_owned()]),
        ..suspending("grant_1")
    };
    world.epoch = Some((both, Duration::ZERO));
    assert_eq!(world.decide(), Decision::Deny(ErrorCode::GrantRevoked));
}

#[test]
fn each_spoiled_call_is_refused_with_its_code() {
    for (code, what, spoil) in REFUSALS {
        let mut world = good();
        spoil(&mut world);
        assert_eq!(world.decide(), Decision::Deny(*code), "{what}");
    }
}

#[test]
fn no_second_fault_turns_a_refusal_into_an_answer() {
    for (_, first, spoil) in REFUSALS {
        for (_, second, spoil_again) in REFUSALS {
            let mut world = good();
            spoil(&mut world);
            if world.grant.is_err() || world.product.is_err() {
                continue;
            }
            spoil_again(&mut world);
            // A later spoil may replace the earlier one's epoch; then it stands for itself.
            assert!(
                matches!(world.decide(), Decision::Deny(_)),
                "{first} and {second}"
            );
        }
    }
}

#[test]
fn every_row_of_the_table_has_a_test() {
    let tested: BTreeSet<&str> = REFUSALS.iter().map(|(code, ..)| code.as_str()).collect();
    for row in TABLE {
        assert!(
            tested.contains(row.code.as_str()),
            "no test for {}",
            row.code
        );
    }
}

/// Whatever another party's grant is like, and whatever has become of it: the caller is told what it is told where there
/// is no such grant.
#[test]
fn another_partys_grant_is_told_as_one_that_there_is_not() {
    let mut told = BTreeSet::new();
    for (_, what, spoil) in REFUSALS {
        let mut foreign = good();
        spoil(&mut foreign);
        foreign.caller = "party_other".parse().unwrap();
        let mut none = foreign.clone();
        none.grant = Err(GrantFact::Unknown);
        if let (Ok(_), Decision::Deny(of_foreign), Decision::Deny(of_none)) =
            (&foreign.grant, foreign.decide(), none.decide())
        {
            assert_eq!(of_foreign.told(), of_none.told(), "{what}");
            told.insert(of_foreign);
        }
    }
    assert!(told.contains(&ErrorCode::GrantPartyMismatch));
    // What concerns the node or the caller itself is told as it is.
    assert!(told.contains(&ErrorCode::ClockSkew) && told.contains(&ErrorCode::Stopped));
}

/// The unit's stop of a grant, or of its licensee, says nothing to others.
#[test]
fn a_stop_of_anothers_grant_is_not_told() {
    let scopes = [
        StopScope::Grant("grant_1".parse().unwrap()),
        StopScope::Party("party_bank".parse().unwrap()),
    ];
    for scope in scopes {
        let mut world = good();
        stop(&mut world, scope);
        assert_eq!(world.decide(), Decision::Deny(ErrorCode::Stopped));
        world.caller = "party_other".parse().unwrap();
        assert_eq!(
            world.decide(),
            Decision::Deny(ErrorCode::GrantPartyMismatch)
        );
    }
}

/// The words of the record of a refused call, by field.
fn refused_words(world: &World, code: ErrorCode) -> Vec<(Field, String)> {
    let header = Header {
        id: CallId([1; 16]),
        caller: world.caller.clone(),
        certificate: [2; 32],
        asked: world.asked.clone(),
        request_tag: [3; 16],
    };
    let denial = Call::received(header).decide(&world.facts()).unwrap_err();
    assert_eq!(denial.code(), code);
    let clear = denial.draft(1).clear;
    let fields = [
        Field::Grant,
        Field::Product,
        Field::Purpose,
        Field::Scenario,
        Field::EndUser,
    ];
    assert_eq!(clear.get_text(Field::Caller), Some("party_bank"));
    assert_eq!(clear.get_text(Field::Outcome), Some(code.as_str()));
    assert_eq!(clear.get_text(Field::Environment), Some("PROD"));
    { fields.into_iter() }
        .filter_map(|field| Some((field, clear.get_text(field)?.to_owned())))
        .collect()
}

/// A log is for ever: whoever is refused must not be able to write a citizen's number into it.
#[test]
fn a_refused_call_puts_no_word_on_record_that_nobody_signed() {
    const CITIZEN: &str = "11010519491231002X";
    let lower = CITIZEN.to_lowercase();
    let all = || {
        let asked = good().asked;
        vec![
            (Field::Grant, "grant_1".to_owned()),
            (Field::Product, asked.product.to_string()),
            (Field::Purpose, asked.purpose),
            (Field::Scenario, asked.scenario),
            (Field::EndUser, asked.end_user),
        ]
    };
    let mut named = good();
    named.asked.grant = Some("grant_1".parse().unwrap());
    type Attack<'a> = &'a dyn Fn(&mut World);
    let attacks: [(Attack<'_>, ErrorCode, &[Field]); 5] = [
        (
            &|w| w.asked.scenario = CITIZEN.into(),
            ErrorCode::ScenarioMismatch,
            &[Field::Scenario],
        ),
        (
            &|w| w.asked.purpose = CITIZEN.into(),
            ErrorCode::PurposeMismatch,
            &[Field::Purpose],
        ),
        (
            // One in 31 numbers of citizens passes for a credit code.
            &|w| w.asked.end_user = CITIZEN.into(),
            ErrorCode::EndUserNotGranted,
            &[Field::EndUser],
        ),
        (
            &|w| {
                w.asked.product = format!("tb.no_{lower}").parse().unwrap();
                w.product = Err(ProductFact::Unknown);
            },
            ErrorCode::ProductUnknown,
            &[Field::Product],
        ),
        (
            &|w| {
                w.asked.grant = Some(format!("grant_{lower}").parse().unwrap());
                w.grant = Err(GrantFact::Unknown);
            },
            ErrorCode::GrantUnknown,
            // Without a grant nobody has signed for a scenario or an end user; the policy names the purpose.
            &[Field::Grant, Field::Scenario, Field::EndUser],
        ),
    ];
    for (attack, code, missing) in attacks {
        let mut world = named.clone();
        attack(&mut world);
        let mut expected = all();
        expected.retain(|(field, _)| !missing.contains(field));
        assert_eq!(refused_words(&world, code), expected);
    }

    // All that the caller's grant names stays on record, whatever the call is refused for.
    let mut late = named.clone();
    late.now = Timestamp(9_000);
    assert_eq!(refused_words(&late, ErrorCode::GrantExpired), all());
    // The words of a grant that is another's say nothing about what this caller may write.
    let mut foreign = named;
    foreign.grant = Err(GrantFact::Foreign);
    foreign.product = Err(ProductFact::Unapproved);
    let words = refused_words(&foreign, ErrorCode::GrantPartyMismatch);
    assert_eq!(words, all()[..2].to_vec());
}
