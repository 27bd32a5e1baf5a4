//! `lingqu approval`: The unit's approval of a product version.

use clap::Args;

use crate::command::object::Verb;
use crate::failure::Failure;
use crate::session::Session;

/// What to do with it.
#[derive(Args, Debug)]
pub(crate) struct Approval {
    #[command(subcommand)]
    verb: Verb,
}

impl Approval {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        self.verb.run::<lingqu_core::product::Approval>(session)
    }
}
