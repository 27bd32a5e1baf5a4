use lingqu_tlog::Intl;
use proptest::prelude::*;

use super::*;
use crate::Timestamp;
use crate::record::StreamId;

fn read(draft: Draft) -> Result<Option<Debit>, DebitMalformed> {
    let bytes = draft
        .at(StreamId([1; 16]), 3, Timestamp(4))
        .encode::<Intl>();
    Debit::of(&RecordView::read::<Intl>(&bytes).unwrap())
}

fn whole(space: &str, rho: u64, action: &str) -> Draft {
    let mut draft = Draft::new(Kind::Debit);
    draft.clear = Clear::default()
        .text(Field::Grant, "grant_1")
        .text(Field::Environment, "PROD_DEBUG")
        .text(Field::Action, action)
        .text(Field::BudgetSpace, space)
        .number(Field::RhoMicro, rho);
    draft
}

#[test]
fn a_debit_is_read_as_it_was_written() {
    for (action, from_store) in [(DEBIT, false), (DEBIT_STORED, true)] {
        let debit = Debit {
            grant: "grant_1".parse().unwrap(),
            environment: Environment::ProdDebug,
            space: "person".to_owned(),
            rho: MicroRho(50_000),
            from_store,
        };
        assert_eq!(debit.action(), action);
        assert_eq!(read(whole("person", 50_000, action)), Ok(Some(debit)));
    }
}

#[test]
fn other_kinds_are_no_debit_and_half_a_debit_is_an_error() {
    let mut call = whole("person", 1, DEBIT);
    call.kind = Kind::Call;
    assert_eq!(read(call), Ok(None));
    for draft in [
        Draft::new(Kind::Debit),
        whole("", 1, DEBIT),
        whole("Person", 1, DEBIT),
        whole(&"a".repeat(65), 1, DEBIT),
        whole("person", 0, DEBIT),
        whole("person", 1, "refund"),
        whole("person", 1, ""),
    ] {
        assert_eq!(read(draft), Err(DebitMalformed));
    }
    for missing in ["grant", "environment"] {
        let mut draft = Draft::new(Kind::Debit);
        draft.clear = Clear::default()
            .text(Field::Action, DEBIT)
            .text(Field::BudgetSpace, "person")
            .number(Field::RhoMicro, 1);
        draft.clear = match missing {
            "grant" => draft.clear.text(Field::Environment, "PROD"),
            _ => draft.clear.text(Field::Grant, "grant_1"),
        };
        assert_eq!(read(draft), Err(DebitMalformed), "{missing}");
    }
}

proptest! {
    /// Nothing that fits into a record makes the reader panic or read a cost of nothing.
    #[test]
    fn whatever_stands_there_is_a_debit_of_something_or_none(
        space in ".{0,80}",
        rho in any::<u64>(),
        action in "debit|debit_stored|[a-z_]{0,12}",
    ) {
        if let Ok(Some(debit)) = read(whole(&space, rho, &action)) {
            prop_assert_eq!(debit.rho, MicroRho(rho));
            prop_assert!(rho > 0 && is_space_name(&debit.space));
            prop_assert_eq!(debit.space, space);
        }
    }
}
