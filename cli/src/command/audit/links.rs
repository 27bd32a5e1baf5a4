//! From the streams of a trust file to those that follow them: what `--link` and `--unit-key` of the audit commands give,
//! and how a step from one stream to the next is told.
//!
//! A step rests on the log key that the reader believes already; the unit's approval key is asked for beside it because
//! whoever stole a log key could sign an end, but not the order in it. A trust file is a C2SP tlog-policy, which has no
//! place for the keys of units, so they are given on the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use lingqu_client::archive::first_records;
use lingqu_client::succession::{DroppedEnd, Step, StepRefused, begins, follow_all};
use lingqu_core::PartyId;
use lingqu_core::receipt::Receipt;
use lingqu_core::trust::Trust;
use lingqu_tlog::{Intl, Suite};
use serde_json::{Value, json};

use super::archive::failed;
use super::verify::{parse_all, pick};
use crate::failure::Failure;
use crate::session::Session;
use crate::trust_file;

/// Largest file of receipts, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The approval keys of units.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct UnitKeys {
    /// Approval key of a unit, to check its orders that end streams; several · 数源单位审批公钥，用于核验日志流终结令，可多个
    #[arg(long = "unit-key", value_name = "PARTY_ID=HEX")]
    keys: Vec<UnitKey>,
}

/// A unit and its key, as `party_…=HEX`.
#[derive(Clone, Debug)]
pub(super) struct UnitKey {
    unit: PartyId,
    key: Vec<u8>,
}

impl FromStr for UnitKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (unit, key) = text.split_once('=').ok_or("expected `PARTY_ID=HEX`")?;
        let unit = unit
            .parse()
            .map_err(|_| "expected a party's id before `=`")?;
        let key = hex::decode(key).ok();
        let key = key.filter(|key| Intl::admit(key).is_ok());
        let key = key.ok_or("expected an ed25519 public key in hexadecimal after `=`")?;
        Ok(UnitKey { unit, key })
    }
}

impl UnitKeys {
    /// A trust file with these keys beside it.
    pub(crate) fn read(&self, path: &Path) -> Result<Trust<Intl>, Failure> {
        let mut units = BTreeMap::new();
        for one in &self.keys {
            if units.insert(one.unit.clone(), one.key.clone()).is_some() {
                return Err(Failure::Unusable(format!(
                    "`--unit-key` gives two keys of `{}`",
                    one.unit
                )));
            }
        }
        Ok(trust_file::read(path)?.with_units(units))
    }
}

/// What leads from the streams of a trust file to later ones.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Links {
    #[command(flatten)]
    pub(super) units: UnitKeys,
    /// Receipt of the first record of a stream that follows a trusted one, or an archive that has it; several · 后续日志流首条记录的回执，或含该流的归档，可多个
    #[arg(long = "link", value_name = "FILE|DIR")]
    pub(super) links: Vec<PathBuf>,
}

impl Links {
    /// Reads trust files with the units' keys.
    pub(super) fn trusts(&self, paths: &[PathBuf]) -> Result<Vec<Trust<Intl>>, Failure> {
        paths.iter().map(|path| self.units.read(path)).collect()
    }

    /// The links that were named, and the first records in them.
    pub(super) fn read(&self) -> Result<Named, Failure> {
        let mut named = Named::default();
        for path in &self.links {
            named.read(path)?;
        }
        Ok(named)
    }
}

/// Links, read and not believed yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    /// First records of streams.
    pub(super) records: Vec<Vec<u8>>,
    /// Receipts of them, where they came as such.
    receipts: Vec<Receipt>,
}

impl Named {
    /// Reads one more: receipts, or an archive.
    pub(super) fn read(&mut self, path: &Path) -> Result<(), Failure> {
        let meta = std::fs::metadata(path).map_err(|error| Failure::unreadable(path, error))?;
        if meta.is_dir() {
            self.records.extend(first_records(path).map_err(failed)?);
            return Ok(());
        }
        if meta.len() > FILE_BYTES_MAX {
            return Err(Failure::file(path, "is too large for receipts"));
        }
        let bytes = std::fs::read(path).map_err(|error| Failure::unreadable(path, error))?;
        for receipt in parse_all(&bytes)? {
            self.push(receipt)?;
        }
        Ok(())
    }

    /// Adds the receipt of a first record.
    pub(super) fn push(&mut self, receipt: Receipt) -> Result<(), Failure> {
        if begins(&receipt.entry).is_none() {
            return Err(refused(
                "a record that is given as a link does not begin a stream that follows another",
            ));
        }
        self.records.push(receipt.entry.clone());
        self.receipts.push(receipt);
        Ok(())
    }

    /// The receipts among them.
    pub(super) fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// Whether one of the receipts proves this step.
    pub(super) fn lead_to(&self, step: &Step) -> bool {
        let mut receipts = self.receipts.iter();
        receipts.any(|receipt| receipt.checkpoint.origin == step.next.name().as_str())
    }

    /// Takes every step that they prove. Whoever trusts nothing gets nothing; whoever trusts something must be led
    /// somewhere by each receipt.
    pub(super) fn follow(
        &self,
        trusts: &[Trust<Intl>],
    ) -> Result<(Vec<Trust<Intl>>, Vec<Step>), Failure> {
        let (trusts, steps) = follow_all(trusts, &self.records).map_err(not_followed)?;
        for receipt in &self.receipts {
            // The step follows from the record alone; that the stream has it shows its key's and the mirror's signature.
            if let Some(trust) = pick(&trusts, &receipt.checkpoint.origin) {
                receipt.verify(&trust.with_quorum()).map_err(refused)?;
            }
        }
        Ok((trusts, steps))
    }
}

/// A step that is not taken.
pub(super) fn not_followed(why: StepRefused) -> Failure {
    refused(why)
}

fn refused(why: impl std::fmt::Display) -> Failure {
    Failure::CheckFailed {
        en: format!("the streams do not follow each other: {why}"),
        zh: "日志流衔接无效：终结、后续密钥、结转或终结令不符",
    }
}

/// Says how a stream is believed that no trust file has.
pub(crate) fn tell(steps: &[Step], session: &mut Session<'_>) {
    for step in steps {
        let (next, previous) = (step.next.name(), step.previous.name());
        let (unit, ended) = (&step.order.unit, step.ended);
        if step.is_order_checked {
            session.say(
                format_args!(
                    "`{next}` follows `{previous}`, which ended {ended}: proven by that stream's own key, and by the order of `{unit}`, whose signature was checked"
                ),
                format_args!(
                    "`{next}` 承接 `{previous}`（{ended} 终结）：由前序流自身密钥及 `{unit}` 的终结令证明，终结令签名已核验"
                ),
            );
            continue;
        }
        let keys: Vec<String> = step.order_keys.iter().map(hex::encode).collect();
        let keys = keys.join(", ");
        session.say(
            format_args!(
                "`{next}` follows `{previous}`, which ended {ended}: proven by that stream's own key; the order of `{unit}` in it says that it is signed with {keys}, which was not checked: give --unit-key {unit}=HEX"
            ),
            format_args!(
                "`{next}` 承接 `{previous}`（{ended} 终结）：由前序流自身密钥证明；其中 `{unit}` 的终结令所载签名公钥为 {keys}，未予核验：请以 --unit-key {unit}=HEX 指定"
            ),
        );
    }
}

/// The same as JSON.
pub(super) fn value(step: &Step) -> Value {
    json!({
        "previous": step.previous.name().as_str(),
        "previous_key": step.previous.to_string(),
        "next": step.next.name().as_str(),
        "next_key": step.next.to_string(),
        "ended": step.ended.to_string(),
        "unit": step.order.unit.as_str(),
        "order_verified": step.is_order_checked,
        "order_keys": step.order_keys.iter().map(hex::encode).collect::<Vec<_>>(),
    })
}

/// What is left of a stream whose records were dropped.
pub(super) fn dropped_value(end: &DroppedEnd) -> Value {
    json!({
        "origin": end.origin,
        "size": end.size,
        "root": end.root.to_base64(),
        "ended": end.ended.to_string(),
        "followed_by": end.next.name().as_str(),
    })
}

/// Says it to people.
pub(super) fn tell_dropped(end: &DroppedEnd, session: &mut Session<'_>) {
    let (origin, size, ended, next) = (&end.origin, end.size, end.ended, end.next.name());
    session.say(
        format_args!(
            "`{origin}` ended at {ended} and is followed by `{next}`; its {size} records were dropped and are NOT verified here"
        ),
        format_args!(
            "`{origin}` 已于 {ended} 终结，后续为 `{next}`；其 {size} 条记录已清除，此处未予核验"
        ),
    );
}

/// Whether every stream that is not here is on record as dropped: `off` are those that are not, at the end of what was
/// verified.
pub(super) fn check_on_record<'a>(mut off: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let Some(origin) = off.next() else {
        return Ok(());
    };
    let more = match off.count() {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    Err(Failure::CheckFailed {
        en: format!(
            "the records of `{origin}`{more} are missing, and that they were dropped is not on record: no verified record of the coordinator's own stream says so"
        ),
        zh: "日志流的记录缺失，且清除行为无据可查：已核验的协调端自有日志流中没有相应记录",
    })
}

/// Whether a stream may have been dropped by now.
pub(super) fn check_dropped(end: &DroppedEnd, session: &Session<'_>) -> Result<(), Failure> {
    let from = end.droppable_from();
    if session.clock.now() >= from {
        return Ok(());
    }
    Err(Failure::CheckFailed {
        en: format!(
            "the records of `{}` were withheld or dropped, and must be kept until {from}",
            end.origin
        ),
        zh: "日志流的记录在留存期满前被扣留或清除",
    })
}

#[cfg(test)]
pub(super) mod tests;
