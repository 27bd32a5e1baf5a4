//! Trust for offline checks: which logs and cosigners a reader believes, in the text form of C2SP's tlog-policy.
//!
//! ```text
//! log <vkey>
//! witness <name> <vkey>
//! group <name> all|any|<number> <name>...
//! quorum <name> | none
//! ```
//!
//! The logs of one file are all judged by its quorum. Streams are cosigned by mirrors and head logs by witnesses, so the
//! two have files of their own.

use std::collections::BTreeMap;

use lingqu_tlog::{
    Cosigned, KeyKind, NotAccepted, Note, Policy, PolicyRefused, Suite, VerifierKey,
};

use crate::PartyId;

/// The keys that a reader believes.
#[derive(Clone, Debug)]
pub struct Trust<S: Suite> {
    policy: Policy<S>,
    /// Whether the file's quorum is asked for; what it says about the level of a record holds in any case.
    demanded: bool,
    /// Approval keys of units, by which the orders that end their streams are checked.
    units: BTreeMap<PartyId, Vec<u8>>,
}

/// Why a trust file is refused.
pub type TrustRefused = PolicyRefused;

impl<S: Suite> Trust<S> {
    /// Reads the text form.
    ///
    /// # Errors
    /// [`TrustRefused`] names the line. Nothing is passed over: dropping a line would weaken what its author asked for.
    pub fn parse(text: &str) -> Result<Self, TrustRefused> {
        let policy = Policy::parse(text)?;
        Ok(Trust {
            policy,
            demanded: true,
            units: BTreeMap::new(),
        })
    }

    /// Belief in these logs alone, without any cosigner.
    ///
    /// # Errors
    /// [`TrustRefused`] when two keys have one name, or one is a cosigner's.
    pub fn of_logs(keys: &[VerifierKey<S>]) -> Result<Self, TrustRefused> {
        let lines: String = keys.iter().map(|key| format!("log {key}\n")).collect();
        Trust::parse(&format!("{lines}quorum none\n"))
    }

    /// The same keys without the demand for a cosignature: for records whose unit lets answers leave before the mirror
    /// has them.
    #[must_use]
    pub fn without_quorum(&self) -> Self {
        Trust {
            demanded: false,
            ..self.clone()
        }
    }

    /// The same keys with the demand for cosignatures, if the file has one.
    #[must_use]
    pub fn with_quorum(&self) -> Self {
        Trust {
            demanded: true,
            ..self.clone()
        }
    }

    /// The same, and belief in one log more: for a stream whose link to a believed one was proven
    /// ([`crate::succession::Link`]). Nothing if it has a log of that name already, or no room.
    #[must_use]
    pub fn with_log(&self, key: VerifierKey<S>) -> Option<Self> {
        Some(Trust {
            policy: self.policy.with_log(key)?,
            ..self.clone()
        })
    }

    /// The same, and the approval keys of these units.
    #[must_use]
    pub fn with_units(&self, units: BTreeMap<PartyId, Vec<u8>>) -> Self {
        Trust {
            units,
            ..self.clone()
        }
    }

    /// The approval key of a unit, if the reader has it.
    pub fn unit_key(&self, unit: &PartyId) -> Option<&[u8]> {
        self.units.get(unit).map(Vec::as_slice)
    }

    /// Whether the reader has approval keys of units.
    pub fn has_units(&self) -> bool {
        !self.units.is_empty()
    }

    /// The file's content.
    pub fn policy(&self) -> &Policy<S> {
        &self.policy
    }

    /// The key of the log with this origin.
    pub fn log(&self, origin: &str) -> Option<&VerifierKey<S>> {
        let keys = self.policy.logs().iter().map(|log| &log.key);
        let mut keys = keys.filter(|key| key.kind() == KeyKind::Note);
        keys.find(|key| key.name().as_str() == origin)
    }

    /// Whether it knows any cosigner.
    pub fn has_cosigners(&self) -> bool {
        !self.policy.witnesses().is_empty()
    }

    /// The keys that it knows.
    pub fn keys(&self) -> impl Iterator<Item = &VerifierKey<S>> {
        let logs = self.policy.logs().iter().map(|log| &log.key);
        logs.chain(self.policy.witnesses().iter().map(|witness| &witness.key))
    }

    /// The cosigners of `note`, verified, and whether they are as many as the file asks for; where it asks for none, any
    /// one is enough.
    ///
    /// # Errors
    /// [`NotAccepted`] when the quorum is demanded and not met, or a known cosigner's signature is wrong.
    pub fn cosigned(&self, note: &Note) -> Result<(Vec<Cosigned>, bool), NotAccepted> {
        let all = self.policy.without_quorum().cosigned(note)?;
        let met = match self.policy.cosigned(note) {
            Ok(cosigned) => !cosigned.is_empty(),
            Err(refused) if self.demanded => return Err(refused),
            Err(_) => false,
        };
        Ok((all, met))
    }
}

#[cfg(test)]
mod tests {
    use lingqu_tlog::{Ed25519Signer, Intl, KeyName, Signer};

    use super::*;

    fn text() -> String {
        let log = VerifierKey::<Intl>::note(
            KeyName::parse("n.example/s/1").unwrap(),
            Ed25519Signer::from_seed([1; 32]).public_key(),
        )
        .unwrap();
        let mirror = VerifierKey::<Intl>::cosignature(
            KeyName::parse("n.example/m").unwrap(),
            Ed25519Signer::from_seed([2; 32]).public_key(),
        );
        format!(
            "# comment\nlog {log}\nwitness mirror {}\nquorum mirror\n",
            mirror.unwrap()
        )
    }

    #[test]
    fn a_trust_file_reads_back() {
        let trust = Trust::<Intl>::parse(&text()).unwrap();
        let policy = trust.policy();
        assert_eq!(
            (
                policy.logs().len(),
                policy.witnesses().len(),
                policy.quorum()
            ),
            (1, 1, Some("mirror"))
        );
        assert!(trust.log("n.example/s/1").is_some());
        assert!(trust.log("n.example/s/2").is_none());
        assert_eq!(trust.keys().count(), 2);
    }

    #[test]
    fn a_group_of_mirrors_can_be_asked_for() {
        let other = VerifierKey::<Intl>::cosignature(
            KeyName::parse("o.example/m").unwrap(),
            Ed25519Signer::from_seed([3; 32]).public_key(),
        );
        let group = format!(
            "witness other {}\ngroup both all mirror other\nquorum both",
            other.unwrap()
        );
        let trust = Trust::<Intl>::parse(&text().replace("quorum mirror", &group)).unwrap();
        assert_eq!(trust.policy().quorum(), Some("both"));
    }

    #[test]
    fn what_would_weaken_it_is_refused() {
        for (from, to) in [
            ("quorum mirror", "quorum other"),
            ("quorum mirror", "group g 2 mirror\nquorum g"),
            ("quorum mirror", "group g 0 mirror\nquorum g"),
            ("quorum mirror", "quorum mirror\nquorum none"),
            ("quorum mirror\n", ""),
            ("log ", "logs "),
            ("log ", "log x"),
            ("log ", "witness other "),
            ("witness mirror ", "log "),
        ] {
            assert!(
                Trust::<Intl>::parse(&text().replace(from, to)).is_err(),
                "{to}"
            );
        }
    }
}
