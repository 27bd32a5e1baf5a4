//! Trust policies (C2SP tlog-policy): which logs and witnesses somebody believes, and how many of
//! which witnesses must have cosigned.
//!
//! Groups may contain groups; a name can be a member once, so that a witness counts in one way
//! only. Stricter than the specification: the file must be UTF-8. Laxer in one point: one key may
//! belong to several logs of different names, since a log's name is part of what it signs.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::{Checkpoint, CheckpointMalformed};
use crate::encoding;
use crate::key::{KeyKind, KeyName, VerifierKey};
use crate::note::{Note, NoteMalformed, NoteRefused};
use crate::suite::{Intl, Suite};
use crate::tlog_proof::Cosigned;

/// Largest policy file in bytes.
pub const MAX_POLICY_BYTES: usize = 4 << 20;

/// Most logs of a policy: a country's streams.
pub const MAX_POLICY_LOGS: usize = 16_384;

/// Most witnesses, and most groups, of a policy.
pub const MAX_POLICY_NAMES: usize = 256;

/// The name that stands for no witness at all.
const NONE: &str = "none";

/// A policy, as written in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy<S: Suite = Intl> {
    logs: Vec<PolicyLog<S>>,
    witnesses: Vec<PolicyWitness<S>>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A log that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog<S: Suite = Intl> {
    /// Its key; the name is the log's origin.
    pub key: VerifierKey<S>,
    /// Where it is, if the file says so.
    pub url: Option<String>,
}

/// A witness that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWitness<S: Suite = Intl> {
    /// What the file calls it.
    pub name: String,
    /// Its key.
    pub key: VerifierKey<S>,
    /// Where it is, if the file says so.
    pub url: Option<String>,
}

/// Some of several.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: String,
    at_least: usize,
    members: Vec<Member>,
}

/// A witness or a group, by its place in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// What a policy says about a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The witnesses that cosigned it, under their keys' names.
    pub cosigned: Vec<Cosigned>,
}

impl<S: Suite> Policy<S> {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyRefused`] names the line and what is wrong with it. Nothing that is not understood
    /// is passed over: it could be what its author relied on.
    pub fn parse(text: &str) -> Result<Policy<S>, PolicyRefused> {
        let at = |line, reason| PolicyRefused { line, reason };
        if text.len() > MAX_POLICY_BYTES {
            return Err(at(0, "the file is too large"));
        }
        let mut reader = Reader::default();
        let mut lines = text.split('\n').zip(1..).peekable();
        while let Some((line, number)) = lines.next() {
            if lines.peek().is_none() && !line.is_empty() {
                return Err(at(number, "the last line has no newline"));
            }
            if line.chars().any(|c| c.is_ascii_control() && c != '\t') {
                return Err(at(number, "a control character"));
            }
            reader.line(line).map_err(|reason| at(number, reason))?;
        }
        let quorum = reader.quorum.ok_or(at(0, "there is no quorum line"))?;
        Ok(Policy {
            logs: reader.logs,
            witnesses: reader.witnesses,
            groups: reader.groups,
            quorum,
        })
    }

    /// The logs.
    pub fn logs(&self) -> &[PolicyLog<S>] {
        &self.logs
    }

    /// The witnesses.
    pub fn witnesses(&self) -> &[PolicyWitness<S>] {
        &self.witnesses
    }

    /// Whether it asks for cosignatures at all.
    pub fn has_quorum(&self) -> bool {
        self.quorum.is_some()
    }

    /// The name of the witness or group that must have cosigned; `None` for `quorum none`.
    pub fn quorum(&self) -> Option<&str> {
        self.quorum.map(|member| match member {
            Member::Witness(place) => self.witnesses[place].name.as_str(),
            Member::Group(place) => self.groups[place].name.as_str(),
        })
    }

    /// The same logs and witnesses without the demand for cosignatures.
    #[must_use]
    pub fn without_quorum(&self) -> Policy<S> {
        Policy {
            quorum: None,
            ..self.clone()
        }
    }

    /// The same policy with one log more; nothing if it has a log of that name already, or no room.
    #[must_use]
    pub fn with_log(&self, key: VerifierKey<S>) -> Option<Policy<S>> {
        let is_known = self.logs.iter().any(|log| log.key.name() == key.name());
        if is_known || key.kind() != KeyKind::Note || self.logs.len() >= MAX_POLICY_LOGS {
            return None;
        }
        let mut policy = self.clone();
        policy.logs.push(PolicyLog { key, url: None });
        Some(policy)
    }

    /// Whether the witnesses with these keys, by their place in [`Policy::witnesses`], are enough.
    pub fn is_met_by(&self, cosigned: impl Fn(usize) -> bool) -> bool {
        // A group's members stand before it, so one pass knows every group.
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let has = |member: &&Member| match **member {
                Member::Witness(place) => cosigned(place),
                Member::Group(place) => groups[place],
            };
            let count = group.members.iter().filter(has).count();
            groups.push(count >= group.at_least);
        }
        match self.quorum {
            None => true,
            Some(Member::Witness(place)) => cosigned(place),
            Some(Member::Group(place)) => groups[place],
        }
    }

    /// Checks a signed checkpoint: signed by the log whose name is its origin, cosigned as the
    /// quorum demands.
    ///
    /// # Errors
    /// [`NotAccepted`] names the first thing that does not hold. A signature by a known key that
    /// does not verify refuses the whole, even if the quorum could do without it.
    pub fn check(&self, checkpoint: &str) -> Result<Accepted, NotAccepted> {
        let note = Note::parse(checkpoint)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        let keys: Vec<VerifierKey<S>> = self
            .logs
            .iter()
            .map(|log| &log.key)
            .filter(|key| key.name().as_str() == checkpoint.origin)
            .cloned()
            .collect();
        if keys.is_empty() {
            return Err(NotAccepted::UnknownLog {
                origin: checkpoint.origin,
            });
        }
        note.verify(&keys)?;
        let cosigned = self.cosigned(&note)?;
        Ok(Accepted {
            checkpoint,
            cosigned,
        })
    }

    /// The witnesses that cosigned `note`, verified; enough for the quorum.
    ///
    /// # Errors
    /// [`NotAccepted`] when they are too few, or one's cosignature does not verify.
    pub fn cosigned(&self, note: &Note) -> Result<Vec<Cosigned>, NotAccepted> {
        let keys: Vec<VerifierKey<S>> = self
            .witnesses
            .iter()
            .map(|witness| witness.key.clone())
            .collect();
        let verified = match note.verify(&keys) {
            Err(NoteRefused::NoKnownSignature) => Vec::new(),
            other => other?,
        };
        let has = |place: usize| {
            let key: &VerifierKey<S> = &self.witnesses[place].key;
            verified
                .iter()
                .any(|one| one.name == *key.name() && one.id == key.id())
        };
        if !self.is_met_by(has) {
            let quorum = self.quorum().unwrap_or(NONE).to_owned();
            return Err(NotAccepted::QuorumNotMet { quorum });
        }
        let cosigned = verified.into_iter().filter_map(|one| {
            Some(Cosigned {
                name: one.name,
                time_unix_s: one.time_unix_s?,
            })
        });
        Ok(cosigned.collect())
    }
}

/// A policy while it is read.
struct Reader<S: Suite> {
    logs: Vec<PolicyLog<S>>,
    log_names: BTreeSet<KeyName>,
    witnesses: Vec<PolicyWitness<S>>,
    groups: Vec<Group>,
    /// Every defined name, and whether it is a member of a group already.
    names: BTreeMap<String, (Member, bool)>,
    quorum: Option<Option<Member>>,
}

impl<S: Suite> Default for Reader<S> {
    fn default() -> Self {
        Reader {
            logs: Vec::new(),
            log_names: BTreeSet::new(),
            witnesses: Vec::new(),
            groups: Vec::new(),
            names: BTreeMap::new(),
            quorum: None,
        }
    }
}

impl<S: Suite> Reader<S> {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        let words: Vec<&str> = line
            .split([' ', '\t'])
            .filter(|word| !word.is_empty())
            .collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, at_least, members @ ..] => self.group(name, at_least, members),
            ["quorum", name] => self.quorum(name),
            _ => Err("expected `log`, `witness`, `group` or `quorum`"),
        }
    }

    fn log(&mut self, key: &str, url: Option<&&str>) -> Result<(), &'static str> {
        let key = parse_key(key, KeyKind::Note).ok_or("not a log's key")?;
        if self.logs.len() == MAX_POLICY_LOGS {
            return Err("too many logs");
        }
        if !self.log_names.insert(VerifierKey::name(&key).clone()) {
            return Err("a second key for the same log");
        }
        let url = url.map(|url| (*url).to_owned());
        self.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&&str>) -> Result<(), &'static str> {
        let key: VerifierKey<S> =
            parse_key(key, KeyKind::Cosignature).ok_or("not a cosigner's key")?;
        // A cosignature does not name its cosigner, so one key under two names would count twice.
        let is_known = |other: &PolicyWitness<S>| other.key.public_key() == key.public_key();
        if self.witnesses.iter().any(is_known) {
            return Err("a second witness with the same key");
        }
        self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(PolicyWitness {
            name: name.to_owned(),
            key,
            url: url.map(|url| (*url).to_owned()),
        });
        Ok(())
    }

    fn group(&mut self, name: &str, at_least: &str, names: &[&str]) -> Result<(), &'static str> {
        let at_least = match at_least {
            "all" => names.len(),
            "any" => 1,
            number => encoding::from_decimal(number)
                .and_then(|number| usize::try_from(number).ok())
                .ok_or("not a number, `any` or `all`")?,
        };
        if !(1..=names.len()).contains(&at_least) {
            return Err("the group could not be met, or asks for nobody");
        }
        let mut members = Vec::with_capacity(names.len());
        for member in names {
            let (place, is_member) = self
                .names
                .get_mut(*member)
                .ok_or("a member is not defined above")?;
            if std::mem::replace(is_member, true) {
                return Err("a member is in a group already");
            }
            members.push(*place);
        }
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group {
            name: name.to_owned(),
            at_least,
            members,
        });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), &'static str> {
        if self.quorum.is_some() {
            return Err("a second quorum");
        }
        let member = match name {
            NONE => None,
            name => {
                let (member, _) = self
                    .names
                    .get(name)
                    .ok_or("the quorum is not defined above")?;
                Some(*member)
            }
        };
        self.quorum = Some(member);
        Ok(())
    }

    fn define(&mut self, name: &str, member: Member) -> Result<(), &'static str> {
        if self.names.len() == 2 * MAX_POLICY_NAMES {
            return Err("too many names");
        }
        if name == NONE || self.names.contains_key(name) {
            return Err("the name is taken");
        }
        self.names.insert(name.to_owned(), (member, false));
        Ok(())
    }
}

/// A key of the kind that its line is for: a log's signature and a cosignature say different
/// things.
fn parse_key<S: Suite>(key: &str, kind: KeyKind) -> Option<VerifierKey<S>> {
    let key: VerifierKey<S> = key.parse().ok()?;
    (key.kind() == kind).then_some(key)
}

/// Why a text is not a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct PolicyRefused {
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Why a policy does not accept a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// The note's text is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointMalformed),
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteMalformed),
    /// The witnesses that cosigned are not enough.
    #[error("the cosignatures are not those that `{quorum}` asks for")]
    QuorumNotMet {
        /// The witness or group that must have cosigned.
        quorum: String,
    },
    /// A known key's signature is missing or does not verify.
    #[error(transparent)]
    Signature(#[from] NoteRefused),
    /// No log of the policy has this origin.
    #[error("the log `{origin}` is not one of the policy's")]
    UnknownLog {
        /// The checkpoint's origin.
        origin: String,
    },
}

#[cfg(test)]
mod tests;
