//! The agreement (目录授权协议、场景授权协议) with its mandatory terms, signed by agency and licensee, then filed.

use lingqu_tlog::Hash;

use crate::grant::{GrantKind, TERM_MAX_DAYS};
use crate::{CaseId, PartyId, Timestamp};

/// Payload type of an agreement's envelope.
pub const AGREEMENT_TYPE: &str = "lingqu.v1.Agreement";

/// An agreement between operating agency and licensee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The case that it ends.
    pub case: CaseId,
    /// From 1; each renewal counts on.
    pub round: u32,
    /// Digest of the application that was reviewed.
    pub application: Hash,
    /// For a renewal: digest of the agreement that it renews.
    pub previous: Option<Hash>,
    /// Catalog or scenario.
    pub kind: GrantKind,
    /// The operating agency.
    pub agency: PartyId,
    /// The licensee.
    pub licensee: PartyId,
    /// First instant of the term (授权期限).
    pub not_before: Timestamp,
    /// First instant after the term.
    pub not_after: Timestamp,
    /// The other terms.
    pub terms: Terms,
    /// Version of the reference text that it follows, if any.
    pub template: String,
    /// For a scenario, and only for one: digest of the grant that is signed and filed with it.
    pub grant: Option<Hash>,
}

/// The terms in words. For a scenario all are mandatory; a catalog agreement shares no revenue, so its two revenue terms
/// may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// 授权范围.
    pub scope: String,
    /// 数据处理要求.
    pub processing: String,
    /// 收益分配模式.
    pub revenue_mode: String,
    /// 收益计算方法.
    pub revenue_method: String,
    /// 数据安全要求.
    pub security: String,
    /// 期限届满后资产处置.
    pub disposal: String,
    /// 违约责任.
    pub breach: String,
}

impl Agreement {
    /// Whether the term is at most five years and not empty.
    pub fn term_fits(&self) -> bool {
        let term = self.not_after.0.saturating_sub(self.not_before.0);
        term > 0 && term <= TERM_MAX_DAYS * 86_400_000_000
    }
}

impl Terms {
    /// The first mandatory term that is missing, by its name in the wire format and in the regulations.
    pub fn missing(&self, kind: GrantKind) -> Option<&'static str> {
        let always = [
            (&self.scope, "scope (授权范围)"),
            (&self.processing, "processing (数据处理要求)"),
            (&self.security, "security (数据安全要求)"),
            (&self.disposal, "disposal (期限届满后资产处置)"),
            (&self.breach, "breach (违约责任)"),
        ];
        let with_revenue = [
            (&self.revenue_mode, "revenue_mode (收益分配模式)"),
            (&self.revenue_method, "revenue_method (收益计算方法)"),
        ];
        let revenue = match kind {
            GrantKind::Catalog => &[][..],
            GrantKind::Scenario => &with_revenue,
        };
        let is_missing = |(text, _): &&(&String, &'static str)| text.trim().is_empty();
        let found = always.iter().chain(revenue).find(is_missing);
        found.map(|(_, name)| *name)
    }
}
