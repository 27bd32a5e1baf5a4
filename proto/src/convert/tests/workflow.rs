//! The objects of a case, of a credential and of suspensions: one encoding each, and every rule.

use lingqu_core::agreement::{Agreement, Terms};
use lingqu_core::application::{Application, Demand, Material};
use lingqu_core::case::{Action, CaseAct, Opinion, Stance};
use lingqu_core::credential::Credential;
use lingqu_core::epoch::{Lifting, Suspension};
use lingqu_core::grant::{Environment, GrantKind};
use lingqu_core::{ErrorCode, Timestamp};
use lingqu_tlog::Hash;

use super::canonical::{has_one_encoding, strict};
use super::objects::{YEAR_US, epoch};
use super::{accepted, refused};
use crate::{SignedObject, pb, product_ref};

const NOW: Timestamp = Timestamp(1_767_225_600_000_000);

fn application() -> Application {
    Application {
        case: "case_gx.1".parse().unwrap(),
        coordinator: "coord_gx".parse().unwrap(),
        submission: 1,
        kind: GrantKind::Scenario,
        applicant: "party_bank".parse().unwrap(),
        agency: "party_agency".parse().unwrap(),
        summary: "货车司机普惠贷款\n第二行".to_owned(),
        materials: vec![Material {
            item: "DESIGN".to_owned(),
            digest: Hash([1; 32]),
            dated: NOW,
        }],
        demand: Some(Demand {
            scenario: "S1".to_owned(),
            purposes: vec!["LOAN".to_owned()],
            environments: vec![Environment::Prod, Environment::Test],
            products: vec![product_ref("civil.residence@2").unwrap()],
            end_users: vec!["91450100MA5K00000B".to_owned()],
            delegates: vec!["party_gateway".parse().unwrap()],
            calls_per_day: 10,
            calls_total: 100,
            personal_data: true,
            non_public_inputs: vec!["还款记录".to_owned()],
            design: Hash([2; 32]),
        }),
        issued: NOW,
    }
}

fn notice() -> CaseAct {
    CaseAct {
        case: "case_gx.1".parse().unwrap(),
        basis: Hash([3; 32]),
        action: Action::Return,
        by: "party_agency".parse().unwrap(),
        reason: "材料不全".to_owned(),
        missing: vec!["四类名单声明".to_owned()],
        supplement_due: Some(Timestamp(NOW.0 + 1)),
        issued: NOW,
    }
}

fn opinion() -> Opinion {
    Opinion {
        case: "case_gx.1".parse().unwrap(),
        application: Hash([3; 32]),
        by: "party_civil".parse().unwrap(),
        stance: Stance::Disagree,
        reason: "用途过宽".to_owned(),
        issued: NOW,
    }
}

fn agreement() -> Agreement {
    let term = |text: &str| text.to_owned();
    Agreement {
        case: "case_gx.1".parse().unwrap(),
        round: 2,
        application: Hash([3; 32]),
        previous: Some(Hash([4; 32])),
        kind: GrantKind::Scenario,
        agency: "party_agency".parse().unwrap(),
        licensee: "party_bank".parse().unwrap(),
        not_before: NOW,
        not_after: Timestamp(NOW.0 + 5 * YEAR_US),
        terms: Terms {
            scope: term("范围"),
            processing: term("处理"),
            revenue_mode: term("分成"),
            revenue_method: term("计算"),
            security: term("安全"),
            disposal: term("销毁"),
            breach: term("赔偿"),
        },
        template: term("2026-1"),
        grant: Some(Hash([5; 32])),
    }
}

fn credential() -> Credential {
    Credential {
        number: "2026-000001".to_owned(),
        holder_name: "惠启".to_owned(),
        scope: "开发目录".to_owned(),
        not_before: NOW,
        not_after: Timestamp(NOW.0 + YEAR_US),
        issued_by: "桂云".to_owned(),
        issued: NOW,
        holder: "party_huiqi".parse().unwrap(),
        case: "case_gx.1".parse().unwrap(),
        agreement: Hash([6; 32]),
        coordinator: "coord_gx".parse().unwrap(),
    }
}

fn suspension() -> Suspension {
    Suspension {
        by: "party_civil".parse().unwrap(),
        grant: "grant_1".parse().unwrap(),
        reason: "整改".to_owned(),
        issued: NOW,
    }
}

fn lifting() -> Lifting {
    Lifting {
        by: "party_civil".parse().unwrap(),
        suspension: Hash([7; 32]),
        reason: "完成".to_owned(),
        issued: NOW,
    }
}

#[test]
fn each_object_has_one_encoding() {
    has_one_encoding::<pb::Application, _>(&application());
    has_one_encoding::<pb::CaseAct, _>(&notice());
    has_one_encoding::<pb::Opinion, _>(&opinion());
    has_one_encoding::<pb::Agreement, _>(&agreement());
    has_one_encoding::<pb::Credential, _>(&credential());
    has_one_encoding::<pb::Suspension, _>(&suspension());
    has_one_encoding::<pb::Lifting, _>(&lifting());
}

#[test]
fn altered_bytes_do_no_harm() {
    fn try_all<T: SignedObject>(object: &T) {
        let payload = object.to_payload();
        for position in 0..payload.len() {
            for altered in [0x00, 0x01, 0x7f, 0x80, 0xff, payload[position] ^ 1] {
                let mut bytes = payload.clone();
                bytes[position] = altered;
                assert!(strict::<T>(&bytes), "{} byte {position}", T::TYPE);
            }
        }
    }
    try_all(&application());
    try_all(&notice());
    try_all(&opinion());
    try_all(&agreement());
    try_all(&credential());
    try_all(&suspension());
    try_all(&lifting());
}

#[test]
fn rules_of_an_application() {
    let field = |change: fn(&mut pb::Application)| refused(&application(), change).field;
    assert_eq!(field(|a| a.case_id = "grant_1".into()), "case_id");
    assert_eq!(field(|a| a.coordinator.clear()), "coordinator");
    assert_eq!(field(|a| a.submission = 0), "submission");
    assert_eq!(field(|a| a.kind = 0), "kind");
    assert_eq!(field(|a| a.summary = " \n".into()), "summary");
    assert_eq!(field(|a| a.summary = "a\u{202e}b".into()), "summary");
    assert_eq!(field(|a| a.summary = "a".repeat(8_193)), "summary");
    assert_eq!(
        field(|a| a.materials[0].item = "design".into()),
        "materials.item"
    );
    assert_eq!(
        field(|a| a.materials.push(a.materials[0].clone())),
        "materials.item"
    );
    assert_eq!(field(|a| a.demand = None), "demand");
    assert_eq!(field(|a| a.kind = 1), "demand");
    let wanted = |change: fn(&mut pb::Demand)| {
        refused(&application(), |a: &mut pb::Application| {
            change(a.demand.as_mut().unwrap());
        })
        .field
    };
    assert_eq!(wanted(|d| d.purposes.clear()), "demand.purposes");
    assert_eq!(wanted(|d| d.environments.push(3)), "demand.environments");
    assert_eq!(wanted(|d| d.environments[0] = 9), "demand.environments");
    assert_eq!(
        wanted(|d| d.products[0] = "civil.residence".into()),
        "product"
    );
    assert_eq!(
        wanted(|d| d.products.push(d.products[0].clone())),
        "demand.products"
    );
    assert_eq!(
        wanted(|d| d.end_users[0] = "110101199003070017".into()),
        "demand.end_users"
    );
    assert_eq!(wanted(|d| d.calls_per_day = 0), "demand.calls_per_day");
    assert_eq!(wanted(|d| d.calls_total = 0), "demand.calls_total");
    assert_eq!(
        wanted(|d| d.non_public_inputs[0].clear()),
        "demand.non_public_inputs"
    );
    assert_eq!(wanted(|d| d.design_digest.clear()), "demand.design_digest");
    accepted(&application(), |a: &mut pb::Application| {
        (a.kind, a.demand) = (1, None);
    });
}

#[test]
fn rules_of_an_act() {
    let field = |change: fn(&mut pb::CaseAct)| refused(&notice(), change).field;
    assert_eq!(field(|act| act.action = 0), "action");
    assert_eq!(field(|act| act.action = 8), "action");
    assert_eq!(field(|act| act.basis_digest.clear()), "basis_digest");
    assert_eq!(field(|act| act.by = "node_x".into()), "by");
    // What only a notice has, and all that it must have.
    assert_eq!(field(|act| act.missing.clear()), "missing");
    assert_eq!(
        field(|act| act.missing.push(act.missing[0].clone())),
        "missing"
    );
    assert_eq!(field(|act| act.supplement_due_us = 0), "supplement_due_us");
    assert_eq!(field(|act| act.action = 1), "missing");
    assert_eq!(
        field(|act| (act.action, act.missing) = (1, Vec::new())),
        "supplement_due_us"
    );
    let bare = |action| {
        move |act: &mut pb::CaseAct| {
            act.missing.clear();
            act.reason.clear();
            (act.action, act.supplement_due_us) = (action, 0);
        }
    };
    for action in [4, 6] {
        assert_eq!(refused(&notice(), bare(action)).field, "reason");
    }
    for action in [1, 2, 3, 7] {
        accepted(&notice(), bare(action));
    }
    assert_eq!(field(|act| act.reason = "a".repeat(2_049)), "reason");
}

#[test]
fn rules_of_an_opinion() {
    let field = |change: fn(&mut pb::Opinion)| refused(&opinion(), change).field;
    assert_eq!(field(|opinion| opinion.stance = 0), "stance");
    assert_eq!(field(|opinion| opinion.stance = 3), "stance");
    assert_eq!(
        field(|opinion| opinion.application_digest.clear()),
        "application_digest"
    );
    // Whoever disagrees says why.
    assert_eq!(field(|opinion| opinion.reason.clear()), "reason");
    accepted(&opinion(), |opinion: &mut pb::Opinion| {
        opinion.stance = 1;
        opinion.reason.clear();
    });
}

/// each of the eight terms is named when it is missing.
#[test]
fn each_missing_term_is_named() {
    type Change = fn(&mut pb::Agreement);
    let always: [(&str, Change); 7] = [
        ("授权期限", |agreement| agreement.not_after_us = 0),
        ("授权期限", |agreement| agreement.not_before_us = 0),
        ("授权范围", |agreement| agreement.scope.clear()),
        ("数据处理要求", |agreement| {
            agreement.processing = " ".into()
        }),
        ("数据安全要求", |agreement| agreement.security.clear()),
        ("期限届满后资产处置", |agreement| {
            agreement.disposal.clear()
        }),
        ("违约责任", |agreement| agreement.breach.clear()),
    ];
    let revenue: [(&str, Change); 2] = [
        ("收益分配模式", |agreement| {
            agreement.revenue_mode.clear()
        }),
        ("收益计算方法", |agreement| {
            agreement.revenue_method.clear()
        }),
    ];
    let catalog = accepted(&agreement(), |agreement: &mut pb::Agreement| {
        agreement.kind = 1;
        agreement.grant_digest.clear();
        agreement.revenue_mode.clear();
        agreement.revenue_method.clear();
    });
    for (name, change) in always {
        for agreement in [&agreement(), &catalog] {
            let invalid = refused(agreement, change);
            assert_eq!(invalid.code(), ErrorCode::AgreementTermMissing);
            assert!(invalid.field.contains(name), "{invalid}");
        }
    }
    for (name, change) in revenue {
        let invalid = refused(&agreement(), change);
        assert_eq!(invalid.code(), ErrorCode::AgreementTermMissing);
        assert!(invalid.field.contains(name), "{invalid}");
    }
}

#[test]
fn rules_of_an_agreement() {
    let field = |change: fn(&mut pb::Agreement)| refused(&agreement(), change).field;
    assert_eq!(field(|a| a.round = 0), "round");
    assert_eq!(field(|a| a.round = 1), "previous_digest");
    assert_eq!(field(|a| a.previous_digest.clear()), "previous_digest");
    assert_eq!(field(|a| a.previous_digest.truncate(31)), "previous_digest");
    assert_eq!(field(|a| a.grant_digest.clear()), "grant_digest");
    assert_eq!(field(|a| a.kind = 1), "grant_digest");
    assert_eq!(field(|a| a.licensee = a.agency.clone()), "licensee");
    assert_eq!(field(|a| a.not_after_us = a.not_before_us), "not_after_us");
    assert_eq!(field(|a| a.scope = "长".repeat(2_731)), "scope");
    // five years with their leap days, and no instant more.
    let longest = |agreement: &mut pb::Agreement| {
        agreement.not_after_us = agreement.not_before_us + 5 * YEAR_US + 2 * 86_400_000_000;
    };
    accepted(&agreement(), longest);
    let longer = refused(&agreement(), |agreement: &mut pb::Agreement| {
        longest(agreement);
        agreement.not_after_us += 1;
    });
    assert_eq!(longer.code(), ErrorCode::TermTooLong);
}

/// all six fields are mandatory.
#[test]
fn rules_of_a_credential() {
    let field = |change: fn(&mut pb::Credential)| refused(&credential(), change).field;
    assert_eq!(field(|c| c.number.clear()), "number");
    assert_eq!(field(|c| c.holder_name = " ".into()), "holder_name");
    assert_eq!(field(|c| c.scope.clear()), "scope");
    assert_eq!(field(|c| c.not_after_us = c.not_before_us), "not_after_us");
    assert_eq!(field(|c| c.issued_by.clear()), "issued_by");
    assert_eq!(field(|c| c.issued_us = -1), "issued_us");
    assert_eq!(field(|c| c.agreement_digest.clear()), "agreement_digest");
}

#[test]
fn rules_of_suspensions() {
    let field = |change: fn(&mut pb::Suspension)| refused(&suspension(), change).field;
    // Parties and products are revoked or stopped; only grants are suspended.
    assert_eq!(field(|s| s.grant = "party_x".into()), "grant");
    assert_eq!(field(|s| s.by.clear()), "by");
    let field = |change: fn(&mut pb::Lifting)| refused(&lifting(), change).field;
    assert_eq!(field(|l| l.suspension_digest.clear()), "suspension_digest");
    let listed = |change: fn(&mut pb::Epoch)| refused(&epoch(), change).field;
    assert_eq!(
        listed(|epoch| epoch.suspended[0] = "party_x".into()),
        "suspended"
    );
    assert_eq!(listed(|epoch| epoch.suspended.swap(0, 1)), "suspended");
    assert_eq!(
        listed(|epoch| epoch.suspended[1] = epoch.suspended[0].clone()),
        "suspended"
    );
}
