//! What one engine and one template may cost. Each limit is fixed before data is read, never by it.

/// The limits. All are upper bounds; none can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardLimits {
    /// Memory that all runs of one engine may hold together, in bytes.
    pub memory_bytes_max: usize,
    /// Most rows of one answer. A template that could have more groups is refused when it is registered.
    pub rows_out_max: usize,
    /// Longest run, in seconds; waiting for a free place counts separately and is bounded by the same number.
    pub seconds_max: u64,
    /// Threads of the engine, and partitions of one plan.
    pub partitions: usize,
    /// Largest answer, in bytes. A template whose answer could be larger is refused when it is registered.
    pub result_bytes_max: usize,
    /// Longest SQL text of a template, in bytes.
    pub sql_bytes_max: usize,
}

impl Default for GuardLimits {
    /// 1 GiB of memory, 10,000 rows, 60 s, 2 threads, 4 MiB of answer, 16 KiB of SQL.
    fn default() -> Self {
        GuardLimits {
            memory_bytes_max: 1 << 30,
            rows_out_max: 10_000,
            seconds_max: 60,
            partitions: 2,
            result_bytes_max: 4 << 20,
            sql_bytes_max: 16 << 10,
        }
    }
}
