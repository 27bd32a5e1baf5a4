//! The journal's promises, end to end.

use lingqu_core::ErrorCode;
use lingqu_core::receipt::Level;
use lingqu_core::record::{Draft, Field, Kind};

use super::world::*;
use super::*;

#[test]
fn an_answer_leaves_with_a_receipt_that_verifies() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        let recorded = record(&journal, 7, &Terms::default()).await.unwrap();
        let Outcome::Answered {
            result,
            receipt,
            level,
        } = journal.release(&recorded).await.into_outcome()
        else {
            panic!("within the lag an answer leaves");
        };
        assert_eq!((result, level), (7, Level::Local));
        assert_eq!(receipt.verify(&trust()).unwrap().level, Level::Local);

        world.cosign_newest(&journal);
        let Outcome::Answered { receipt, level, .. } =
            journal.release(&recorded).await.into_outcome()
        else {
            panic!("a mirrored answer leaves");
        };
        assert_eq!(level, Level::Mirrored);
        let proven = receipt.verify(&trust()).unwrap();
        assert_eq!(proven.level, Level::Mirrored);
        assert_eq!(proven.mirrored_at, Some(START));
        assert_eq!(
            proven.record.draft.clear.get_text(Field::Outcome),
            Some("ANSWERED")
        );
    });
}

#[test]
fn nothing_is_signed_before_the_mirror_was_asked() {
    let world = World::new();
    let journal = world.open().unwrap();
    let start = || Draft::new(Kind::NodeStart);
    assert_eq!(
        block_on(journal.append(start())),
        Err(AppendFailed::NotReconciled)
    );
    let call = permitted(1, &Terms::default());
    assert_eq!(
        journal.reserve(call.permit()).err(),
        Some(ErrorCode::AuditUnavailable)
    );
    assert_eq!(journal.checkpoint(), None);
    journal.reconcile(None).unwrap();
    assert_eq!(block_on(journal.append(start())), Ok(0));
}
