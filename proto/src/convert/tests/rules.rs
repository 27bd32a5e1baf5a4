//! Every rule of the signed objects other than the grant.

use std::collections::BTreeSet;

use lingqu_core::ErrorCode;
use lingqu_core::envelope::PAYLOAD_LEN_MAX;
use lingqu_core::epoch::{Epoch, REVOKED_MAX};
use lingqu_core::product::{Product, SignedPolicy};
use lingqu_core::succession::SuccessionOrder;

use lingqu_tlog::{Intl, VerifierKey};

use super::objects::{
    approval, epoch, filing, policy, product, revocation, stop_order, succession_order,
};
use super::{accepted, refused};
use crate::{SignedObject, pb, product_ref};

#[test]
fn a_refusal_names_the_field_and_not_the_value() {
    let canary = "CANARY-340123";
    let invalid = refused(&product(), |product: &mut pb::Product| {
        product.resource = canary.to_owned();
    });
    assert_eq!(
        invalid.to_string(),
        "`resource` is not 1 to 64 of `a-z 0-9 _`"
    );
    assert!(!format!("{invalid:?}").contains(canary));
    assert_eq!(invalid.code(), ErrorCode::ObjectInvalid);
}

#[test]
fn payloads_are_limited() {
    let long = Product::from_payload(&vec![0; PAYLOAD_LEN_MAX + 1]).unwrap_err();
    assert_eq!(
        (long.field, long.reason),
        ("payload", "is longer than 1 MiB")
    );
    let empty = Product::from_payload(&[]).unwrap_err();
    assert_eq!(empty.field, "id");
    let garbage = Product::from_payload(&[0xff]).unwrap_err();
    assert_eq!(garbage.reason, "is not a message of its type");
}

#[test]
fn rules_of_a_product() {
    let field = |change: fn(&mut pb::Product)| refused(&product(), change).field;
    assert_eq!(field(|product| product.id = "residence".into()), "id");
    assert_eq!(field(|product| product.version = 0), "version");
    assert_eq!(field(|product| product.unit = "node_1".into()), "unit");
    assert_eq!(field(|product| product.node = "party_1".into()), "node");
    assert_eq!(field(|product| product.resource = "a.b".into()), "resource");
    assert_eq!(field(|product| product.definition = None), "definition");
    assert_eq!(
        field(|product| product.derived_from[0] = "x".into()),
        "derived_from"
    );
    assert_eq!(
        field(|product| product.derived_from.clear()),
        "derived_from"
    );
    assert_eq!(
        field(|product| product.derived_from.push("civil.person".into())),
        "derived_from"
    );
    assert_eq!(
        field(|product| product.derived_from = vec!["a.b".into(); 1_025]),
        "derived_from"
    );
    assert_eq!(field(|product| product.tier = 1), "derived_from");
    accepted::<pb::Product, Product>(&product(), |product| {
        product.tier = 1;
        product.derived_from.clear();
    });
}

/// Bidirectional overrides and the like would let a signer read another title than is stored.
#[test]
fn titles_show_what_they_hold() {
    for wrong in [
        "a\nb",
        "a\0",
        "a\u{85}",
        "a\u{202e}b",
        "a\u{2066}b",
        "a\u{200b}b",
        "\u{feff}a",
    ] {
        let field = |change: fn(&mut pb::Product, String)| {
            refused(&product(), |product| change(product, wrong.to_owned())).field
        };
        assert_eq!(field(|product, text| product.title_zh = text), "title_zh");
        assert_eq!(field(|product, text| product.title_en = text), "title_en");
    }
    accepted::<pb::Product, Product>(&product(), |product| product.title_en = "x".repeat(256));
    let long = refused(&product(), |product: &mut pb::Product| {
        product.title_zh = "居".repeat(86);
    });
    assert_eq!(long.reason, "is longer than 256 bytes");
}

#[test]
fn rules_of_a_verification() {
    fn rules(product: &mut pb::Product) -> &mut pb::Verification {
        let Some(pb::product::Definition::Verification(rules)) = &mut product.definition else {
            panic!("the sample is a verification");
        };
        rules
    }
    let many = |prefix: &str, count: usize| {
        let rule = |n| pb::FieldRule {
            name: format!("{prefix}{n}"),
            column: "c".to_owned(),
            comparator: "integer".to_owned(),
            thresholds: Vec::new(),
        };
        (0..count).map(rule).collect::<Vec<_>>()
    };
    let field = |change: &dyn Fn(&mut pb::Verification)| {
        refused(&product(), |product| change(rules(product))).field
    };
    assert_eq!(field(&|rules| rules.key.clear()), "verification.key");
    assert_eq!(field(&|rules| rules.key = many("k", 9)), "verification.key");
    assert_eq!(
        field(&|rules| rules.compared.clear()),
        "verification.compared"
    );
    assert_eq!(
        field(&|rules| rules.compared = many("c", 17)),
        "verification.compared"
    );
    assert_eq!(
        field(&|rules| rules.key[0].name = "born".into()),
        "verification"
    );
    assert_eq!(
        field(&|rules| rules.compared[1].name = "name".into()),
        "verification"
    );
    assert_eq!(
        field(&|rules| rules.key[0].name = "Name".into()),
        "field.name"
    );
    assert_eq!(
        field(&|rules| rules.key[0].name = "n".repeat(65)),
        "field.name"
    );
    assert_eq!(
        field(&|rules| rules.compared[0].column.clear()),
        "field.column"
    );
    for comparator in ["", "Exact", "regex"] {
        assert_eq!(
            field(&|rules| rules.key[0].comparator = comparator.into()),
            "field.comparator"
        );
    }
    accepted::<pb::Product, Product>(&product(), |product| {
        *rules(product) = pb::Verification {
            key: many("k", 8),
            compared: many("c", 16),
        };
    });
}

#[test]
fn rules_of_an_approval() {
    let field = |change: fn(&mut pb::ProductApproval)| refused(&approval(), change).field;
    assert_eq!(field(|approval| approval.unit.clear()), "unit");
    assert_eq!(field(|approval| approval.node.clear()), "node");
    assert_eq!(
        field(|approval| approval.product = "a.b@1".into()),
        "product"
    );
    assert_eq!(field(|approval| approval.version = 0), "version");
    assert_eq!(
        field(|approval| approval.product_digest.push(0)),
        "product_digest"
    );
    assert_eq!(
        field(|approval| approval.policy_digest.clear()),
        "policy_digest"
    );
}

#[test]
fn rules_of_a_policy() {
    use pb::audit_terms::Mode;
    use pb::domain::Kind;
    let field = |change: fn(&mut pb::Policy)| refused(&policy(), change).field;
    let audit = |mode| {
        refused(&policy(), |policy: &mut pb::Policy| {
            policy.audit = Some(pb::AuditTerms { mode });
        })
        .field
    };
    assert_eq!(field(|policy| policy.id = "Policy".into()), "id");
    assert_eq!(field(|policy| policy.version = 0), "version");
    assert_eq!(field(|policy| policy.unit = "unit".into()), "unit");
    assert_eq!(field(|policy| policy.resource.clear()), "resource");
    assert_eq!(field(|policy| policy.columns.clear()), "columns");
    assert_eq!(
        field(|policy| policy.columns[1].column = "born".into()),
        "columns"
    );
    assert_eq!(
        field(|policy| policy.columns[0].column.clear()),
        "columns.column"
    );
    assert_eq!(
        field(|policy| policy.columns[0].uses[0] = "read".into()),
        "columns.uses"
    );
    assert_eq!(
        field(|policy| policy.purposes[0] = "loan".into()),
        "purposes"
    );
    assert_eq!(
        field(|policy| policy.epoch_age_max_s = 0),
        "epoch_age_max_s"
    );
    assert_eq!(
        field(|policy| policy.epoch_age_max_s = 604_801),
        "epoch_age_max_s"
    );
    assert_eq!(field(|policy| policy.audit = None), "audit");
    fn terms(policy: &mut pb::Policy) -> &mut pb::ReleaseTerms {
        policy.release.as_mut().unwrap()
    }
    assert_eq!(field(|policy| terms(policy).group_min = 9), "group_min");
    assert_eq!(
        field(|policy| terms(policy).dominance_percent_max = 300),
        "dominance_percent_max"
    );
    assert_eq!(field(|policy| terms(policy).round_to = 0), "round_to");
    assert_eq!(field(|policy| terms(policy).groups_max = 0), "groups_max");
    assert_eq!(
        field(|policy| terms(policy).p_percent = Some(0)),
        "p_percent"
    );
    assert_eq!(
        field(|policy| terms(policy).homogeneity_percent_max = Some(300)),
        "homogeneity_percent_max"
    );
    assert_eq!(
        field(|policy| terms(policy).withheld_percent_max = Some(51)),
        "withheld_percent_max"
    );
    let functions = |words: &[&str]| {
        let entries: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        refused(&policy(), |policy: &mut pb::Policy| {
            terms(policy).functions = Some(pb::FunctionList { entries });
        })
        .field
    };
    assert_eq!(functions(&["median"]), "functions");
    assert_eq!(functions(&["sum", "count"]), "functions");
    // What is usual is never written, so that the same terms have one form and one digest.
    let usual: [fn(&mut pb::ReleaseTerms); 4] = [
        |terms| terms.p_percent = Some(10),
        |terms| terms.homogeneity_percent_max = Some(90),
        |terms| terms.withheld_percent_max = Some(10),
        |terms| {
            let entries = ["average", "count", "entities", "sum"].map(str::to_owned);
            let entries = entries.into();
            terms.functions = Some(pb::FunctionList { entries });
        },
    ];
    for write in usual {
        refused(&policy(), |policy: &mut pb::Policy| write(terms(policy)));
    }
    assert_eq!(
        field(|policy| policy.columns[0].space = "person".to_owned()),
        "columns.space"
    );
    let domain = |kind: Option<Kind>| {
        let change = |policy: &mut pb::Policy| {
            policy.columns[0].domain = Some(pb::Domain { kind: kind.clone() });
        };
        refused(&policy(), change).field
    };
    let edges = |edges: &[&str]| {
        let entries = edges.iter().map(|edge| (*edge).to_owned()).collect();
        Some(Kind::DateEdges(pb::TextList { entries }))
    };
    let numbers = |entries: &[i64]| pb::IntegerList {
        entries: entries.to_vec(),
    };
    for kind in [
        None,
        edges(&["2013-01-01"]),
        edges(&["2014-01-01", "2013-01-01"]),
        Some(Kind::Texts(pb::TextList::default())),
        Some(Kind::Integers(numbers(&[1, 1]))),
        Some(Kind::IntegerEdges(numbers(&[1]))),
        Some(Kind::Bounds(pb::Bounds { min: 1, max: 1 })),
    ] {
        assert_eq!(domain(kind), "columns.domain");
    }
    assert_eq!(
        domain(edges(&["2013-1-1", "2014-01-01"])),
        "columns.domain.date_edges"
    );
    assert_eq!(audit(None), "audit");
    for wait_ms_max in [0, 60_001] {
        assert_eq!(
            audit(Some(Mode::Mirrored(pb::Mirrored { wait_ms_max }))),
            "wait_ms_max"
        );
    }
    let lagged = |entries_max, age_s_max| {
        Some(Mode::Lagged(pb::Lagged {
            entries_max,
            age_s_max,
        }))
    };
    assert_eq!(audit(lagged(0, 1)), "entries_max");
    assert_eq!(audit(lagged(1_000_001, 1)), "entries_max");
    assert_eq!(audit(lagged(1, 0)), "age_s_max");
    assert_eq!(audit(lagged(1, 86_401)), "age_s_max");

    let words = |count: usize| (0..count).map(|n| format!("P{n:04}")).collect::<Vec<_>>();
    accepted::<pb::Policy, SignedPolicy>(&policy(), |policy| policy.purposes = words(1_024));
    let long = refused(&policy(), |policy: &mut pb::Policy| {
        policy.purposes = words(1_025)
    });
    assert_eq!(long.field, "purposes");
}

#[test]
fn rules_of_a_filing() {
    let field = |change: fn(&mut pb::Filing)| refused(&filing(), change).field;
    assert_eq!(
        field(|filing| filing.coordinator = "party_1".into()),
        "coordinator"
    );
    assert_eq!(
        field(|filing| filing.object_type = "lingqu.v1.Epoch".into()),
        "object_type"
    );
    assert_eq!(
        field(|filing| filing.object_digest.clear()),
        "object_digest"
    );
    assert_eq!(field(|filing| filing.number.clear()), "number");
    assert_eq!(field(|filing| filing.number = "1\n2".into()), "number");
    assert_eq!(field(|filing| filing.filed_us = -1), "filed_us");
}

#[test]
fn rules_of_an_epoch() {
    let field = |change: fn(&mut pb::Epoch)| refused(&epoch(), change).field;
    assert_eq!(field(|epoch| epoch.coordinator.clear()), "coordinator");
    assert_eq!(field(|epoch| epoch.number = 0), "number");
    assert_eq!(field(|epoch| epoch.issued_us = -1), "issued_us");
    assert_eq!(
        field(|epoch| epoch.valid_until_us = epoch.issued_us),
        "valid_until_us"
    );
    // Each of these would revoke nothing and look as if it did.
    for misspelt in [
        "", "Grant_1", "grant_", "node_1", "zz", "z.z", "z.z@0", "z.z@01", "z.z@+1",
    ] {
        let invalid = refused(&epoch(), |epoch: &mut pb::Epoch| {
            epoch.revoked = vec![misspelt.to_owned()];
        });
        assert_eq!(invalid.field, "revoked", "{misspelt}");
    }
}

/// With the shortest targets there are, the entries reach their limit before the payload does.
#[test]
fn an_epoch_is_limited_in_entries() {
    let letters = || 'a'..='z';
    let revoked: BTreeSet<String> = letters()
        .flat_map(|unit| letters().map(move |product| (unit, product)))
        .flat_map(|(unit, product)| (1..=148).map(move |n| format!("{unit}.{product}@{n}")))
        .take(REVOKED_MAX - 1)
        .collect();
    assert_eq!(epoch().suspended.len(), 2, "one too many");
    let mut epoch = Epoch { revoked, ..epoch() };
    let too_many = Epoch::from_payload(&epoch.to_payload()).unwrap_err();
    assert_eq!(
        (too_many.field, too_many.reason),
        ("revoked", "has with `suspended` more than 13000 entries")
    );
    // The suspended ones count too: both lists lie in one envelope.
    while epoch.revoked.len() + epoch.suspended.len() > REVOKED_MAX {
        epoch.revoked.pop_last();
    }
    assert_eq!(Epoch::from_payload(&epoch.to_payload()), Ok(epoch));
}

#[test]
fn rules_of_a_revocation() {
    let field = |change: fn(&mut pb::Revocation)| refused(&revocation(), change).field;
    assert_eq!(field(|revocation| revocation.by = "coord_gx".into()), "by");
    assert_eq!(
        field(|revocation| revocation.target = "civil.residence".into()),
        "target"
    );
    assert_eq!(
        field(|revocation| revocation.reason = "\u{202e}".into()),
        "reason"
    );
    assert_eq!(field(|revocation| revocation.issued_us = -1), "issued_us");
}

#[test]
fn rules_of_a_stop_order() {
    let field = |change: fn(&mut pb::StopOrder)| refused(&stop_order(), change).field;
    assert_eq!(field(|order| order.unit = "node_civil".into()), "unit");
    assert_eq!(field(|order| order.node = "party_civil".into()), "node");
    assert_eq!(field(|order| order.number = 0), "number");
    assert_eq!(field(|order| order.issued_us = -1), "issued_us");
    for scope in ["", "ALL", "node_1", "civil.residence"] {
        let invalid = refused(&stop_order(), |order: &mut pb::StopOrder| {
            order.scope = scope.to_owned();
        });
        assert_eq!(invalid.field, "scope", "{scope}");
    }
}

#[test]
fn rules_of_a_succession_order() {
    let field = |change: fn(&mut pb::SuccessionOrder)| refused(&succession_order(), change).field;
    assert_eq!(field(|order| order.unit = "node_civil".into()), "unit");
    assert_eq!(field(|order| order.node = "party_civil".into()), "node");
    assert_eq!(field(|order| order.issued_us = -1), "issued_us");
    assert_eq!(field(|order| order.not_before_us = -1), "not_before_us");
    // An order dies: at once is too early, thirteen months after it is due is the latest.
    assert_eq!(field(|order| order.not_after_us = 0), "not_after_us");
    assert_eq!(
        field(|order| order.not_after_us = order.not_before_us),
        "not_after_us"
    );
    let latest = succession_order().not_before.plus_months_utc8(13);
    let longest = SuccessionOrder {
        not_after: latest,
        ..succession_order()
    };
    assert_eq!(
        SuccessionOrder::from_payload(&longest.to_payload()),
        Ok(longest)
    );
    let later = refused(&succession_order(), |order: &mut pb::SuccessionOrder| {
        order.not_after_us = latest.0 + 1;
    });
    assert_eq!(later.field, "not_after_us");
    assert_eq!(field(|order| order.begins.push('A')), "begins");
    // Another network, node or region, the same period, an earlier one.
    for ends in [
        "net.other/s/node_civil/45/2026h1",
        "net.example/s/node_other/45/2026h1",
        "net.example/s/node_civil/4501/2026h1",
        "net.example/s/node_civil/45/2026h2",
        "net.example/s/node_civil/45/2027h1",
        "2026h1",
        "",
    ] {
        let invalid = refused(&succession_order(), |order: &mut pb::SuccessionOrder| {
            order.ends = ends.to_owned();
        });
        assert_eq!(invalid.field, "begins", "{ends}");
    }
    // A cosigner's key is no log's.
    let invalid = refused(&succession_order(), |order: &mut pb::SuccessionOrder| {
        let key: VerifierKey<Intl> = order.begins.parse().unwrap();
        let cosigner = VerifierKey::<Intl>::cosignature(key.name().clone(), key.public_key());
        order.begins = cosigner.unwrap().to_string();
    });
    assert_eq!(invalid.field, "begins");
}

#[test]
fn a_product_version_has_one_text() {
    assert_eq!(product_ref("a.b@4294967295").unwrap().version, u32::MAX);
    for wrong in [
        "a.b",
        "a.b@",
        "a.b@0",
        "a.b@01",
        "a.b@+1",
        "a.b@ 1",
        "a.b@4294967296",
        "a.b@1@1",
        "A.b@1",
    ] {
        assert_eq!(product_ref(wrong).unwrap_err().field, "product", "{wrong}");
    }
}

#[test]
fn a_privacy_budget_has_bounds() {
    let field = |rho_total_micro, delta_exponent| {
        refused(&policy(), |policy: &mut pb::Policy| {
            policy.dp = Some(pb::DpBudget {
                rho_total_micro,
                delta_exponent,
            });
        })
        .field
    };
    for rho in [0, 1_000_000_001, u64::MAX] {
        assert_eq!(field(rho, 9), "rho_total", "{rho}");
    }
    for exponent in [0, 4, 19, 265, u32::MAX] {
        assert_eq!(field(1, exponent), "delta_exponent", "{exponent}");
    }
}

#[test]
fn a_subject_limit_has_bounds() {
    let field = |calls_max, window_hours, grant_calls_max| {
        refused(&policy(), |policy: &mut pb::Policy| {
            policy.subject_limit = Some(pb::SubjectLimit {
                calls_max,
                window_hours,
                grant_calls_max,
            });
        })
        .field
    };
    for (calls, hours, of_grant) in [
        (0, 1, None),
        (1_000_001, 1, None),
        (1, 0, None),
        (1, 745, None),
        (1, 65_537, None),
        (3, 1, Some(0)),
        (3, 1, Some(4)),
    ] {
        assert_eq!(field(calls, hours, of_grant), "subject_limit");
    }
    // As many as all have is said by leaving it out.
    assert_eq!(field(3, 1, Some(3)), "payload");
}
