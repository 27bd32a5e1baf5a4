//! The case (案件): one application for authorisation and every act on it, as a state machine written as a table.
//!
//! States only go forward; the one way back, from RETURNED to SUBMITTED, is the single supplement that the regulations
//! foresee, and a filed case is filed again when it is renewed. Acts are signed objects of the party that acts; this
//! file says which act may follow which, whoever stores them. Who may act is checked against the case itself.

use std::fmt;
use std::str::FromStr;

use lingqu_tlog::Hash;

use crate::grant::GrantKind;
use crate::{CaseId, PartyId, Timestamp};

/// Payload type of the envelope of an act on a case.
pub const CASE_ACT_TYPE: &str = "lingqu.v1.CaseAct";
/// Payload type of an opinion's envelope.
pub const OPINION_TYPE: &str = "lingqu.v1.Opinion";

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $refused:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal, $zh:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every one.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// The word of the regulations.
            pub const fn zh(self) -> &'static str {
                match self { $($name::$variant => $zh,)* }
            }
        }

        /// A text that is none of the words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[error("not one of the words of a case")]
        pub struct $refused;

        impl FromStr for $name {
            type Err = $refused;

            fn from_str(word: &str) -> Result<Self, $refused> {
                $name::ALL.iter().copied().find(|known| known.as_str() == word).ok_or($refused)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Where a case stands.
    State, StateUnknown {
        /// Every opinion agrees; the agency is to propose the agreement.
        Agreement = "AGREEMENT", "协议拟定";
        /// Implementing agency and units give their opinions (复审).
        ComplianceReview = "COMPLIANCE_REVIEW", "合规性审核";
        /// The agreement is filed; what it allows begins here and not before.
        Filed = "FILED", "已备案";
        /// The material is complete; the operating agency reviews (初审).
        InitialReview = "INITIAL_REVIEW", "初审";
        /// Not supplemented in time. Never stored: it follows from RETURNED and the date in the notice.
        Lapsed = "LAPSED", "已失效";
        /// Refused; the case is over.
        Rejected = "REJECTED", "不予通过";
        /// Filed, and a renewal is being signed; what was filed goes on meanwhile.
        Renewing = "RENEWING", "续签签署";
        /// The applicant is to supplement (一次性告知).
        Returned = "RETURNED", "补正";
        /// The agreement is being signed.
        Signing = "SIGNING", "签署";
        /// Received; the acceptance day is set.
        Submitted = "SUBMITTED", "已提交";
        /// A catalog authorisation that the agency ended.
        Terminated = "TERMINATED", "已终止";
        /// Taken back by the applicant.
        Withdrawn = "WITHDRAWN", "已撤回";
    }
}

words! {
    /// What a party does in a case.
    Action, ActionUnknown {
        /// The material is complete (受理).
        Accept = "ACCEPT", "受理";
        /// Submit, or supplement.
        Apply = "APPLY", "申请";
        /// File what everybody signed (备案).
        File = "FILE", "备案";
        /// Give an opinion in the compliance review.
        Opine = "OPINE", "出具意见";
        /// Pass the initial review (初审通过).
        Pass = "PASS", "初审通过";
        /// Propose the agreement, and for a scenario the grant; also to renew.
        Propose = "PROPOSE", "拟定协议";
        /// Refuse; in a renewal, give the renewal up.
        Reject = "REJECT", "不予通过";
        /// Name everything that is missing, once (一次性告知).
        Return = "RETURN", "一次性告知";
        /// Add a signature.
        Sign = "SIGN", "签署";
        /// End a filed catalog authorisation.
        Terminate = "TERMINATE", "终止";
        /// Take the application back.
        Withdraw = "WITHDRAW", "撤回";
    }
}

words! {
    /// What a reviewer says.
    Stance, StanceUnknown {
        /// Agrees.
        Agree = "AGREE", "同意";
        /// Does not; this alone keeps the case from going on.
        Disagree = "DISAGREE", "不同意";
    }
}

/// Whose act it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The operating agency that the application names.
    Agency,
    /// The applicant.
    Applicant,
    /// A party whose opinion the compliance review needs.
    Reviewer,
    /// A party whose signature the agreement or the grant needs.
    Signer,
}

/// One row: in this state this act of this party leads there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before; none before the first application.
    pub from: Option<State>,
    /// The act.
    pub action: Action,
    /// Whose act it is.
    pub actor: Actor,
    /// Which kind of case; none for both.
    pub kind: Option<GrantKind>,
    /// The state after. Opinions and signatures reach theirs with the last one that is needed and leave the state as it
    /// is before.
    pub to: State,
}

const fn row(from: State, action: Action, actor: Actor, to: State) -> Transition {
    Transition {
        from: Some(from),
        action,
        actor,
        kind: None,
        to,
    }
}

const fn only(kind: GrantKind, row: Transition) -> Transition {
    Transition {
        kind: Some(kind),
        ..row
    }
}

/// The table. Whatever is not in it is `ILLEGAL_TRANSITION`.
pub const TABLE: &[Transition] = {
    use Action as A;
    use Actor::{Agency, Applicant, Reviewer, Signer};
    use GrantKind::{Catalog, Scenario};
    use State as S;
    &[
        Transition {
            from: None,
            action: A::Apply,
            actor: Applicant,
            kind: None,
            to: S::Submitted,
        },
        row(S::Submitted, A::Return, Agency, S::Returned),
        row(S::Submitted, A::Accept, Agency, S::InitialReview),
        row(S::Submitted, A::Reject, Agency, S::Rejected),
        row(S::Submitted, A::Withdraw, Applicant, S::Withdrawn),
        row(S::Returned, A::Apply, Applicant, S::Submitted),
        row(S::Returned, A::Withdraw, Applicant, S::Withdrawn),
        only(
            Scenario,
            row(S::InitialReview, A::Pass, Agency, S::ComplianceReview),
        ),
        // A catalog authorisation covers metadata and samples only: the agency alone reviews it (003 Art. 10).
        only(
            Catalog,
            row(S::InitialReview, A::Pass, Agency, S::Agreement),
        ),
        row(S::InitialReview, A::Reject, Agency, S::Rejected),
        row(S::InitialReview, A::Withdraw, Applicant, S::Withdrawn),
        row(S::ComplianceReview, A::Opine, Reviewer, S::Agreement),
        row(S::ComplianceReview, A::Reject, Agency, S::Rejected),
        row(S::ComplianceReview, A::Withdraw, Applicant, S::Withdrawn),
        row(S::Agreement, A::Propose, Agency, S::Signing),
        row(S::Agreement, A::Reject, Agency, S::Rejected),
        row(S::Agreement, A::Withdraw, Applicant, S::Withdrawn),
        only(Scenario, row(S::Signing, A::Sign, Signer, S::Signing)),
        // The credential is made when the second signature is stored, so nothing is left to ask for.
        only(Catalog, row(S::Signing, A::Sign, Signer, S::Filed)),
        only(Scenario, row(S::Signing, A::File, Agency, S::Filed)),
        // What was proposed cannot be changed once it is signed; it can be given up.
        row(S::Signing, A::Reject, Agency, S::Rejected),
        row(S::Signing, A::Withdraw, Applicant, S::Withdrawn),
        row(S::Filed, A::Propose, Agency, S::Renewing),
        only(Catalog, row(S::Filed, A::Terminate, Agency, S::Terminated)),
        only(Scenario, row(S::Renewing, A::Sign, Signer, S::Renewing)),
        only(Catalog, row(S::Renewing, A::Sign, Signer, S::Filed)),
        only(Scenario, row(S::Renewing, A::File, Agency, S::Filed)),
        row(S::Renewing, A::Reject, Agency, S::Filed),
        only(
            Catalog,
            row(S::Renewing, A::Terminate, Agency, S::Terminated),
        ),
    ]
};

/// The row for `action` in the state `from`, if there is one.
pub fn transition(
    from: Option<State>,
    action: Action,
    kind: GrantKind,
) -> Option<&'static Transition> {
    TABLE.iter().find(|row| {
        row.from == from && row.action == action && row.kind.is_none_or(|only| only == kind)
    })
}

impl State {
    /// Whether the case is still being worked on: it counts towards its applicant's limit.
    pub const fn is_open(self) -> bool {
        match self {
            State::Agreement
            | State::ComplianceReview
            | State::InitialReview
            | State::Returned
            | State::Signing
            | State::Submitted => true,
            State::Filed
            | State::Lapsed
            | State::Rejected
            | State::Renewing
            | State::Terminated
            | State::Withdrawn => false,
        }
    }

    /// Whether the operating agency's three working days run.
    pub const fn is_timed(self) -> bool {
        matches!(self, State::InitialReview | State::Submitted)
    }
}

/// A signed act that says no more than this: accept, file, pass, reject, return, terminate, withdraw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseAct {
    /// The case.
    pub case: CaseId,
    /// Digest of what the act is about: the application, or the agreement once one is proposed. An act on an earlier
    /// submission or round can therefore not be replayed on a later one.
    pub basis: Hash,
    /// What is done.
    pub action: Action,
    /// Who does it.
    pub by: PartyId,
    /// Why. Mandatory to reject and to terminate.
    pub reason: String,
    /// For a notice: everything that is missing.
    pub missing: Vec<String>,
    /// For a notice: the first instant at which it is too late to supplement.
    pub supplement_due: Option<Timestamp>,
    /// When it was signed.
    pub issued: Timestamp,
}

/// What one reviewer says about one application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// The case.
    pub case: CaseId,
    /// Digest of the application that was read.
    pub application: Hash,
    /// The reviewer.
    pub by: PartyId,
    /// What it says.
    pub stance: Stance,
    /// Why; mandatory to disagree.
    pub reason: String,
    /// When it was signed.
    pub issued: Timestamp,
}

#[cfg(test)]
mod tests;
