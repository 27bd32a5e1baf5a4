//! The register of one statement by itself: what answers with noise are made of.
//!
//! Its cells are as fine as this one statement asks and are neither merged nor withheld: noise, not size, is what
//! protects there. So such a statement takes no part in the blocks of the exact ones, and does not coarsen them.

use super::axes::{Axis, refine};
use super::read::{Reading, read};
use super::register::{Kept, Register};
use super::{PartitionRefused, Surroundings, kept_of};
use crate::engine::Tables;
use crate::plan::Partial;
use crate::template::Template;

/// Reads what each entity has in each cell of the statement; the numbers are those of `partials`, and the rows.
///
/// Fails for what is wrong with the tables, which is found when the product opens, and for nothing that depends on a
/// call.
pub(crate) async fn alone(
    template: &Template,
    partials: &[Partial],
    tables: &Tables,
    around: &Surroundings<'_>,
) -> Result<(Register, Vec<usize>), PartitionRefused> {
    let templates = [template];
    let axes: Vec<Axis> =
        refine(&templates, &[]).map_err(|differ| PartitionRefused::DomainsDiffer(differ.0))?;
    let mut kept = vec![Kept::Rows];
    let mut columns = Vec::with_capacity(partials.len());
    for partial in partials {
        let wanted = kept_of(template, *partial);
        let known = kept.iter().position(|known| *known == wanted);
        columns.push(known.unwrap_or(kept.len()));
        if known.is_none() {
            kept.push(wanted);
        }
    }
    let reading = Reading {
        templates: &templates,
        axes,
        kept,
        bytes_max: around.limits.memory_bytes_max,
        key: around.key,
    };
    let register = read(reading, tables, around.state).await?;
    Ok((register, columns))
}
