//! Standard output and input of the child, as lines of the protocol.

use std::fs::File;
use std::io::{BufRead, Write};
use std::os::fd::AsFd;
use std::sync::Mutex;

use tokio::sync::mpsc;

use crate::protocol::{Said, Told};

/// Says lines, each with one write: the standard library's own buffering would split long ones.
pub(crate) struct Voice(Mutex<File>);

impl Voice {
    pub(crate) fn new() -> Voice {
        let stdout = std::io::stdout().as_fd().try_clone_to_owned();
        Voice(Mutex::new(stdout.expect("stdout is open").into()))
    }

    /// Says one line. If nobody listens any more, the process ends: it is there for its test only.
    pub(crate) fn say(&self, said: &Said) {
        let mut line = serde_json::to_vec(said).expect("the protocol is representable");
        line.push(b'\n');
        let mut stdout = self.0.lock().expect("no holder panics");
        if stdout.write_all(&line).is_err() {
            std::process::exit(3);
        }
    }
}

/// The lines of standard input, until it ends.
pub(crate) fn told() -> mpsc::UnboundedReceiver<Told> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let told = line.ok().and_then(|line| serde_json::from_str(&line).ok());
            let Some(told) = told else { return };
            if sender.send(told).is_err() {
                return;
            }
        }
    });
    receiver
}
