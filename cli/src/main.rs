//! `lingqu`, the one binary: whoever takes part in the network works with it.
//!
//! **What it is**: one command a file below `command/`; each reads its arguments, calls a library, and says what came of
//! it. **In scope**: arguments, files, the words for people, exit codes. **Out of scope**: everything else; whatever
//! decides, signs, verifies or serves is in a library.
//! **Start reading at** [`command`], then [`failure`] for the exit codes.

mod body_order;
mod claim;
mod command;
mod connection;
mod doctor;
mod document;
mod enrolment;
mod envelope_file;
mod explanation;
mod failure;
mod inspection;
mod interrupt;
mod language;
mod local_control;
mod log;
mod record_json;
mod session;
mod trust_file;
mod usage;
mod written;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::command::Arguments;
use crate::language::Language;
use crate::session::Session;

/// Many small allocations at a node come from many threads; this allocator takes them better than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let (mut out, mut notes) = (std::io::stdout(), std::io::stderr());
    let language = Language::asked_for(&words);
    // What cannot be understood must be said in the right form too.
    let as_json = words.iter().any(|word| word == "--json");
    let mut session = Session::new(&mut out, &mut notes, language).with_json(as_json);
    let ended = match Arguments::understand(&words, language) {
        Ok(arguments) => arguments.run(&mut session),
        Err(stopped) => stopped.tell(&mut session),
    };
    session.end(ended)
}
