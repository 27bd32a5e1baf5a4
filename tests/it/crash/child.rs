//! One life of the child: start it, talk to it, end it at the chosen moment.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use lingqu_core::Clock;
use lingqu_journal::SystemClock;
use rand::Rng;
use rand::rngs::StdRng;

use super::protocol::{Said, Told};

/// A child that says nothing for so long hangs, which is a failure of its own.
const PATIENCE: Duration = Duration::from_secs(60);

/// About how long a group commit takes on a disk, in µs.
const COMMIT_US: u64 = 3_000;

/// When the child is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// So long after its start.
    After(Duration),
    /// So long after it said so many lines.
    Lines(usize, Duration),
    /// Never: it ends by itself when its input ends.
    Never,
}

impl Moment {
    /// A random moment: a quarter while it opens, a quarter when it begins to answer, half between two answers.
    /// `lines` is how many it says for certain, `opening_us` about how long it takes to open.
    pub(crate) fn random(random: &mut StdRng, lines: usize, opening_us: u64) -> Moment {
        match random.random_range(0..4) {
            0 => Moment::After(Duration::from_micros(random.random_range(0..opening_us))),
            1 => {
                let about = opening_us..opening_us * 2;
                Moment::After(Duration::from_micros(random.random_range(about)))
            }
            _ => {
                let after = random.random_range(0..COMMIT_US);
                Moment::Lines(random.random_range(1..=lines), Duration::from_micros(after))
            }
        }
    }
}

/// How long the child takes to open in `dir`, undisturbed, in µs: kills are spread over that.
pub(crate) fn opening_us(mode: &str, dir: &Path) -> u64 {
    // The first start also makes the files.
    (0..3).map(|_| one_opening_us(mode, dir)).min().unwrap()
}

fn one_opening_us(mode: &str, dir: &Path) -> u64 {
    let begun = SystemClock.monotonic();
    let mut life = Life::begin(mode, dir, Moment::Never);
    life.hear().expect("the child opens");
    let took = SystemClock.monotonic().saturating_sub(begun);
    life.let_go();
    while life.hear().is_some() {}
    assert!(life.ended().status.success());
    u64::try_from(took.as_micros()).unwrap().max(1_000)
}

/// A running child.
pub(crate) struct Life {
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    said: Sender<()>,
    killer: JoinHandle<Ended>,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The kill was sent, whether or not it came first.
    pub(crate) kill_sent: bool,
}

impl Life {
    /// Starts `lingqu-crash MODE DIR`, to be killed at `moment`.
    pub(crate) fn begin(mode: &str, dir: &Path, moment: Moment) -> Life {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lingqu-crash"))
            .arg(mode)
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (said, lines) = channel();
        let killer = std::thread::spawn(move || end(child, moment, &lines));
        Life {
            input,
            output,
            said,
            killer,
        }
    }

    /// Tells it something. It may be dead already.
    pub(crate) fn tell(&mut self, told: &[Told]) {
        let mut lines = Vec::new();
        for told in told {
            serde_json::to_writer(&mut lines, told).unwrap();
            lines.push(b'\n');
        }
        if let Some(input) = &mut self.input {
            let _ = input.write_all(&lines);
        }
    }

    /// The next whole line it said; none when it has ended. A torn line was never received.
    pub(crate) fn hear(&mut self) -> Option<Said> {
        let mut line = Vec::new();
        self.output.read_until(b'\n', &mut line).unwrap();
        if line.last() != Some(&b'\n') {
            return None;
        }
        let _ = self.said.send(());
        Some(serde_json::from_slice(&line).unwrap())
    }

    /// Ends its input: it comes to its own end, unless it is killed before.
    pub(crate) fn let_go(&mut self) {
        self.input = None;
    }

    /// Waits for its end.
    pub(crate) fn ended(self) -> Ended {
        drop(self.input);
        drop(self.said);
        self.killer.join().unwrap()
    }
}

fn end(mut child: Child, moment: Moment, lines: &Receiver<()>) -> Ended {
    let kill_sent = match moment {
        Moment::After(delay) => {
            // A wake-up before its time only makes the moment more random.
            std::thread::park_timeout(delay);
            true
        }
        Moment::Lines(count, delay) => {
            let mut all = (0..count).map(|_| lines.recv_timeout(PATIENCE));
            match all.find_map(Result::err) {
                Some(RecvTimeoutError::Timeout) => return hung(child),
                // It ended by itself: for the test to judge.
                Some(RecvTimeoutError::Disconnected) => false,
                None => {
                    std::thread::park_timeout(delay);
                    true
                }
            }
        }
        Moment::Never => loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => return hung(child),
                Err(RecvTimeoutError::Disconnected) => break false,
            }
        },
    };
    if kill_sent {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    Ended { status, kill_sent }
}

fn hung(mut child: Child) -> Ended {
    child.kill().unwrap();
    let status = child.wait().unwrap();
    panic!("the child hung and was ended: {status}");
}
