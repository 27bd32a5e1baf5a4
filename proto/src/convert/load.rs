//! The verified reading of a resource that an answer was made from.

use lingqu_core::product::Load;

use super::FieldInvalid;
use super::field::{instant, name, parse};
use crate::pb;

/// The load that an answer names.
///
/// # Errors
/// [`FieldInvalid`] names the field, with `load` before it.
pub fn load_from_pb(load: &pb::LoadRef) -> Result<Load, FieldInvalid> {
    Ok(Load {
        id: parse("load.id", &load.id)?,
        resource: name("load.resource", load.resource.clone())?,
        as_of: instant("load.as_of_us", load.as_of_us)?,
    })
}

/// The load for the wire.
pub fn load_to_pb(load: &Load) -> pb::LoadRef {
    pb::LoadRef {
        id: load.id.to_string(),
        resource: load.resource.clone(),
        as_of_us: load.as_of.0,
    }
}
