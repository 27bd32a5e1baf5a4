//! Trust for offline checks: which logs and cosigners a reader believes, in the text form of C2SP's tlog-policy.
//!
//! ```text
//! log <vkey>
//! witness <name> <vkey>
//! quorum <name> | none
//! ```
//!
//! Supported here: `log`, `witness`, and a quorum of one named witness or `none`. A `group` line is refused, never
//! ignored: dropping one would weaken what its author asked for.

use lingqu_tlog::{KeyKind, Suite, VerifierKey};

/// The keys that a reader believes.
#[derive(Clone, Debug)]
pub struct Trust<S: Suite> {
    /// Keys of the streams, named by their origin.
    pub logs: Vec<VerifierKey<S>>,
    /// Keys of mirrors and witnesses, with the names the file gives them.
    pub witnesses: Vec<(String, VerifierKey<S>)>,
    /// The witness without whose cosignature nothing is believed; none when the file says `quorum none`.
    pub quorum: Option<String>,
}

/// Why a trust file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("trust file, line {line}: {reason}")]
pub struct TrustRefused {
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl<S: Suite> Trust<S> {
    /// The same keys without the demand for a cosignature: for records whose unit lets answers leave before the mirror
    /// has them.
    #[must_use]
    pub fn without_quorum(&self) -> Self {
        Trust {
            quorum: None,
            ..self.clone()
        }
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, TrustRefused> {
        let mut trust = Trust {
            logs: Vec::new(),
            witnesses: Vec::new(),
            quorum: None,
        };
        let mut quorum_seen = false;
        for (number, line) in text.lines().enumerate() {
            let refused = |reason| TrustRefused {
                line: number + 1,
                reason,
            };
            let words: Vec<&str> = line
                .split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect();
            match words.as_slice() {
                [] => {}
                ["log", key] | ["log", key, _] => {
                    trust
                        .logs
                        .push(parse(key, KeyKind::Note).ok_or(refused("not a log's key"))?);
                }
                ["witness", name, key] | ["witness", name, key, _] => {
                    let key =
                        parse(key, KeyKind::Cosignature).ok_or(refused("not a cosigner's key"))?;
                    trust.witnesses.push(((*name).to_owned(), key));
                }
                ["quorum", _] if quorum_seen => return Err(refused("a second quorum")),
                ["quorum", "none"] => quorum_seen = true,
                ["quorum", name] if trust.witnesses.iter().any(|(known, _)| known == name) => {
                    trust.quorum = Some((*name).to_owned());
                    quorum_seen = true;
                }
                ["quorum", _] => return Err(refused("the quorum names no witness above it")),
                ["group", ..] => return Err(refused("groups are not supported")),
                _ => return Err(refused("expected `log`, `witness` or `quorum`")),
            }
        }
        if !quorum_seen {
            return Err(TrustRefused {
                line: 0,
                reason: "there is no quorum line",
            });
        }
        Ok(trust)
    }
}

/// A key of the kind that its line is for: a log's signature and a cosignature say different things.
fn parse<S: Suite>(key: &str, kind: KeyKind) -> Option<VerifierKey<S>> {
    key.parse()
        .ok()
        .filter(|key: &VerifierKey<S>| key.kind() == kind)
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
        assert_eq!(
            (
                trust.logs.len(),
                trust.witnesses.len(),
                trust.quorum.as_deref()
            ),
            (1, 1, Some("mirror"))
        );
    }

    #[test]
    fn what_would_weaken_it_is_refused() {
        for (from, to) in [
            ("quorum mirror", "quorum other"),
            ("quorum mirror", "group g 1 mirror\nquorum g"),
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
