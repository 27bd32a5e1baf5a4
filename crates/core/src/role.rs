//! The roles of the regulations. A party holds one or more; the registry fixes them at enrolment.

use std::fmt;
use std::str::FromStr;

/// What a party is in authorised operation (003 附件1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// 目录授权经营主体: may view and promote the catalog, never call.
    CatalogLicensee,
    /// 数源单位: runs a node, signs what may be done with its data.
    DataSourceUnit,
    /// 实施机构.
    ImplementingAgency,
    /// 运营机构: registers products, reviews applicants, executes withdrawals.
    OperatingAgency,
    /// 数据主管部门、网信、公安 and others: follows the call audit of its region.
    Regulator,
    /// 场景授权经营主体: calls products.
    ScenarioLicensee,
    /// 第三方核验机构.
    Verifier,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 7] = [
        Role::CatalogLicensee,
        Role::DataSourceUnit,
        Role::ImplementingAgency,
        Role::OperatingAgency,
        Role::Regulator,
        Role::ScenarioLicensee,
        Role::Verifier,
    ];

    /// The word in configuration, on the command line and in `network.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::CatalogLicensee => "catalog_licensee",
            Role::DataSourceUnit => "data_source_unit",
            Role::ImplementingAgency => "implementing_agency",
            Role::OperatingAgency => "operating_agency",
            Role::Regulator => "regulator",
            Role::ScenarioLicensee => "scenario_licensee",
            Role::Verifier => "verifier",
        }
    }
}

/// A word that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role")]
pub struct RoleUnknown(pub String);

impl FromStr for Role {
    type Err = RoleUnknown;

    fn from_str(word: &str) -> Result<Self, RoleUnknown> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or_else(|| RoleUnknown(word.to_owned()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
