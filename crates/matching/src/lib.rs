//! Comparators and the keyed index for verification.
