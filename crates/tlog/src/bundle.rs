//! Entry bundles (C2SP tlog-tiles v0.1.0): the entries of a tile, each behind its length.
//!
//! An entry has at most 65,535 bytes, since its length is a big-endian 16-bit number. Both
//! directions are exact: a bundle has one spelling.

/// Largest entry in bytes.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// Writes a bundle.
///
/// # Errors
/// [`EntryTooLarge`] when an entry has more than [`MAX_ENTRY_BYTES`].
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, EntryTooLarge> {
    let mut bundle = Vec::new();
    for entry in entries {
        push_entry(&mut bundle, entry.as_ref())?;
    }
    Ok(bundle)
}

/// Appends one entry to a bundle.
///
/// # Errors
/// [`EntryTooLarge`]: the bundle is then as it was.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntryTooLarge> {
    let len = u16::try_from(entry.len()).map_err(|_| EntryTooLarge)?;
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Reads a bundle of exactly `width` entries.
///
/// # Errors
/// [`BundleMalformed`] when it has more, fewer or a cut one.
pub fn decode_bundle(bundle: &[u8], width: u64) -> Result<Vec<&[u8]>, BundleMalformed> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        if entries.len() as u64 == width {
            return Err(BundleMalformed);
        }
        let (entry, after) = split_entry(rest).ok_or(BundleMalformed)?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() as u64 == width {
        Ok(entries)
    } else {
        Err(BundleMalformed)
    }
}

/// The first entry and what follows it; `None` when it is not complete.
pub(crate) fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

/// An entry that no bundle can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry has more than {MAX_ENTRY_BYTES} bytes")]
pub struct EntryTooLarge;

/// Bytes that are not a bundle of the expected number of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a bundle of the expected number of entries")]
pub struct BundleMalformed;

#[cfg(test)]
mod tests;
