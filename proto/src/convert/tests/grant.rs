//! Every rule of a grant.

use crate::convert::field::with_check_character;
use lingqu_core::ErrorCode;
use lingqu_core::grant::{Grant, TERM_MAX_DAYS};

use super::objects::{grant, key};
use super::{accepted, refused};
use crate::pb;

const DAY_US: i64 = 86_400_000_000;

fn field(change: impl FnOnce(&mut pb::Grant)) -> &'static str {
    refused(&grant(), change).field
}

#[test]
fn ids_have_the_kind_they_should() {
    assert_eq!(field(|grant| grant.id = "party_1".into()), "id");
    assert_eq!(field(|grant| grant.agency = "grant_1".into()), "agency");
    assert_eq!(field(|grant| grant.licensee.clear()), "licensee");
    assert_eq!(
        field(|grant| grant.delegates[0] = "node_1".into()),
        "delegates"
    );
    assert_eq!(
        field(|grant| grant.products[0].product = "residence".into()),
        "products.product"
    );
    assert_eq!(
        field(|grant| grant.products[0].version = 0),
        "products.version"
    );
    assert_eq!(
        field(|grant| grant.products[0].digest.truncate(31)),
        "products.digest"
    );
    assert_eq!(
        field(|grant| grant.quotas[0].unit = "node_1".into()),
        "quotas.unit"
    );
    assert_eq!(
        field(|grant| grant.quotas[0].node = "party_1".into()),
        "quotas.node"
    );
    assert_eq!(field(|grant| grant.region = "450".into()), "region");
    assert_eq!(field(|grant| grant.version = 0), "version");
}

/// With the neutral point as key, one signature would fit nearly every grant.
#[test]
fn a_licensee_key_that_proves_nothing_is_refused() {
    let neutral = [&[1][..], &[0; 31]].concat();
    for weak in [vec![], vec![0; 32], neutral, key()[..31].to_vec()] {
        assert_eq!(field(|grant| grant.licensee_key = weak), "licensee_key");
    }
}

#[test]
fn words_have_their_characters() {
    for wrong in ["", "lower", "A B", "A\n", "贷款", "A/B"].map(str::to_owned) {
        assert_eq!(field(|grant| grant.scenario = wrong.clone()), "scenario");
        assert_eq!(field(|grant| grant.purposes[1] = wrong), "purposes");
    }
    assert_eq!(field(|grant| grant.scenario = "A".repeat(65)), "scenario");
    accepted::<pb::Grant, Grant>(&grant(), |grant| grant.scenario = "A".repeat(64));
    for wrong in [
        "",
        "91450100MA5K00000",
        "91450100MA5K00000BX",
        "91450100ma5k00000b",
        "91450100MA5K00000C",
        "11010519491231002X",
        "张三",
    ] {
        assert_eq!(
            field(|grant| grant.end_users[0] = wrong.to_owned()),
            "end_users"
        );
    }
}

#[test]
fn lists_are_limited_and_name_things_once() {
    let parties = |count: usize| (0..count).map(|n| format!("party_{n}")).collect::<Vec<_>>();
    let words = |count: usize| (0..count).map(|n| format!("P{n}")).collect::<Vec<_>>();
    let codes = |count: usize| {
        (0..count)
            .map(|n| with_check_character(&format!("{n:017}")))
            .collect::<Vec<_>>()
    };
    accepted::<pb::Grant, Grant>(&grant(), |grant| {
        grant.delegates = parties(1_024);
        grant.purposes = words(1_024);
        grant.end_users = codes(1_024);
    });
    assert_eq!(field(|grant| grant.delegates = parties(1_025)), "delegates");
    assert_eq!(field(|grant| grant.purposes = words(1_025)), "purposes");
    assert_eq!(field(|grant| grant.end_users = codes(1_025)), "end_users");
    assert_eq!(
        field(|grant| grant.products = vec![grant.products[0].clone(); 1_025]),
        "products"
    );
    assert_eq!(
        field(|grant| grant.quotas = vec![grant.quotas[0].clone(); 1_025]),
        "quotas"
    );
    assert_eq!(
        field(|grant| grant.environments = vec![1; 1_025]),
        "environments"
    );

    assert_eq!(
        field(|grant| grant.delegates.push(grant.delegates[0].clone())),
        "delegates"
    );
    assert_eq!(
        field(|grant| grant.end_users.push(grant.end_users[0].clone())),
        "end_users"
    );
    assert_eq!(
        field(|grant| grant.purposes.push("LOAN".into())),
        "purposes"
    );
    assert_eq!(field(|grant| grant.environments.push(1)), "environments");
    assert_eq!(
        field(|grant| grant.products.push(grant.products[0].clone())),
        "products"
    );
    assert_eq!(
        field(|grant| grant.quotas.push(grant.quotas[0].clone())),
        "quotas"
    );

    assert_eq!(field(|grant| grant.purposes.clear()), "purposes");
    assert_eq!(field(|grant| grant.environments.clear()), "environments");
    assert_eq!(field(|grant| grant.products.clear()), "products");
    assert_eq!(field(|grant| grant.quotas.clear()), "quotas");
    accepted::<pb::Grant, Grant>(&grant(), |grant| {
        grant.delegates.clear();
        grant.end_users.clear();
    });
}

/// R-263, and a code of its own for the one rule that applicants run into.
#[test]
fn the_term_is_positive_and_at_most_five_years() {
    assert_eq!(field(|grant| grant.not_before_us = -1), "not_before_us");
    for term in [0, -1] {
        let empty = refused(&grant(), |grant: &mut pb::Grant| {
            grant.not_after_us = grant.not_before_us + term;
        });
        assert_eq!(
            (empty.field, empty.code()),
            ("not_after_us", ErrorCode::ObjectInvalid)
        );
    }
    let longest = TERM_MAX_DAYS * DAY_US;
    accepted::<pb::Grant, Grant>(&grant(), |grant| {
        grant.not_after_us = grant.not_before_us + longest;
    });
    let long = refused(&grant(), |grant: &mut pb::Grant| {
        grant.not_after_us = grant.not_before_us + longest + 1;
    });
    assert_eq!(
        (long.field, long.code()),
        ("not_after_us", ErrorCode::TermTooLong)
    );
}

/// Leaving it out is the one way to allow nothing, and there is a ceiling.
#[test]
fn a_privacy_budget_is_left_out_or_within_its_bounds() {
    for wrong in [0, 1_000_000_001, u64::MAX] {
        let named = field(|grant| grant.quotas[0].rho_total_micro = Some(wrong));
        assert_eq!(named, "quotas.rho_total_micro", "{wrong}");
    }
    accepted::<pb::Grant, Grant>(&grant(), |grant| {
        grant.quotas[0].rho_total_micro = Some(1_000_000_000);
    });
}
