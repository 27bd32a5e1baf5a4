//! What was spent under each grant in each environment: a fold over the records, and reservations in memory on top of
//! it.
//!
//! **Never overspent.** A call is admitted against a day and recorded later, perhaps on the other side of midnight. Let
//! `L` be the newest recorded time, and `D` the later of the day of the decision and the day of `L`. A reservation is
//! granted only if the units recorded on `D`, *all* outstanding reservations of the grant whatever their day, and the
//! new one fit into the day's quota. Its record is never dated before `D` (`Reservation::not_before`). Now take any day
//! `X` and the last reservation granted among those recorded on `X`; its `D` is at most `X`. If `D = X`, each other one
//! was then recorded on `X` or still outstanding, so it was counted. If `D < X`, nothing was recorded on `X` yet, since
//! `L` lay before it, so each other one was outstanding and counted. Either way the quota of `X` holds. The total holds
//! likewise. A record takes effect and its reservation ends in one step under one lock, so none is ever missed between.

use std::collections::HashMap;
use std::sync::Arc;

use lingqu_core::decide::Permit;
use lingqu_core::forward::GrantUse;
use lingqu_core::grant::{Environment, NodeQuota};
use lingqu_core::record::{Field, Kind, RecordView};
use lingqu_core::{ErrorCode, GrantId, Timestamp};

const DAY_S: i64 = 86_400;
const UTC8_S: i64 = 8 * 3_600;

/// How much of a grant is used at this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Units on the day, recorded or reserved.
    pub today: u64,
    /// Units over the whole term, recorded or reserved.
    pub total: u64,
}

/// What an account is kept for: trying out and debugging do not use up what production was granted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AccountId {
    pub(crate) grant: GrantId,
    pub(crate) environment: Environment,
}

impl AccountId {
    /// The account that a call under `permit` is charged to.
    pub(crate) fn of(permit: &Permit) -> AccountId {
        AccountId {
            grant: permit.grant().clone(),
            environment: permit.environment(),
        }
    }
}

/// What a unit is reserved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// A call: the unit is spent once data is touched.
    Call,
    /// An explanation: its record costs none.
    Explanation,
}

/// The accounts of all grants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// An account's number is its place here; it keeps it.
    accounts: Vec<Account>,
    numbers: HashMap<Arc<AccountId>, AccountNumber>,
    /// The one that was charged last: mostly the next one too.
    charged: Option<(Arc<AccountId>, AccountNumber)>,
    /// The newest recorded time.
    last: Timestamp,
}

/// Which account of a ledger, for whoever holds a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountNumber(usize);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    /// The newest day with records. Times of records only grow, so that older days are never asked for again.
    day: i64,
    of_day: u64,
    /// Records of that day that cost nothing: explanations. There may be as many of them as calls.
    explained: u64,
    total: u64,
    /// Reservations outstanding, of whatever day.
    reserved: u64,
}

/// A record that cannot be charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a call's record names no grant, no environment or no units")]
pub(crate) struct Unchargeable;

/// What a record charges to which account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Charged {
    id: Arc<AccountId>,
    units: u64,
}

/// The account that the record before named: most records name the one of the record before.
#[derive(Debug, Default)]
pub(crate) struct LastNamed<'a>(Option<([&'a str; 2], Arc<AccountId>)>);

impl<'a> LastNamed<'a> {
    /// The account that a record names.
    fn named(&mut self, record: &RecordView<'a>) -> Option<Arc<AccountId>> {
        let texts = [record.text(Field::Grant)?, record.text(Field::Environment)?];
        if let Some((last, id)) = &self.0
            && *last == texts
        {
            return Some(Arc::clone(id));
        }
        let id = Arc::new(AccountId {
            grant: texts[0].parse().ok()?,
            environment: texts[1].parse().ok()?,
        });
        self.0 = Some((texts, Arc::clone(&id)));
        Some(id)
    }
}

impl Charged {
    /// Whether it costs anything. What does not is no answer, and does not count as one that the mirror lacks: whoever
    /// is let in could otherwise close a product to all others for nothing.
    pub(crate) fn costs(&self) -> bool {
        self.units > 0
    }

    /// What the record charges; nothing unless it is a call's.
    pub(crate) fn by<'a>(
        record: &RecordView<'a>,
        last: &mut LastNamed<'a>,
    ) -> Result<Option<Charged>, Unchargeable> {
        if record.kind() != Kind::Call {
            return Ok(None);
        }
        let id = last.named(record).ok_or(Unchargeable)?;
        let units = record.number(Field::Units).ok_or(Unchargeable)?;
        Ok(Some(Charged { id, units }))
    }
}

impl Ledger {
    /// Takes one durable record into account: its time, and what it charges.
    pub(crate) fn fold(&mut self, time: Timestamp, charged: Option<&Charged>) {
        self.last = time;
        let Some(Charged { id, units }) = charged else {
            return;
        };
        let number = match &self.charged {
            Some((last, number)) if Arc::ptr_eq(last, id) => *number,
            Some(_) | None => self.number(id),
        };
        self.charged = Some((Arc::clone(id), number));
        let account = &mut self.accounts[number.0];
        let day = time.day_utc8();
        if account.day != day {
            (account.day, account.of_day, account.explained) = (day, 0, 0);
        }
        account.explained = account.explained.saturating_add(u64::from(*units == 0));
        account.of_day = account.of_day.saturating_add(*units);
        account.total = account.total.saturating_add(*units);
    }

    /// Reserves one unit decided `at` an instant, and gives the account and the earliest time that its record may carry.
    /// An explanation needs a free unit like a call and gives it back with its record; there are as many a day as calls,
    /// so that the log grows no faster than the unit has signed.
    pub(crate) fn reserve(
        &mut self,
        id: &AccountId,
        quota: &NodeQuota,
        at: Timestamp,
        what: Reserved,
    ) -> Result<(Timestamp, AccountNumber), ErrorCode> {
        let day = at.max(self.last).day_utc8();
        let known = self.numbers.get(id).copied();
        let account = known.map_or(Account::default(), |number| self.accounts[number.0]);
        let used = account.usage(day);
        if used.today >= quota.calls_per_day || used.total >= quota.calls_total {
            return Err(ErrorCode::QuotaExhausted);
        }
        let explained = match what {
            Reserved::Explanation if account.day == day => {
                account.explained.saturating_add(account.reserved)
            }
            Reserved::Call | Reserved::Explanation => 0,
        };
        if explained >= quota.calls_per_day {
            return Err(ErrorCode::QuotaExhausted);
        }
        let number = known.unwrap_or_else(|| self.number(&Arc::new(id.clone())));
        self.accounts[number.0].reserved += 1;
        let not_before = Timestamp::from_unix_s(day.saturating_mul(DAY_S).saturating_sub(UTC8_S));
        Ok((not_before, number))
    }

    /// What is recorded, to be brought forward.
    pub(crate) fn forward(&self) -> Vec<GrantUse> {
        let named = self.numbers.iter();
        let accounts = named.map(|(id, number)| (id, &self.accounts[number.0]));
        let recorded = accounts.map(|(id, account)| GrantUse {
            grant: id.grant.clone(),
            environment: id.environment,
            day: account.day,
            of_day: account.of_day,
            explained: account.explained,
            total: account.total,
        });
        // An account that was only ever reserved from is as good as none.
        let mut uses: Vec<GrantUse> = recorded
            .filter(|used| used.total > 0 || used.explained > 0)
            .collect();
        uses.sort_by(|a, b| {
            (&a.grant, a.environment.as_str()).cmp(&(&b.grant, b.environment.as_str()))
        });
        uses
    }

    /// Takes over what another stream brings forward.
    pub(crate) fn bring(&mut self, time: Timestamp, uses: Vec<GrantUse>) {
        self.last = self.last.max(time);
        for used in uses {
            let id = AccountId {
                grant: used.grant,
                environment: used.environment,
            };
            let number = self.number(&Arc::new(id));
            let account = &mut self.accounts[number.0];
            (account.day, account.of_day) = (used.day, used.of_day);
            (account.explained, account.total) = (used.explained, used.total);
        }
    }

    /// Ends reservations: they were recorded, or given back before any data was touched.
    pub(crate) fn end_reservations(&mut self, number: AccountNumber, count: u64) {
        let account = &mut self.accounts[number.0];
        account.reserved = account.reserved.saturating_sub(count);
    }

    /// The account's number, which it gets here if it has none.
    fn number(&mut self, id: &Arc<AccountId>) -> AccountNumber {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = AccountNumber(self.accounts.len());
        self.accounts.push(Account::default());
        self.numbers.insert(Arc::clone(id), number);
        number
    }

    /// What counts against the quota at `now`, or at the newest recorded time if that is later.
    pub(crate) fn usage(&self, id: &AccountId, now: Timestamp) -> Usage {
        let Some(number) = self.numbers.get(id) else {
            return Usage::default();
        };
        self.accounts[number.0].usage(now.max(self.last).day_utc8())
    }
}

impl Account {
    /// What counts on `day`.
    fn usage(&self, day: i64) -> Usage {
        let recorded = if self.day == day { self.of_day } else { 0 };
        Usage {
            today: recorded.saturating_add(self.reserved),
            total: self.total.saturating_add(self.reserved),
        }
    }
}

#[cfg(test)]
mod tests;
