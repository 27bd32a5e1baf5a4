//! The roles of a party.

use lingqu_core::Role;

use super::FieldInvalid;
use super::field::{distinct, list, refuse};
use crate::pb;

/// The role with this number.
///
/// # Errors
/// [`FieldInvalid`] for `ROLE_UNSPECIFIED` and unknown numbers.
pub fn role_from_pb(number: i32) -> Result<Role, FieldInvalid> {
    match pb::Role::try_from(number) {
        Ok(pb::Role::CatalogLicensee) => Ok(Role::CatalogLicensee),
        Ok(pb::Role::DataSourceUnit) => Ok(Role::DataSourceUnit),
        Ok(pb::Role::ImplementingAgency) => Ok(Role::ImplementingAgency),
        Ok(pb::Role::OperatingAgency) => Ok(Role::OperatingAgency),
        Ok(pb::Role::Regulator) => Ok(Role::Regulator),
        Ok(pb::Role::ScenarioLicensee) => Ok(Role::ScenarioLicensee),
        Ok(pb::Role::Verifier) => Ok(Role::Verifier),
        Ok(pb::Role::Unspecified) | Err(_) => refuse("roles", "is unspecified or unknown"),
    }
}

/// The roles with these numbers, each named once; may be empty.
///
/// # Errors
/// [`FieldInvalid`] as [`role_from_pb`], or when a role is named twice.
pub fn roles_from_pb(numbers: &[i32]) -> Result<Vec<Role>, FieldInvalid> {
    let roles = list("roles", numbers.to_vec(), role_from_pb)?;
    distinct("roles", &roles)?;
    Ok(roles)
}

/// The role for the wire.
pub fn role_to_pb(role: Role) -> pb::Role {
    match role {
        Role::CatalogLicensee => pb::Role::CatalogLicensee,
        Role::DataSourceUnit => pb::Role::DataSourceUnit,
        Role::ImplementingAgency => pb::Role::ImplementingAgency,
        Role::OperatingAgency => pb::Role::OperatingAgency,
        Role::Regulator => pb::Role::Regulator,
        Role::ScenarioLicensee => pb::Role::ScenarioLicensee,
        Role::Verifier => pb::Role::Verifier,
    }
}
