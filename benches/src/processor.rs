//! Where the processor time goes: the kernel's counters of this process's threads, by group of threads.
//!
//! Every runtime names its threads, and so do the two journals' committers; the difference of two readings then says
//! what each part cost while a case ran. The kernel counts time in ticks of 10 ms, so short rounds are summed up.

use std::collections::BTreeMap;
use std::fs;

/// What a group of threads has used since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Processor time, in microseconds.
    pub(crate) processor_us: f64,
    /// How often a thread went to sleep by itself and so had to be woken.
    pub(crate) waits: f64,
}

/// Usage by the threads' names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usages(BTreeMap<String, Usage>);

/// Microseconds of one tick of `/proc`, which is 1/100 s on every Linux.
const TICK_US: f64 = 10_000.0;

impl Usages {
    /// Reads the counters of all threads that live now. What cannot be read counts as nothing: these numbers explain,
    /// nothing depends on them.
    pub(crate) fn now() -> Usages {
        let mut usages = Usages::default();
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
        for thread in threads.flatten() {
            let read = |file| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
            let usage = usages.0.entry(read("comm").trim().to_owned()).or_default();
            usage.processor_us += processor_us(&read("stat"));
            usage.waits += waits(&read("status"));
        }
        usages
    }

    /// Adds what was used between `before` and `after`.
    pub(crate) fn add(&mut self, before: &Usages, after: &Usages) {
        for (name, after) in &after.0 {
            let before = before.0.get(name).copied().unwrap_or_default();
            let sum = self.0.entry(name.clone()).or_default();
            sum.processor_us += after.processor_us - before.processor_us;
            sum.waits += after.waits - before.waits;
        }
    }

    /// These groups alone.
    pub(crate) fn of(&self, names: &[&str]) -> Usages {
        let named = self
            .0
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()));
        Usages(named.map(|(name, usage)| (name.clone(), *usage)).collect())
    }

    /// One line: what a call cost in each group, the groups that took part only.
    pub(crate) fn per_call(&self, calls: usize) -> String {
        let calls = calls.max(1) as f64;
        let parts = self.0.iter().filter_map(|(name, usage)| {
            let (us, waits) = (usage.processor_us / calls, usage.waits / calls);
            (us >= 0.5).then(|| format!("{name} {us:.1} us/{waits:.1}"))
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// User and system time of `/proc/…/stat`: fields 14 and 15, counted behind the name, which may contain spaces.
fn processor_us(stat: &str) -> f64 {
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * TICK_US
}

fn waits(status: &str) -> f64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_are_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14";
        // 1 is field 4, so fields 14 and 15 are 11 and 12.
        assert_eq!(processor_us(stat), 23.0 * TICK_US);
        assert_eq!(processor_us("") + waits(""), 0.0);
        assert_eq!(waits("Name: x\nvoluntary_ctxt_switches:\t41\n"), 41.0);
    }

    #[test]
    fn groups_that_took_no_part_are_not_told() {
        let used = |us| {
            let usage = Usage {
                processor_us: us,
                waits: 20.0,
            };
            Usages([("node".to_owned(), usage)].into())
        };
        let mut sum = Usages::default();
        sum.add(&used(100.0), &used(1_100.0));
        assert_eq!(sum.per_call(10), "node 100.0 us/0.0");
        assert_eq!(sum.per_call(1_000_000), "");
    }
}
