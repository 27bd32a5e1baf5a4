//! The e-credential (电子凭证) of a catalog authorisation: six fields that anybody checks offline.

use lingqu_tlog::Hash;

use crate::{CaseId, CoordinatorId, PartyId, Timestamp};

/// Payload type of a credential's envelope.
pub const CREDENTIAL_TYPE: &str = "lingqu.v1.Credential";

/// The six fields, all mandatory, and what they rest on. Signed by the coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// 授权编号: the number under which the agreement is filed.
    pub number: String,
    /// 被授权主体名称.
    pub holder_name: String,
    /// 授权范围.
    pub scope: String,
    /// 授权期限: its first instant.
    pub not_before: Timestamp,
    /// 授权期限: the first instant after it.
    pub not_after: Timestamp,
    /// 发证部门.
    pub issued_by: String,
    /// 发证日期.
    pub issued: Timestamp,
    /// The party that is named.
    pub holder: PartyId,
    /// The case.
    pub case: CaseId,
    /// Digest of the agreement; there is one credential for each.
    pub agreement: Hash,
    /// Who signed the credential.
    pub coordinator: CoordinatorId,
}

/// What a credential is worth at an instant, as far as it says itself. Whether it was ended early, the coordinator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// The term is over.
    Expired,
    /// The term has not begun.
    NotYetValid,
    /// Within the term.
    Valid,
}

impl Validity {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Validity::Expired => "EXPIRED",
            Validity::NotYetValid => "NOT_YET_VALID",
            Validity::Valid => "VALID",
        }
    }
}

impl Credential {
    /// Its validity at `now`, to the microsecond.
    pub fn validity(&self, now: Timestamp) -> Validity {
        if now < self.not_before {
            Validity::NotYetValid
        } else if now < self.not_after {
            Validity::Valid
        } else {
            Validity::Expired
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// expired to the second.
    #[test]
    fn a_credential_expires_at_its_instant() {
        let credential = Credential {
            number: "2026-000001".into(),
            holder_name: "惠启".into(),
            scope: "开发目录".into(),
            not_before: Timestamp::from_unix_s(100),
            not_after: Timestamp::from_unix_s(200),
            issued_by: "桂云".into(),
            issued: Timestamp::from_unix_s(90),
            holder: "party_b".parse().unwrap(),
            case: "case_1".parse().unwrap(),
            agreement: Hash([1; 32]),
            coordinator: "coord_c".parse().unwrap(),
        };
        for (unix_s, validity) in [
            (99, Validity::NotYetValid),
            (100, Validity::Valid),
            (199, Validity::Valid),
            (200, Validity::Expired),
        ] {
            assert_eq!(
                credential.validity(Timestamp::from_unix_s(unix_s)),
                validity
            );
        }
    }
}
