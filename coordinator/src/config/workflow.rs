//! How applications for authorisation are handled: the calendar, the checklists, who organises reviews.

use std::collections::BTreeSet;

use lingqu_core::{PartyId, Region, Timestamp};
use serde::{Deserialize, Deserializer};

use super::{ConfigError, parsed};

/// Most entries of a table that people write.
const ENTRIES_MAX: usize = 4_096;

/// `[workflow]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkflowConfig {
    /// Holidays that fall on working days, `YYYY-MM-DD`; default none. Saturdays and Sundays need not be listed. Enter
    /// each year's table before the year begins (D-02).
    #[serde(deserialize_with = "days")]
    pub holidays: BTreeSet<i64>,
    /// Saturdays and Sundays that are worked in exchange (调休), `YYYY-MM-DD`; default none.
    #[serde(deserialize_with = "days")]
    pub workdays: BTreeSet<i64>,
    /// Working days for notice and review, the day of acceptance not counted; default 3,
    /// at most 60.
    pub review_days: u32,
    /// Items that an application for catalog authorisation must have; default those of 003 Art. 9.
    pub materials_catalog: Vec<String>,
    /// Items that an application for scenario authorisation must have; default those of 003 Art. 11.
    pub materials_scenario: Vec<String>,
    /// 发证部门 on e-credentials; default the name of the case's operating agency.
    pub issuing_department: String,
    /// Which party is the data bureau of a region. Where none is listed, it is the only enrolled regulator of exactly
    /// that region, if there is only one.
    pub bureaus: Vec<Bureau>,
    /// Refuse to file grants that come from no case; default `false`. The signatures that a grant needs are the same
    /// either way.
    pub grants_need_case: bool,
    /// Open cases of one applicant; default 64.
    pub cases_open_max: u64,
    /// Cases that one applicant may open in a day (UTC+8); default 128.
    pub cases_day_max: u64,
    /// Cases in one page of a list; default 200, at most 1,000.
    pub page_max: u32,
}

/// The data bureau of one region.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bureau {
    /// Division code.
    #[serde(deserialize_with = "parsed")]
    pub region: Region,
    /// The bureau.
    #[serde(deserialize_with = "parsed")]
    pub party: PartyId,
}

impl Default for WorkflowConfig {
    fn default() -> Self {
        let standing = [
            "ORGANISATION",
            "LEGAL_REPRESENTATIVE",
            "STANDING_NO_MAJOR_VIOLATION",
            "STANDING_NOT_DISHONEST_DEBTOR",
            "STANDING_NO_MAJOR_TAX_OFFENCE",
            "STANDING_NOT_SERIOUSLY_DISHONEST",
            "STANDING_NOT_ABNORMAL_OPERATION",
        ];
        let scenario = [
            "CAPABILITY",
            "SECURITY_OFFICER",
            "SECURITY_DEPARTMENT",
            "POLICY_INTERNAL_MANAGEMENT",
            "POLICY_SECURITY",
            "DESIGN",
        ];
        let owned = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        WorkflowConfig {
            holidays: BTreeSet::new(),
            workdays: BTreeSet::new(),
            review_days: 3,
            materials_catalog: owned(&[&standing[..], &["INTENDED_USE"]].concat()),
            materials_scenario: owned(&[&standing[..], &scenario].concat()),
            issuing_department: String::new(),
            bureaus: Vec::new(),
            grants_need_case: false,
            cases_open_max: 64,
            cases_day_max: 128,
            page_max: 200,
        }
    }
}

impl WorkflowConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let tables = [
            ("workflow.holidays", self.holidays.len()),
            ("workflow.workdays", self.workdays.len()),
            ("workflow.bureaus", self.bureaus.len()),
        ];
        if let Some((name, _)) = tables.into_iter().find(|(_, len)| *len > ENTRIES_MAX) {
            return Err(ConfigError::Bound(name));
        }
        // A day cannot be both; which one was meant must not depend on the program.
        if !self.holidays.is_disjoint(&self.workdays) {
            return Err(ConfigError::Bound("workflow.holidays, workflow.workdays"));
        }
        if !(1..=60).contains(&self.review_days) {
            return Err(ConfigError::Bound("workflow.review_days"));
        }
        if !(1..=1_000).contains(&self.page_max) {
            return Err(ConfigError::Bound("workflow.page_max"));
        }
        if self.cases_open_max == 0 || self.cases_day_max == 0 {
            return Err(ConfigError::Bound(
                "workflow.cases_open_max, workflow.cases_day_max",
            ));
        }
        // It stands on every credential, and a credential with a text that nobody accepts would be none.
        let department = &self.issuing_department;
        if department.len() > 256 || department.chars().any(char::is_control) {
            return Err(ConfigError::Bound("workflow.issuing_department"));
        }
        let regions: BTreeSet<&Region> = self.bureaus.iter().map(|bureau| &bureau.region).collect();
        if regions.len() != self.bureaus.len() {
            return Err(ConfigError::Bound("workflow.bureaus"));
        }
        Ok(())
    }
}

/// Days since 1970-01-01, each written `YYYY-MM-DD`.
fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<i64>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let day = |text: &String| match text.parse::<Timestamp>() {
        Ok(midnight) if text.len() == 10 => Ok(midnight.day_utc8()),
        Ok(_) | Err(_) => Err(serde::de::Error::custom("expected `YYYY-MM-DD`")),
    };
    texts.iter().map(day).collect()
}
