//! `lingqu policy`: The unit's policy on a resource.

use clap::Args;

use crate::command::object::Verb;
use crate::failure::Failure;
use crate::session::Session;

/// What to do with it.
#[derive(Args, Debug)]
pub(crate) struct Policy {
    #[command(subcommand)]
    verb: Verb,
}

impl Policy {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        self.verb.run::<lingqu_core::product::SignedPolicy>(session)
    }
}
