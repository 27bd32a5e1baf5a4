//! The data plane: one call from first byte to last.
