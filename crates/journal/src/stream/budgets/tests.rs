use std::collections::BTreeMap;

use lingqu_core::grant::Environment;
use proptest::prelude::*;

use super::*;

fn debit(grant: u8, space: u8, environment: Environment, rho: u64, from_store: bool) -> Debit {
    Debit {
        grant: format!("grant_{grant}").parse().unwrap(),
        environment,
        space: format!("space{space}"),
        rho: MicroRho(rho),
        from_store,
    }
}

fn limits(space: u64, grant: u64) -> Limits {
    Limits {
        space: MicroRho(space),
        grant: MicroRho(grant),
    }
}

const PROD: Environment = Environment::Prod;

#[test]
fn production_and_its_debugging_share_and_sample_data_does_not() {
    let mut budgets = Budgets::default();
    let one = |environment| debit(1, 1, environment, 6, false);
    budgets.admit(&one(PROD), limits(10, 100)).unwrap();
    let debugging = budgets.admit(&one(Environment::ProdDebug), limits(10, 100));
    assert_eq!(debugging, Err(ErrorCode::PrivacyBudgetExhausted));
    budgets
        .admit(&one(Environment::Test), limits(10, 100))
        .unwrap();
    assert_eq!(budgets.of_space("space1", true), MicroRho(6));
    assert_eq!(budgets.of_space("space1", false), MicroRho(6));
}

#[test]
fn callers_share_the_space_and_a_grant_has_its_own_limit() {
    let mut budgets = Budgets::default();
    budgets
        .admit(&debit(1, 1, PROD, 6, false), limits(10, 6))
        .unwrap();
    // The first grant has nothing left, on whatever space; the second is stopped by the space.
    let refused = Err(ErrorCode::PrivacyBudgetExhausted);
    for (grant, space) in [(1, 2), (2, 1)] {
        let next = debit(grant, space, PROD, 5, false);
        assert_eq!(budgets.admit(&next, limits(10, 10)), refused);
    }
    budgets
        .admit(&debit(2, 1, PROD, 4, false), limits(10, 10))
        .unwrap();
    assert_eq!(budgets.of_space("space1", true), MicroRho(10));
}

#[test]
fn what_comes_from_the_store_costs_the_grant_and_not_the_space() {
    let mut budgets = Budgets::default();
    budgets
        .admit(&debit(1, 1, PROD, 10, false), limits(10, 10))
        .unwrap();
    budgets
        .admit(&debit(2, 1, PROD, 10, true), limits(10, 10))
        .unwrap();
    assert_eq!(budgets.of_space("space1", true), MicroRho(10));
    let again = budgets.admit(&debit(2, 1, PROD, 1, true), limits(10, 10));
    assert_eq!(again, Err(ErrorCode::PrivacyBudgetExhausted));
}

#[test]
fn no_limit_in_the_grant_is_nothing_and_a_lowered_limit_admits_nothing() {
    let mut budgets = Budgets::default();
    let one = debit(1, 1, PROD, 1, false);
    assert!(budgets.admit(&one, limits(10, 0)).is_err());
    budgets
        .admit(&debit(1, 1, PROD, 9, false), limits(10, 10))
        .unwrap();
    assert!(budgets.admit(&one, limits(5, 10)).is_err());
    budgets.admit(&one, limits(10, 10)).unwrap();
}

#[test]
fn sums_that_cannot_be_counted_admit_nothing() {
    let mut budgets = Budgets::default();
    let all = debit(1, 1, PROD, u64::MAX, false);
    budgets.fold(&all);
    budgets.fold(&all);
    assert_eq!(budgets.of_space("space1", true), MicroRho(u64::MAX));
    let more = budgets.admit(&debit(2, 1, PROD, 1, false), limits(u64::MAX, u64::MAX));
    assert_eq!(more, Err(ErrorCode::PrivacyBudgetExhausted));
}

/// What may happen, in any order.
#[derive(Clone, Debug)]
enum Step {
    Admit {
        grant: u8,
        space: u8,
        environment: Environment,
        rho: u64,
        from_store: bool,
        space_limit: u64,
    },
    /// An outstanding debit becomes durable.
    Commit(usize),
    /// The process ends. Of what is outstanding, these reached the disk.
    Crash(Vec<bool>),
}

fn step() -> impl Strategy<Value = Step> {
    let environment = proptest::sample::select(Environment::ALL.to_vec());
    let admit = (
        0..3_u8,
        0..2_u8,
        environment,
        1..6_u64,
        any::<bool>(),
        5..20_u64,
    );
    prop_oneof![
        8 => admit.prop_map(|(grant, space, environment, rho, from_store, space_limit)| {
            Step::Admit { grant, space, environment, rho, from_store, space_limit }
        }),
        6 => (0..10_usize).prop_map(Step::Commit),
        1 => proptest::collection::vec(any::<bool>(), 10).prop_map(Step::Crash),
    ]
}

/// The naive model: every debit that counts, one by one.
#[derive(Default)]
struct Model {
    recorded: Vec<Debit>,
    outstanding: Vec<Debit>,
}

impl Model {
    fn spent(&self, counts: impl Fn(&Debit) -> bool) -> u64 {
        let all = self.recorded.iter().chain(&self.outstanding);
        all.filter(|debit| counts(debit)).map(|d| d.rho.0).sum()
    }

    fn on_space(&self, debit: &Debit) -> u64 {
        self.spent(|other| {
            !other.from_store
                && other.space == debit.space
                && other.environment.is_production() == debit.environment.is_production()
        })
    }

    fn under_grant(&self, debit: &Debit) -> u64 {
        self.spent(|other| {
            other.grant == debit.grant
                && other.environment.is_production() == debit.environment.is_production()
        })
    }
}

const GRANT_LIMIT: u64 = 12;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order of admissions, commits and crashes: exactly what the naive model admits is admitted, so that
    /// nothing is overspent, and what was recorded is never less than before.
    #[test]
    fn never_overspent_and_never_refunded(steps in proptest::collection::vec(step(), 1..150)) {
        let (mut budgets, mut model) = (Budgets::default(), Model::default());
        let mut recorded_before = BTreeMap::new();
        for step in steps {
            match step {
                Step::Admit { grant, space, environment, rho, from_store, space_limit } => {
                    let debit = debit(grant, space, environment, rho, from_store);
                    let fits = model.under_grant(&debit) + rho <= GRANT_LIMIT
                        && (from_store || model.on_space(&debit) + rho <= space_limit);
                    let admitted = budgets.admit(&debit, limits(space_limit, GRANT_LIMIT));
                    prop_assert_eq!(admitted.is_ok(), fits);
                    if fits {
                        model.outstanding.push(debit);
                    }
                }
                Step::Commit(which) if which < model.outstanding.len() => {
                    let debit = model.outstanding.swap_remove(which);
                    budgets.fold(&debit);
                    budgets.recorded(&debit);
                    model.recorded.push(debit);
                }
                Step::Commit(_) => {}
                Step::Crash(survive) => {
                    let outstanding = std::mem::take(&mut model.outstanding);
                    let survive = survive.into_iter().chain(std::iter::repeat(false));
                    let kept = outstanding.into_iter().zip(survive);
                    model.recorded.extend(kept.filter(|(_, kept)| *kept).map(|(debit, _)| debit));
                    budgets = Budgets::default();
                    model.recorded.iter().for_each(|debit| budgets.fold(debit));
                }
            }
            for space in budgets.spaces() {
                let of_space = |debit: &&Debit| !debit.from_store
                    && debit.space == space.space
                    && debit.environment.is_production() == space.production;
                let all = model.recorded.iter().chain(&model.outstanding);
                let spent: u64 = all.filter(of_space).map(|debit| debit.rho.0).sum();
                prop_assert_eq!(space.spent, MicroRho(spent));
                prop_assert!(spent < 20, "the largest limit was 19");
                let recorded: u64 = model.recorded.iter().filter(of_space).map(|d| d.rho.0).sum();
                let key = (space.space, space.production);
                let before = recorded_before.insert(key, recorded);
                prop_assert!(before.unwrap_or(0) <= recorded);
            }
        }
    }
}
