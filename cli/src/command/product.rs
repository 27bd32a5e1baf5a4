//! `lingqu product`: Registered products.

use clap::Args;

use crate::command::object::Verb;
use crate::failure::Failure;
use crate::session::Session;

/// What to do with it.
#[derive(Args, Debug)]
pub(crate) struct Product {
    #[command(subcommand)]
    verb: Verb,
}

impl Product {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        self.verb.run::<lingqu_core::product::Product>(session)
    }
}
