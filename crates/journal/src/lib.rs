//! Durable frames, group commit, recovery, ledger as a fold.
