//! `lingqu policy`: the unit's policy on a resource.

mod check;

use clap::{Args, Subcommand};

use crate::command::object::Verb;
use crate::failure::Failure;
use crate::session::Session;

/// What to do with it.
#[derive(Args, Debug)]
pub(crate) struct Policy {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Subcommand, Debug)]
enum PolicyVerb {
    #[command(flatten)]
    Object(Verb),
    /// Say in plain words what it would allow · 用平实语言说明其允许的内容
    Check(check::Check),
}

impl Policy {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.verb {
            PolicyVerb::Object(verb) => verb.run::<lingqu_core::product::SignedPolicy>(session),
            PolicyVerb::Check(check) => check.run(session),
        }
    }
}
