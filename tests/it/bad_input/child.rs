//! A node as a process of its own, from the binary that is installed: what it takes of the machine can be seen, and what
//! ends it ends nothing else.

use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use lingqu_core::ErrorCode;
use lingqu_core::record::{Kind, Record};
use lingqu_demo::cast::Party;
use lingqu_node::admin::{AdminRequest, Status, ask};

use crate::binary::lingqu;
use crate::network::{Caller, GRANT, PATIENCE, World, call, patiently};

/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// The running node of a world, instead of the one in this process.
pub(super) struct ChildNode(Child);

impl ChildNode {
    /// Stops the world's own node and starts the binary over its files. `file_kib_max` bounds what it can write into any
    /// file, as a full disk would.
    pub(super) async fn instead(world: &mut World, file_kib_max: Option<u64>) -> ChildNode {
        world.network.stop_node().await.unwrap();
        let dir = world.network.files().dir().to_owned();
        let log = fs::File::create(dir.join("node.log")).unwrap();
        // A process that ignores the signal is told by the write itself, as by a full disk.
        let limit = file_kib_max.map_or_else(String::new, |kib| {
            format!("trap '' XFSZ; ulimit -c 0; ulimit -f {kib}; ")
        });
        let child = Command::new("bash")
            .args(["-c", &format!("{limit}exec \"$0\" node --config \"$1\"")])
            .arg(tokio::task::block_in_place(lingqu))
            .arg(world.network.files().node_toml())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let node = ChildNode(child);
        node.ready(world).await;
        node
    }

    /// Waits until it can be called.
    async fn ready(&self, world: &World) {
        patiently("the node to be ready", async {
            loop {
                let status = status(world).await;
                let is_ready = |status: Status| {
                    status.reconciled
                        && status.products_open > 0
                        && status.epoch.is_some()
                        && status.mirrored_size == status.journal_size
                };
                if status.is_some_and(is_ready) {
                    break;
                }
                tokio::time::sleep(LOOK).await;
            }
        })
        .await;
    }

    /// Memory that it holds, in KiB.
    pub(super) fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Whether it still runs.
    pub(super) fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits for its own end.
    pub(super) async fn ended(mut self) -> ExitStatus {
        patiently("the node's end", async {
            loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    break status;
                }
                tokio::time::sleep(LOOK).await;
            }
        })
        .await
    }
}

impl Drop for ChildNode {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the node says of itself; nothing while it does not answer.
pub(super) async fn status(world: &World) -> Option<Status> {
    let socket = world.state().join("admin.sock");
    ask(&socket, &AdminRequest::Status).await.ok()?.status
}

/// A connection to the node as `party`, as soon as it takes one.
pub(super) async fn caller(world: &World, party: Party) -> Caller {
    world.caller(party).await
}

/// An ordinary call is answered.
pub(super) async fn answers(caller: &Caller) -> [u8; 16] {
    let question = call(GRANT);
    let answered = tokio::time::timeout(PATIENCE, caller.verify(&question)).await;
    let answered = answered.expect("an answer in time").expect("an answer");
    assert_eq!(answered.value.as_str(), "MATCH");
    question.id.0
}

/// Calls that were answered are on record, each once.
pub(super) fn on_record(records: &[Record], answered: &[[u8; 16]]) {
    let recorded: Vec<[u8; 16]> = records
        .iter()
        .filter(|record| record.draft.kind == Kind::Call)
        .map(|record| record.draft.call.0)
        .collect();
    for id in answered {
        let times = recorded.iter().filter(|recorded| *recorded == id).count();
        assert_eq!(times, 1, "an answered call is on record {times} times");
    }
}

/// The code of a call that is not answered, or none if the connection was lost.
pub(super) async fn refused(caller: &Caller) -> Result<[u8; 16], Option<ErrorCode>> {
    let question = call(GRANT);
    match patiently("a call", caller.verify(&question)).await {
        Ok(_) => Ok(question.id.0),
        Err(failed) => Err(failed.code()),
    }
}
