//! A whole node over its files, and the real `serve` for every call; the mirror's link is standard input and output.

use std::path::Path;
use std::sync::Arc;

use lingqu_core::Clock;
use lingqu_core::record::{Draft, Kind};
use lingqu_demo::cast::Party;
use lingqu_journal::{FatalHook, SystemClock};
use lingqu_node::admission::caller::Caller;
use lingqu_node::call::serve;
use lingqu_node::{Node, NodeConfig};
use lingqu_proto::product_call;

use crate::journal::{reconcile, ship, take_calls};
use crate::plane;
use crate::protocol::{Said, Told};
use crate::voice::{Voice, told};

/// Opens the node of the network in `dir` and makes the calls that are asked for, until standard input ends.
pub(crate) async fn run(dir: &Path) {
    let voice = Arc::new(Voice::new());
    let mut told = told();
    let config = NodeConfig::read(&dir.join("node/node.toml")).expect("the test's file");
    let node = Node::open(config, Arc::new(SystemClock), FatalHook::default())
        .expect("a node opens after any kill");
    let journal = node.journal().clone();
    let grant = plane::GRANT.parse().expect("well-formed");
    voice.say(&Said::Opened {
        checkpoint: journal.checkpoint(),
        size: journal.size(),
        used: journal.usage(&grant, SystemClock.now()).total,
    });
    let Some(Told::Begin { mirror, at_once }) = told.recv().await else {
        return;
    };
    let early = reconcile(&journal, mirror.as_deref(), &mut told, &voice).await;
    tokio::spawn(ship(journal.clone(), Arc::clone(&voice)));
    let started = journal.append(Draft::new(Kind::NodeStart)).await;
    started.expect("a compared journal takes records");
    node.record_pending().await;
    voice.say(&Said::Ready);
    let calls = take_calls(early, &mut told, &journal, at_once, |call| {
        let (node, voice) = (Arc::clone(&node), Arc::clone(&voice));
        async move {
            voice.say(&make(&node, call).await);
        }
    });
    calls.await;
    let closing = tokio::task::spawn_blocking(move || journal.close());
    closing.await.expect("closing does not panic");
}

async fn make(node: &Node, call: u64) -> Said {
    let caller = Caller {
        party: Party::Bank.id(),
        certificate: [9; 32],
    };
    let served = serve(node, &caller, product_call(&plane::request(call))).await;
    match served.into_answer() {
        Ok(given) => Said::Answered {
            call,
            answer: u64::from(given.answer.value.committed_bytes()[0]),
            receipt: given.receipt.tlog_proof().to_string(),
        },
        Err(refused) => Said::Refused {
            call,
            code: refused.code.as_str().to_owned(),
        },
    }
}
