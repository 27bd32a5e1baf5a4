//! `lingqu audit budget`: what the debits in an archive add up to, per entity space and per grant.
//!
//! The records say it themselves: a regulator who holds the stream adds up what the node's ledger adds up, and compares
//! it with the totals that the unit signed. A record that is no whole debit ends the command, since a sum that leaves
//! something out says nothing. A call that names a debit must have one of its own, before it, under its grant: else a
//! node has answered twice for one payment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use lingqu_core::debit::Debit;
use lingqu_core::record::{Field, Kind, RecordView};
use lingqu_policy::MicroRho;
use lingqu_tlog::Intl;
use serde_json::json;

use super::bundles;
use crate::failure::Failure;
use crate::session::Session;

/// `audit budget --archive DIR`
#[derive(Args, Debug)]
pub(super) struct Budget {
    /// An archive of the node's stream, as C2SP tlog-tiles; check it with `audit verify` first · 日志流存档目录，请先核验
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
}

impl Budget {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let mut sums = Sums::default();
        bundles::each_entry(&self.archive, &mut |entry| sums.add(entry))?;
        for ((space, production), sum) in &sums.spaces {
            let data = data(*production);
            session.answer(
                format_args!("space {space} ({data} data): {} ρ in {} debits", sum.rho, sum.count),
                &json!({ "space": space, "data": data, "rho": sum.rho.to_string(), "debits": sum.count }),
            )?;
        }
        for ((grant, production), sum) in &sums.grants {
            let data = data(*production);
            session.answer(
                format_args!("grant {grant} ({data} data): {} ρ in {} debits", sum.rho, sum.count),
                &json!({ "grant": grant, "data": data, "rho": sum.rho.to_string(), "debits": sum.count }),
            )?;
        }
        session.say(
            format_args!(
                "{} debits; answers from the store are charged to their grant alone",
                sums.debits.len()
            ),
            format_args!("共 {} 笔扣减；由存储答复的仅计入授权", sums.debits.len()),
        );
        sums.check_calls()
    }
}

fn data(production: bool) -> &'static str {
    match production {
        true => "production",
        false => "sample",
    }
}

/// What adds up.
#[derive(Default)]
struct Sums {
    spaces: BTreeMap<(String, bool), Sum>,
    grants: BTreeMap<(String, bool), Sum>,
    /// The account of each debit, by its index.
    debits: BTreeMap<u64, Account>,
    /// Calls that name a debit: its index and the call's account, by the call's index.
    calls: BTreeMap<u64, (u64, Account)>,
}

/// A grant and an environment, as a record names them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    grant: Option<String>,
    environment: Option<String>,
}

impl Account {
    fn named(record: &RecordView<'_>) -> Account {
        let text = |field| record.text(field).map(str::to_owned);
        Account {
            grant: text(Field::Grant),
            environment: text(Field::Environment),
        }
    }
}

#[derive(Default)]
struct Sum {
    rho: MicroRho,
    count: u64,
}

impl Sum {
    fn add(&mut self, rho: MicroRho) -> Result<(), Failure> {
        let sum = self.rho.checked_add(rho);
        self.rho = sum.ok_or_else(|| Failure::Unusable("the debits cannot be added up".into()))?;
        self.count += 1;
        Ok(())
    }
}

impl Sums {
    fn add(&mut self, entry: &[u8]) -> Result<(), Failure> {
        // Streams of coordinators and later kinds of record are no business of this.
        let Ok(record) = RecordView::read::<Intl>(entry) else {
            return Ok(());
        };
        let debit = Debit::of(&record)
            .map_err(|error| Failure::Unusable(format!("record {}: {error}", record.index())))?;
        let Some(debit) = debit else {
            self.note_call(&record);
            return Ok(());
        };
        let account = Account::named(&record);
        if self.debits.insert(record.index(), account).is_some() {
            return Ok(());
        }
        let production = debit.environment.is_production();
        let grant = (debit.grant.to_string(), production);
        self.grants.entry(grant).or_default().add(debit.rho)?;
        if debit.from_store {
            return Ok(());
        }
        let space = (debit.space, production);
        self.spaces.entry(space).or_default().add(debit.rho)
    }

    fn note_call(&mut self, record: &RecordView<'_>) {
        if record.kind() != Kind::Call {
            return;
        }
        if let Some(debit) = record.to_record().draft.refers_to {
            let call = (debit, Account::named(record));
            self.calls.insert(record.index(), call);
        }
    }

    /// Whether each call that names a debit has one of its own.
    fn check_calls(&self) -> Result<(), Failure> {
        let mut paid = BTreeSet::new();
        for (call, (debit, account)) in &self.calls {
            let is_its = debit < call && self.debits.get(debit) == Some(account);
            if !is_its || !paid.insert(debit) {
                return Err(Failure::CheckFailed {
                    en: format!(
                        "the call at {call} names the debit at {debit}, which is not its own"
                    ),
                    zh: "有调用引用了不属于它的预算扣减",
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
