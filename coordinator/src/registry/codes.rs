//! One-time enrolment codes, and enrolment with one.
//!
//! A code is 160 random bits, shown once and kept as a digest. It fixes what the newcomer will be; the newcomer's
//! certificate must name the same id, and every key is entered with a proof of its possession.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::{ErrorCode, NodeId, PartyId, Region, Role, Timestamp};
use lingqu_proto::key_proof_message;
use lingqu_tlog::{Hash, Intl, Suite};
use ring::rand::{SecureRandom, SystemRandom};

use super::Registry;
use super::parties::key_digest;
use crate::config::Limits;
use crate::refusal::Refusal;
use crate::store::acts::{self, Act};
use crate::store::codes::{self, Code};
use crate::store::parties::Party;
use crate::store::{self, Writing};

/// Random bytes of a code: 160 bits.
const CODE_LEN: usize = 20;
/// Longest display name, in bytes.
const NAME_LEN_MAX: usize = 256;
/// Peers whose failures are remembered at a time.
const FAILING_PEERS_MAX: usize = 4_096;

/// What an operating agency asks a code for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewCode {
    /// Typed id of the party or node that may use it.
    pub(crate) subject: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) region: Region,
    pub(crate) unit: Option<PartyId>,
    pub(crate) display_name: String,
}

/// A key and the proof that its owner asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyProof {
    pub(crate) purpose: String,
    pub(crate) public_key: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// A newcomer's kind.
enum Newcomer {
    Node(NodeId),
    Party(PartyId),
}

impl Newcomer {
    fn read(subject: &str) -> Option<Newcomer> {
        let party = subject.parse().ok().map(Newcomer::Party);
        party.or_else(|| subject.parse().ok().map(Newcomer::Node))
    }

    /// The one use of the one key that it enters.
    fn purpose(&self) -> &'static str {
        match self {
            Newcomer::Node(_) => "log",
            Newcomer::Party(_) => "approval",
        }
    }
}

impl Registry {
    /// Issues a code; it is shown to whoever asked and to nobody again.
    ///
    /// # Errors
    /// `REQUEST_INVALID`, `REGION_FORBIDDEN` for a region outside the agency's own, `NOT_ENROLLED` for an unknown unit,
    /// `ALREADY_ENROLLED`.
    pub(crate) async fn issue_code(
        &self,
        issuer: &PartyId,
        new: NewCode,
    ) -> Result<(String, Timestamp), Refusal> {
        let _acting = self.acting().await?;
        let agency = self.actor(issuer)?;
        self.within(&agency, &new.region)?;
        self.check_new(&agency, &new)?;
        let mut secret = [0; CODE_LEN];
        SystemRandom::new()
            .fill(&mut secret)
            .map_err(|_| ErrorCode::Internal)?;
        let text = hex::encode(secret);
        let digest = code_digest(&text);
        let expires = self
            .clock
            .now()
            .plus(Duration::from_secs(self.limits.code_valid_s));
        let act = Act {
            action: "issue_code".to_owned(),
            subject: new.subject.clone(),
            digest,
            actor: issuer.to_string(),
            region: Some(new.region.clone()),
            filing_number: None,
            epoch: None,
        };
        let code = Code {
            digest,
            subject: new.subject,
            roles: new.roles,
            region: new.region,
            unit: new.unit,
            display_name: new.display_name,
            issued_by: issuer.clone(),
            expires,
            used: None,
        };
        let mut tx = self.store.begin().await?;
        codes::insert(&mut tx, &code).await?;
        acts::insert(&mut tx, &act).await?;
        self.carry_out(tx).await?;
        Ok((text, expires))
    }

    fn check_new(&self, agency: &Party, new: &NewCode) -> Result<(), Refusal> {
        let name = &new.display_name;
        if name.len() > NAME_LEN_MAX || name.chars().any(char::is_control) {
            return Err(Refusal::of(ErrorCode::RequestInvalid, "display_name"));
        }
        match Newcomer::read(&new.subject) {
            None => Err(Refusal::of(ErrorCode::RequestInvalid, "subject")),
            Some(Newcomer::Party(id)) => {
                if new.roles.is_empty() || new.unit.is_some() {
                    return Err(Refusal::of(ErrorCode::RequestInvalid, "roles"));
                }
                self.unknown(self.party(&id).is_ok())
            }
            Some(Newcomer::Node(id)) => {
                let unit = new.unit.as_ref();
                let unit = unit.ok_or(Refusal::of(ErrorCode::RequestInvalid, "unit"))?;
                if !new.roles.is_empty() {
                    return Err(Refusal::of(ErrorCode::RequestInvalid, "roles"));
                }
                let unit = self.party(unit)?;
                if !unit.roles.contains(&Role::DataSourceUnit) {
                    return Err(Refusal::of(ErrorCode::RequestInvalid, "unit"));
                }
                // A unit's nodes are sent everything that is filed for it.
                self.within(agency, &unit.region)?;
                self.unknown(self.node(&id).is_ok())
            }
        }
    }

    fn unknown(&self, is_known: bool) -> Result<(), Refusal> {
        if is_known {
            Err(ErrorCode::AlreadyEnrolled.into())
        } else {
            Ok(())
        }
    }

    /// Enrols the peer with the certificate's id `peer`. Gives the origin of its stream, for a node.
    ///
    /// # Errors
    /// `RATE_LIMITED` after too many failures; `CODE_INVALID`, `KEY_PROOF_INVALID`, `KEY_REFUSED`, `ALREADY_ENROLLED`.
    /// A refusal leaves the code as it was: the rightful newcomer can still use it.
    pub(crate) async fn enrol(
        &self,
        peer: &str,
        code: &str,
        keys: Vec<KeyProof>,
    ) -> Result<Option<String>, Refusal> {
        let now = self.clock.monotonic();
        self.failures().check(peer, now)?;
        let outcome = self.try_enrol(peer, code, keys).await;
        match &outcome {
            Ok(_) => self.failures().forget(peer),
            // What went wrong here is not the peer's failure.
            Err(refusal) if is_ours(refusal.code) => {}
            Err(_) => self.failures().count(peer, now),
        }
        outcome
    }

    async fn try_enrol(
        &self,
        peer: &str,
        text: &str,
        keys: Vec<KeyProof>,
    ) -> Result<Option<String>, Refusal> {
        let _acting = self.acting().await?;
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let code = codes::find(&mut tx, &code_digest(text)).await?;
        let revoked = Arc::clone(&self.epoch.borrow());
        let is_good = |code: &Code| {
            code.subject == peer
                && code.used.is_none()
                && now < code.expires
                // A stolen agency's codes end with it.
                && !revoked.revoked.contains(code.issued_by.as_str())
        };
        let code = code.filter(is_good).ok_or(ErrorCode::CodeInvalid)?;
        let newcomer = Newcomer::read(peer).ok_or(ErrorCode::CodeInvalid)?;
        let key = self
            .check_key(&mut tx, peer, text, newcomer.purpose(), keys)
            .await?;
        store::insert_key(&mut tx, &key, newcomer.purpose(), peer).await?;
        codes::use_up(&mut tx, &code.digest, now).await?;
        let act = Act {
            action: "enrol".to_owned(),
            subject: peer.to_owned(),
            digest: key_digest(&key),
            actor: code.issued_by.to_string(),
            region: Some(code.region.clone()),
            filing_number: None,
            epoch: None,
        };
        acts::insert(&mut tx, &act).await?;
        match newcomer {
            Newcomer::Party(id) => {
                self.enter_party(&mut tx, id, code, key, now).await?;
                self.carry_out(tx).await?;
                self.refresh().await?;
                Ok(None)
            }
            Newcomer::Node(id) => {
                let node = self.enter_node(&mut tx, id, code, key, now).await?;
                self.carry_out(tx).await?;
                // From here on the stream can be opened; the act of its enrolment is durable.
                self.register_stream(&node)?;
                self.refresh().await?;
                Ok(Some(node.origin))
            }
        }
    }

    /// The one key that is to be entered, if its signatures can mean anything, its owner holds it, and it plays no other
    /// role anywhere.
    async fn check_key(
        &self,
        tx: &mut Writing,
        id: &str,
        code: &str,
        purpose: &str,
        keys: Vec<KeyProof>,
    ) -> Result<Vec<u8>, Refusal> {
        let [proof]: [KeyProof; 1] = keys.try_into().map_err(|_| ErrorCode::KeyProofInvalid)?;
        if proof.purpose != purpose {
            return Err(ErrorCode::KeyProofInvalid.into());
        }
        Intl::admit(&proof.public_key).map_err(|_| ErrorCode::KeyRefused)?;
        let message = key_proof_message(code, id, purpose, &proof.public_key);
        if !Intl::verify(&proof.public_key, &message, &proof.signature) {
            return Err(ErrorCode::KeyProofInvalid.into());
        }
        // A log key that a stream's end has named is in the mirror's log alone.
        let is_taken = self.mirror.key_is_taken(&proof.public_key, None);
        if is_taken || store::key_owner(tx, &proof.public_key).await?.is_some() {
            return Err(ErrorCode::AlreadyEnrolled.into());
        }
        Ok(proof.public_key)
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        // Each change is one step, so the table is whole even if a holder panicked.
        self.failures
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether the refusal is for a failure of the coordinator.
fn is_ours(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::AuditUnavailable | ErrorCode::Internal)
}

/// What is stored of a code.
fn code_digest(text: &str) -> Hash {
    Intl::digest(&[b"lingqu/code\0", text.as_bytes()])
}

/// Failed enrolments by peer, so that nobody can try codes or keys without end.
#[derive(Debug)]
pub(super) struct Failures {
    max: u32,
    window: Duration,
    /// Since when, and how many.
    by_peer: HashMap<String, (Duration, u32)>,
}

impl Failures {
    pub(super) fn new(limits: &Limits) -> Failures {
        Failures {
            max: limits.enrol_failures_max,
            window: Duration::from_secs(limits.enrol_window_s),
            by_peer: HashMap::new(),
        }
    }

    fn check(&mut self, peer: &str, now: Duration) -> Result<(), ErrorCode> {
        let window = self.window;
        self.by_peer
            .retain(|_, (since, _)| now.saturating_sub(*since) < window);
        match self.by_peer.get(peer) {
            Some((_, count)) if *count >= self.max => Err(ErrorCode::RateLimited),
            // Ids come from certificates, so a full table means an authority that issues without measure.
            None if self.by_peer.len() >= FAILING_PEERS_MAX => Err(ErrorCode::RateLimited),
            _ => Ok(()),
        }
    }

    fn count(&mut self, peer: &str, now: Duration) {
        let (_, count) = self.by_peer.entry(peer.to_owned()).or_insert((now, 0));
        *count = count.saturating_add(1);
    }

    fn forget(&mut self, peer: &str) {
        self.by_peer.remove(peer);
    }
}

#[cfg(test)]
mod tests;
