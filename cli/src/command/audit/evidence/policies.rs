//! The witnesses' policies that a package's reports rest on where they say R3.
//!
//! A report must say the same to whoever reads it, with more keys or fewer. So the package carries the trust files of head
//! logs that its extractor used, the reports name them, and whoever checks the package makes the reports again with them.
//! They are the extractor's word: with a trust file of the same head log the reader's own judges each receipt as well.

use std::path::PathBuf;

use lingqu_core::Timestamp;
use lingqu_core::head::head_log_of;
use lingqu_core::receipt::Receipt;
use lingqu_core::trust::Trust;
use lingqu_tlog::Intl;

use super::{HEADS, refused};
use crate::command::audit::verify::pick;
use crate::failure::Failure;
use crate::written;

/// Trust files of head logs: the file in the package, its text, and what it says.
#[derive(Default)]
pub(super) struct Policies(Vec<(String, String, Trust<Intl>)>);

/// By which policy a record is witnessed, and when the last of its witnesses cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witnessed {
    pub(super) policy: String,
    pub(super) at: Timestamp,
}

impl Policies {
    /// Those of the extractor's trust files that judge the head log of one of the receipts.
    pub(super) fn used(paths: &[PathBuf], receipts: &[Receipt]) -> Result<Policies, Failure> {
        let mut policies = Policies::default();
        for path in paths {
            let text = written::text(path)?;
            let trust = Trust::parse(&text).map_err(|error| Failure::file(path, error))?;
            if receipts.iter().any(|receipt| judges(&trust, receipt)) {
                let name = format!("{HEADS}/{:05}.policy", policies.0.len() + 1);
                policies.0.push((name, text, trust));
            }
        }
        Ok(policies)
    }

    /// One of a package, by the name of its file.
    pub(super) fn push(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), Failure> {
        let text = String::from_utf8(bytes).map_err(refused)?;
        let trust =
            Trust::parse(&text).map_err(|error| refused(format_args!("{path}: {error}")))?;
        self.0.push((path.to_owned(), text, trust));
        Ok(())
    }

    /// The files of a package.
    pub(super) fn files(&self) -> impl Iterator<Item = (String, String)> {
        self.0
            .iter()
            .map(|(path, text, _)| (path.clone(), text.clone()))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// By which of them the receipt is witnessed; nothing if none of them judges its head log.
    ///
    /// # Errors
    /// A receipt that one of them judges and does not hold by it.
    pub(super) fn witnessed(
        &self,
        receipt: &Receipt,
        trusts: &[Trust<Intl>],
    ) -> Result<Option<Witnessed>, Failure> {
        let mut policies = self.0.iter();
        let Some((path, _, heads)) = policies.find(|(_, _, trust)| judges(trust, receipt)) else {
            return Ok(None);
        };
        let trust = pick(trusts, &receipt.checkpoint.origin).ok_or(Failure::NotAuthenticated)?;
        let proven = receipt.verify_witnessed(trust, heads);
        let proven = proven.map_err(|error| refused(format_args!("{path}: {error}")))?;
        Ok(proven.witnessed_at.map(|at| Witnessed {
            policy: path.clone(),
            at,
        }))
    }
}

/// Whether the trust file has the head log of the receipt, and witnesses of it.
fn judges(trust: &Trust<Intl>, receipt: &Receipt) -> bool {
    let origin = head_log_of(&receipt.checkpoint.origin);
    let has_log = origin.is_some_and(|origin| trust.log(&origin).is_some());
    receipt.head.is_some() && has_log && trust.has_cosigners()
}
