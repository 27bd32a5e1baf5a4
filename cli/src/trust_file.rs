//! The file of whom offline checks and callers believe (C2SP tlog-policy).

use std::path::Path;

use lingqu_core::trust::Trust;
use lingqu_tlog::Intl;

use crate::failure::Failure;
use crate::written;

/// Reads it.
pub(crate) fn read(path: &Path) -> Result<Trust<Intl>, Failure> {
    Trust::parse(&written::text(path)?).map_err(|error| Failure::file(path, error))
}
