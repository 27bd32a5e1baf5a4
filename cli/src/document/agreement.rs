//! `agreement.toml` (授权协议): its mandatory terms, signed by operating agency and licensee, then filed.

use std::path::Path;

use lingqu_core::agreement::{AGREEMENT_TYPE, Agreement, Terms};
use lingqu_core::application::{APPLICATION_TYPE, Application};
use lingqu_core::grant::{GRANT_TYPE, Grant, GrantKind};
use lingqu_core::{CaseId, PartyId};
use lingqu_proto::open;
use serde::{Deserialize, Serialize};

use super::pinned::Pin;
use super::text::{Instant, Text};
use super::{Document, DocumentRefused};

/// The schema.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgreementToml {
    /// The case, `case_…`.
    case: Text<CaseId>,
    /// From 1; each renewal counts on. Default 1.
    #[serde(default = "first")]
    round: u32,
    /// The application that was reviewed: its digest, or `@application.env`.
    application: Pin,
    /// For a renewal: the agreement that it renews, its digest or `@agreement.env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Pin>,
    /// `scenario` or `catalog`.
    kind: KindToml,
    /// The operating agency.
    agency: Text<PartyId>,
    /// The licensee.
    licensee: Text<PartyId>,
    /// 授权期限: its first instant, `YYYY-MM-DD` (midnight of UTC+8) or `YYYY-MM-DDThh:mm:ssZ`.
    not_before: Instant,
    /// 授权期限: the first instant after it; at most five years later.
    not_after: Instant,
    /// 授权范围.
    #[serde(default)]
    scope: String,
    /// 数据处理要求.
    #[serde(default)]
    processing: String,
    /// 收益分配模式; not needed in a catalog agreement.
    #[serde(default)]
    revenue_mode: String,
    /// 收益计算方法; not needed in a catalog agreement.
    #[serde(default)]
    revenue_method: String,
    /// 数据安全要求.
    #[serde(default)]
    security: String,
    /// 期限届满后资产处置.
    #[serde(default)]
    disposal: String,
    /// 违约责任.
    #[serde(default)]
    breach: String,
    /// Version of the reference text that it follows. Default none.
    #[serde(default)]
    template: String,
    /// For a scenario: the grant that is signed and filed with it, its digest or `@grant.env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant: Option<Pin>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KindToml {
    Catalog,
    Scenario,
}

fn first() -> u32 {
    1
}

impl Document for Agreement {
    type Written = AgreementToml;

    fn from_written(written: AgreementToml, base: &Path) -> Result<Self, DocumentRefused> {
        let case = &written.case.0;
        let applied = |envelope: &_| {
            open::<Application>(envelope).is_ok_and(|application| application.case == *case)
        };
        let agreed = |envelope: &_| {
            open::<Agreement>(envelope).is_ok_and(|agreement| agreement.case == *case)
        };
        let granted = |envelope: &_| {
            open::<Grant>(envelope).is_ok_and(|grant| grant.licensee == written.licensee.0)
        };
        let previous = written.previous.as_ref();
        let grant = written.grant.as_ref();
        Ok(Agreement {
            application: written.application.resolve(
                "application",
                base,
                APPLICATION_TYPE,
                applied,
            )?,
            previous: previous
                .map(|pin| pin.resolve("previous", base, AGREEMENT_TYPE, agreed))
                .transpose()?,
            grant: grant
                .map(|pin| pin.resolve("grant", base, GRANT_TYPE, granted))
                .transpose()?,
            case: written.case.0.clone(),
            round: written.round,
            kind: written.kind.into(),
            agency: written.agency.0,
            licensee: written.licensee.0.clone(),
            not_before: written.not_before.0,
            not_after: written.not_after.0,
            terms: Terms {
                scope: written.scope,
                processing: written.processing,
                revenue_mode: written.revenue_mode,
                revenue_method: written.revenue_method,
                security: written.security,
                disposal: written.disposal,
                breach: written.breach,
            },
            template: written.template,
        })
    }

    fn to_written(&self) -> AgreementToml {
        let terms = self.terms.clone();
        AgreementToml {
            case: Text(self.case.clone()),
            round: self.round,
            application: Pin::Digest(self.application),
            previous: self.previous.map(Pin::Digest),
            kind: self.kind.into(),
            agency: Text(self.agency.clone()),
            licensee: Text(self.licensee.clone()),
            not_before: Instant(self.not_before),
            not_after: Instant(self.not_after),
            scope: terms.scope,
            processing: terms.processing,
            revenue_mode: terms.revenue_mode,
            revenue_method: terms.revenue_method,
            security: terms.security,
            disposal: terms.disposal,
            breach: terms.breach,
            template: self.template.clone(),
            grant: self.grant.map(Pin::Digest),
        }
    }
}

impl From<KindToml> for GrantKind {
    fn from(kind: KindToml) -> GrantKind {
        match kind {
            KindToml::Catalog => GrantKind::Catalog,
            KindToml::Scenario => GrantKind::Scenario,
        }
    }
}

impl From<GrantKind> for KindToml {
    fn from(kind: GrantKind) -> KindToml {
        match kind {
            GrantKind::Catalog => KindToml::Catalog,
            GrantKind::Scenario => KindToml::Scenario,
        }
    }
}
