//! Where a call runs.

use lingqu_core::grant::Environment;

use super::FieldInvalid;
use super::field::refuse;
use crate::pb;

/// The environment with this number.
///
/// # Errors
/// [`FieldInvalid`] for `ENVIRONMENT_UNSPECIFIED` and unknown numbers.
pub fn environment_from_pb(number: i32) -> Result<Environment, FieldInvalid> {
    match pb::Environment::try_from(number) {
        Ok(pb::Environment::Test) => Ok(Environment::Test),
        Ok(pb::Environment::ProdDebug) => Ok(Environment::ProdDebug),
        Ok(pb::Environment::Prod) => Ok(Environment::Prod),
        Ok(pb::Environment::Unspecified) | Err(_) => {
            refuse("environment", "is unspecified or unknown")
        }
    }
}

/// The environment for the wire.
pub fn environment_to_pb(environment: Environment) -> pb::Environment {
    match environment {
        Environment::Test => pb::Environment::Test,
        Environment::ProdDebug => pb::Environment::ProdDebug,
        Environment::Prod => pb::Environment::Prod,
    }
}
