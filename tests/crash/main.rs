//! A small process that is made to be killed: `lingqu-crash journal-lagged|journal-mirrored|node|coordinator DIR`.
//!
//! In scope: the real recording path over real files, driven by lines on standard input, answering on standard output.
//! Out of scope: choosing when it dies and judging what it left; that is the test's part (`tests/it/crash.rs`).
//! Start reading at [`protocol`], then [`journal`].

mod coordinator;
mod journal;
mod node;
#[allow(dead_code, reason = "shared with the test; each side uses its half")]
mod plane;
mod protocol;
mod voice;
#[allow(dead_code, reason = "shared with the test; each side uses its half")]
mod world;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [mode, dir] = args.as_slice() else {
        return ExitCode::from(2);
    };
    let dir = Path::new(dir);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the system gives threads");
    runtime.block_on(async {
        match mode.as_str() {
            "journal-lagged" => journal::run(dir, world::LAGGED).await,
            "journal-mirrored" => journal::run(dir, world::MIRRORED).await,
            "node" => node::run(dir).await,
            "coordinator" => coordinator::run(dir).await,
            _ => return ExitCode::from(2),
        }
        ExitCode::SUCCESS
    })
}
