//! Every enum: unspecified and unknown numbers are refused, all others go there and back.

use std::collections::BTreeSet;

use lingqu_core::Role;
use lingqu_core::grant::Environment;
use lingqu_core::receipt::Level;

use super::objects;
use super::refused;
use crate::{
    Verdict, environment_from_pb, environment_to_pb, level_from_pb, level_to_pb, pb, role_from_pb,
    role_to_pb, roles_from_pb, verdict_from_pb, verdict_to_pb,
};

/// No message defines these numbers.
const UNKNOWN: [i32; 4] = [0, -1, 99, i32::MAX];

#[test]
fn unspecified_and_unknown_numbers_are_refused() {
    for number in UNKNOWN {
        assert_eq!(
            environment_from_pb(number).unwrap_err().field,
            "environment"
        );
        assert_eq!(role_from_pb(number).unwrap_err().field, "roles");
        assert_eq!(verdict_from_pb(number).unwrap_err().field, "verdict");
        assert_eq!(level_from_pb(number).unwrap_err().field, "level");
        let product = |change: fn(&mut pb::Product, i32)| {
            refused(&objects::product(), |product| change(product, number)).field
        };
        assert_eq!(product(|product, number| product.kind = number), "kind");
        assert_eq!(product(|product, number| product.tier = number), "tier");
        let grant = |change: fn(&mut pb::Grant, i32)| {
            refused(&objects::grant(), |grant| change(grant, number)).field
        };
        assert_eq!(grant(|grant, number| grant.kind = number), "kind");
        assert_eq!(
            grant(|grant, number| grant.environments[1] = number),
            "environments"
        );
    }
}

#[test]
fn numbers_go_there_and_back() {
    for environment in [Environment::Test, Environment::ProdDebug, Environment::Prod] {
        let wire = environment_to_pb(environment);
        assert_eq!(
            wire.as_str_name(),
            format!("ENVIRONMENT_{}", environment.as_str())
        );
        assert_eq!(environment_from_pb(wire.into()), Ok(environment));
    }
    for role in Role::ALL {
        let wire = role_to_pb(role);
        assert_eq!(
            wire.as_str_name(),
            format!("ROLE_{}", role.as_str().to_uppercase())
        );
        assert_eq!(role_from_pb(wire.into()), Ok(role));
    }
    for level in [Level::Local, Level::Mirrored, Level::Witnessed] {
        assert_eq!(level_from_pb(level_to_pb(level).into()), Ok(level));
    }
    let mut bytes = BTreeSet::new();
    for verdict in Verdict::ALL {
        let wire = verdict_to_pb(verdict);
        assert_eq!(wire.as_str_name(), format!("VERDICT_{verdict}"));
        assert_eq!(verdict_from_pb(wire.into()), Ok(verdict));
        // The record's commitment and the wire agree on the number.
        assert_eq!(i32::from(verdict.answer_byte()), i32::from(wire));
        assert!(bytes.insert(verdict.answer_byte()));
    }
}

#[test]
fn roles_are_named_once() {
    assert_eq!(roles_from_pb(&[]), Ok(vec![]));
    assert_eq!(
        roles_from_pb(&[6, 1]),
        Ok(vec![Role::Regulator, Role::DataSourceUnit])
    );
    assert_eq!(
        roles_from_pb(&[6, 6]).unwrap_err().reason,
        "names something twice"
    );
    assert_eq!(
        roles_from_pb(&[6, 0]).unwrap_err().reason,
        "is unspecified or unknown"
    );
}
