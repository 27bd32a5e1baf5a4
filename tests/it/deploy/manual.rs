//! The deployment manual: both languages have the same commands, and those marked `sh run` are run, in their order, from
//! an empty directory to a node that answered, was stopped, restored and renewed.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::binary::{self, lingqu, root};

const MANUALS: [&str; 2] = ["docs/deployment.md", "docs/deployment.zh-CN.md"];

/// The fenced blocks of a manual, each with what stands behind its fence.
fn blocks(manual: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join(manual)).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(kind), None) => open = Some((kind.to_owned(), String::new())),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some((kind, body))) => open = Some((kind, body + line + "\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{manual}: a block is not closed");
    blocks
}

#[test]
fn both_languages_have_the_same_commands() {
    let [english, chinese] = MANUALS.map(blocks);
    assert!(english.len() > 12);
    assert_eq!(english, chinese);
    for (kind, _) in english {
        assert!(["sh", "sh run"].contains(&kind.as_str()), "{kind}");
    }
}

#[test]
fn the_commands_lead_from_nothing_to_a_node_that_answers() {
    let run: Vec<String> = blocks(MANUALS[0])
        .into_iter()
        .filter(|(kind, _)| kind == "sh run")
        .map(|(_, body)| body)
        .collect();
    assert!(run.len() >= 12, "only {} blocks are run", run.len());
    let dir = tempfile::tempdir_in(binary::target()).unwrap();
    // Whatever becomes of it, no service stays behind.
    let script = format!(
        "set -euo pipefail\ntrap 'for pid in *.pid; do kill $(cat $pid) 2> /dev/null || true; done' EXIT\n{}",
        run.join("\n")
    );
    let mut path = std::ffi::OsString::from(lingqu().parent().unwrap());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let log = fs::File::create(dir.path().join("manual.log")).unwrap();
    let status = Command::new("timeout")
        .args(["--kill-after=10", "300", "bash", "-xc", &script])
        .current_dir(dir.path())
        .env("PATH", path)
        .env("COORDINATOR", free())
        .env("NODE", free())
        .env("LANG", "C")
        .env_remove("LC_ALL")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .status()
        .unwrap();
    let told = fs::read_to_string(dir.path().join("manual.log")).unwrap();
    let end: Vec<&str> = told.lines().rev().take(60).collect();
    let end: Vec<&str> = end.into_iter().rev().collect();
    assert!(status.success(), "{}", end.join("\n"));
    let answers = told.lines().filter(|line| *line == "MATCH").count();
    assert!(answers >= 5, "{}", end.join("\n"));
}

/// An address of this machine where nobody listens now.
fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
