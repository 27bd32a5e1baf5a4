//! `lingqu audit budget`: what the debits in an archive add up to, per entity space and per grant.
//!
//! The records say it themselves: a regulator who holds the stream adds up what the node's ledger adds up, and compares
//! it with the totals that the unit signed. A record that is no whole debit ends the command, since a sum that leaves
//! something out says nothing. A call that names a debit must have one of its own, before it, under its grant: else a
//! node has answered twice for one payment.
//!
//! A stream that follows another begins with what was brought forward, and so do the sums. Where a stream has ended, its
//! records are folded again as its node folded them (`forward.rs`), and every balance is compared.

mod forward;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use lingqu_core::debit::Debit;
use lingqu_core::forward::Forward;
use lingqu_core::record::{Field, Kind, RecordView};
use lingqu_policy::MicroRho;
use lingqu_tlog::Intl;
use serde_json::json;

use self::forward::Chain;
use super::bundles;
use crate::failure::Failure;
use crate::session::Session;

/// `audit budget --archive DIR…`
#[derive(Args, Debug)]
pub(super) struct Budget {
    /// An archive of the node's stream, as C2SP tlog-tiles, or of several that follow each other; check them with `audit verify` first · 日志流存档目录，可为前后衔接的多个，请先核验
    #[arg(long = "archive", value_name = "DIR", required = true)]
    archives: Vec<PathBuf>,
}

impl Budget {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let chain = Chain::read(&self.archives)?;
        let mut sums = Sums::default();
        let mut debits = 0;
        for (place, archive) in chain.archives.iter().enumerate() {
            // What a later stream brings forward is in the sums already: it is what the one before adds up to, which is
            // checked below.
            if place == 0
                && let Some(brought) = &archive.brought
            {
                sums.bring(brought);
            }
            let mut paid = Paid::default();
            bundles::each_entry(&archive.dir, &mut |entry| sums.add(entry, &mut paid))?;
            paid.check_calls()?;
            debits += paid.debits.len();
        }
        sums.show(session)?;
        session.say(
            format_args!(
                "{debits} debits; answers from the store are charged to their grant alone"
            ),
            format_args!("共 {debits} 笔扣减；由存储答复的仅计入授权"),
        );
        chain.compare(session)
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
}

/// The debits of one stream, and the calls that they paid for.
#[derive(Default)]
struct Paid {
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
    /// What of it was spent before the first record.
    brought: MicroRho,
}

impl Sum {
    fn add(&mut self, rho: MicroRho) -> Result<(), Failure> {
        let sum = self.rho.checked_add(rho);
        self.rho = sum.ok_or_else(|| Failure::Unusable("the debits cannot be added up".into()))?;
        self.count += 1;
        Ok(())
    }

    fn bring(&mut self, rho: MicroRho) {
        (self.rho, self.brought) = (rho, rho);
    }

    fn show(
        &self,
        what: &str,
        named: &(String, bool),
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let (name, production) = named;
        let (data, rho, count) = (data(*production), self.rho, self.count);
        let brought = match self.brought.0 {
            0 => String::new(),
            _ => format!(", {} ρ of it brought forward · 其中结转", self.brought),
        };
        let mut value = json!({ "data": data, "rho": rho.to_string(), "debits": count });
        value[what] = name.as_str().into();
        value["brought_forward"] = self.brought.to_string().into();
        session.answer(
            format_args!("{what} {name} ({data} data): {rho} ρ in {count} debits{brought}"),
            &value,
        )
    }
}

impl Sums {
    /// Begins with what another stream brings forward.
    fn bring(&mut self, brought: &Forward) {
        for spent in &brought.spaces {
            let space = (spent.space.clone(), spent.production);
            self.spaces.entry(space).or_default().bring(spent.rho);
        }
        for spent in &brought.budgets {
            let grant = (spent.grant.to_string(), spent.production);
            self.grants.entry(grant).or_default().bring(spent.rho);
        }
    }

    fn show(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        for (space, sum) in &self.spaces {
            sum.show("space", space, session)?;
        }
        for (grant, sum) in &self.grants {
            sum.show("grant", grant, session)?;
        }
        Ok(())
    }

    fn add(&mut self, entry: &[u8], paid: &mut Paid) -> Result<(), Failure> {
        // Streams of coordinators and later kinds of record are no business of this.
        let Ok(record) = RecordView::read::<Intl>(entry) else {
            return Ok(());
        };
        let debit = Debit::of(&record)
            .map_err(|error| Failure::Unusable(format!("record {}: {error}", record.index())))?;
        let Some(debit) = debit else {
            paid.note_call(&record);
            return Ok(());
        };
        let account = Account::named(&record);
        if paid.debits.insert(record.index(), account).is_some() {
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
}

impl Paid {
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
