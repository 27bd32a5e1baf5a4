//! What is brought forward from a stream to the one that follows it: the balances of everything that is limited.
//!
//! A stream may be dropped once nothing in it has to be kept; what was spent in it counts on. So the next stream begins
//! with the balances, as records of the log like all others: whoever has both streams can add up the one and compare, and
//! nobody needs the old one to go on. Nothing personal is in them that was not in the records before: subjects are tags
//! whose key ends with their window, calls are digests of ids.
//!
//! One encoding, big-endian: "FWD1", time i64 (µs), epoch u64, stop u64, then five lists, each a count u32 and its items
//! in ascending order (calls: oldest first). Texts are a length u16 and bytes.

use lingqu_tlog::{Digest, Hash, Suite};

use crate::grant::Environment;
use crate::{GrantId, Timestamp};
use lingqu_policy::{MicroRho, is_space_name};

const MAGIC: &[u8; 4] = b"FWD1";
/// Longest part in one record, in bytes: with the record's header it fits into an entry.
pub const PART_LEN_MAX: usize = 60_000;
/// Most records of one stream's beginning: some 60 MB, twice what a node's default limits let it bring forward. Whatever
/// says more is refused before it is read: a mirror keeps a beginning that is not finished.
pub const PARTS_MAX: u64 = 1_024;

/// How many of the newest calls a stream remembers, and so brings forward. A part of the format and no setting: whoever
/// folds the same records must find the same balances, and a node that remembered fewer could let ids be used again.
pub const CALLS_MAX: usize = 262_144;

/// What a grant has used in one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantUse {
    /// The grant.
    pub grant: GrantId,
    /// Where.
    pub environment: Environment,
    /// The newest day with records, days since 1970-01-01 at UTC+8.
    pub day: i64,
    /// Units on that day.
    pub of_day: u64,
    /// Explanations on that day.
    pub explained: u64,
    /// Units over the whole term.
    pub total: u64,
}

/// What of an entity space's privacy budget is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceSpent {
    /// The space.
    pub space: String,
    /// Whether over production data.
    pub production: bool,
    /// How much.
    pub rho: MicroRho,
}

/// What a grant has spent of privacy budgets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantSpent {
    /// The grant.
    pub grant: GrantId,
    /// Whether over production data.
    pub production: bool,
    /// How much.
    pub rho: MicroRho,
}

/// How often a subject was asked about within its window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectAsked {
    /// The subject's tag.
    pub tag: [u8; 16],
    /// First instant after the window.
    pub ends: Timestamp,
    /// Calls per grant, by grant.
    pub grants: Vec<(GrantId, u32)>,
}

/// A call that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallMade {
    /// Digest of caller, grant and the caller's id of the call.
    pub key: Hash,
    /// Tag of its request.
    pub tag: [u8; 16],
}

/// Everything that is brought forward.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// Time of the last record: the next stream's are later.
    pub time: Timestamp,
    /// Highest revocation epoch on record.
    pub epoch: u64,
    /// Highest stop order on record.
    pub stop: u64,
    /// By grant and environment.
    pub grants: Vec<GrantUse>,
    /// By space, sample data first.
    pub spaces: Vec<SpaceSpent>,
    /// By grant, sample data first.
    pub budgets: Vec<GrantSpent>,
    /// By tag; windows that are over are left out.
    pub subjects: Vec<SubjectAsked>,
    /// Oldest first.
    pub calls: Vec<CallMade>,
}

/// Bytes that are no such balances, or not in their one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the balances brought forward cannot be read")]
pub struct ForwardMalformed;

type Read<T> = Result<T, ForwardMalformed>;

impl Forward {
    /// Its one encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.time.0.to_be_bytes());
        bytes.extend(self.epoch.to_be_bytes());
        bytes.extend(self.stop.to_be_bytes());
        write_count(&mut bytes, self.grants.len());
        for used in &self.grants {
            write_text(&mut bytes, used.grant.as_str());
            write_text(&mut bytes, used.environment.as_str());
            bytes.extend(used.day.to_be_bytes());
            for number in [used.of_day, used.explained, used.total] {
                bytes.extend(number.to_be_bytes());
            }
        }
        write_count(&mut bytes, self.spaces.len());
        for spent in &self.spaces {
            write_text(&mut bytes, &spent.space);
            bytes.push(u8::from(spent.production));
            bytes.extend(spent.rho.0.to_be_bytes());
        }
        write_count(&mut bytes, self.budgets.len());
        for spent in &self.budgets {
            write_text(&mut bytes, spent.grant.as_str());
            bytes.push(u8::from(spent.production));
            bytes.extend(spent.rho.0.to_be_bytes());
        }
        write_count(&mut bytes, self.subjects.len());
        for asked in &self.subjects {
            bytes.extend(asked.tag);
            bytes.extend(asked.ends.0.to_be_bytes());
            write_count(&mut bytes, asked.grants.len());
            for (grant, calls) in &asked.grants {
                write_text(&mut bytes, grant.as_str());
                bytes.extend(calls.to_be_bytes());
            }
        }
        write_count(&mut bytes, self.calls.len());
        for call in &self.calls {
            bytes.extend(call.key.0);
            bytes.extend(call.tag);
        }
        bytes
    }

    /// Reads it back: `decode(encode(f)) == f` for whatever is in order, and nothing else decodes.
    ///
    /// # Errors
    /// [`ForwardMalformed`]
    pub fn decode(bytes: &[u8]) -> Result<Forward, ForwardMalformed> {
        let mut reader = Reader(bytes);
        if reader.array::<4>()? != *MAGIC {
            return Err(ForwardMalformed);
        }
        let forward = Forward {
            time: Timestamp(i64::from_be_bytes(reader.array()?)),
            epoch: reader.number()?,
            stop: reader.number()?,
            grants: reader.list(Reader::grant_use)?,
            spaces: reader.list(Reader::space_spent)?,
            budgets: reader.list(Reader::grant_spent)?,
            subjects: reader.list(Reader::subject_asked)?,
            calls: reader.list(Reader::call_made)?,
        };
        if reader.0.is_empty() && forward.is_in_order() {
            Ok(forward)
        } else {
            Err(ForwardMalformed)
        }
    }

    /// Each key once, in ascending order.
    fn is_in_order(&self) -> bool {
        let by_grant = |used: &GrantUse| (used.grant.clone(), used.environment.as_str());
        let mut subjects = self.subjects.iter();
        ascends(&self.grants, by_grant)
            && ascends(&self.spaces, |spent| {
                (spent.space.clone(), spent.production)
            })
            && ascends(&self.budgets, |spent| {
                (spent.grant.clone(), spent.production)
            })
            && ascends(&self.subjects, |asked| asked.tag)
            && subjects.all(|asked| ascends(&asked.grants, |(grant, _)| grant.clone()))
    }

    /// The encoding in parts that fit into a record each; at least one.
    pub fn parts(encoded: &[u8]) -> std::slice::Chunks<'_, u8> {
        encoded.chunks(PART_LEN_MAX)
    }

    /// The digest by which the end of one stream and the beginning of the next commit to it.
    pub fn digest<S: Suite>(encoded: &[u8]) -> Hash {
        let mut digest = Self::begin_digest::<S>();
        digest.take(encoded);
        digest.finish()
    }

    /// The same digest over parts as they come.
    pub fn begin_digest<S: Suite>() -> S::Digest {
        let mut digest = S::begin_digest();
        digest.take(b"lingqu/forward\0");
        digest
    }
}

fn ascends<T, K: Ord>(items: &[T], key: impl Fn(&T) -> K) -> bool {
    items.windows(2).all(|pair| key(&pair[0]) < key(&pair[1]))
}

fn write_count(bytes: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("limits of the ledger are far below");
    bytes.extend(count.to_be_bytes());
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).expect("ids are short");
    bytes.extend(len.to_be_bytes());
    bytes.extend(text.as_bytes());
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk().ok_or(ForwardMalformed)?;
        self.0 = rest;
        Ok(*array)
    }

    fn number(&mut self) -> Read<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn text(&mut self) -> Read<&'a str> {
        let len = usize::from(u16::from_be_bytes(self.array()?));
        let (text, rest) = self.0.split_at_checked(len).ok_or(ForwardMalformed)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| ForwardMalformed)
    }

    fn flag(&mut self) -> Read<bool> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(ForwardMalformed),
        }
    }

    /// A count may lie: what is set aside is bounded by what is there.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let count = u32::from_be_bytes(self.array()?) as usize;
        let mut items = Vec::with_capacity(count.min(self.0.len() / size_of::<u32>()));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn grant(&mut self) -> Read<GrantId> {
        self.text()?.parse().map_err(|_| ForwardMalformed)
    }

    fn grant_use(&mut self) -> Read<GrantUse> {
        Ok(GrantUse {
            grant: self.grant()?,
            environment: self.text()?.parse().map_err(|_| ForwardMalformed)?,
            day: i64::from_be_bytes(self.array()?),
            of_day: self.number()?,
            explained: self.number()?,
            total: self.number()?,
        })
    }

    fn space_spent(&mut self) -> Read<SpaceSpent> {
        let space = self.text()?;
        if !is_space_name(space) {
            return Err(ForwardMalformed);
        }
        Ok(SpaceSpent {
            space: space.to_owned(),
            production: self.flag()?,
            rho: MicroRho(self.number()?),
        })
    }

    fn grant_spent(&mut self) -> Read<GrantSpent> {
        Ok(GrantSpent {
            grant: self.grant()?,
            production: self.flag()?,
            rho: MicroRho(self.number()?),
        })
    }

    fn subject_asked(&mut self) -> Read<SubjectAsked> {
        Ok(SubjectAsked {
            tag: self.array()?,
            ends: Timestamp(i64::from_be_bytes(self.array()?)),
            grants: self.list(|reader| {
                let grant = reader.grant()?;
                Ok((grant, u32::from_be_bytes(reader.array()?)))
            })?,
        })
    }

    fn call_made(&mut self) -> Read<CallMade> {
        Ok(CallMade {
            key: Hash(self.array()?),
            tag: self.array()?,
        })
    }
}

#[cfg(test)]
mod tests;
