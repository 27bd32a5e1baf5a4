//! The inference: words of the language in any order, over a policy that opens some uses of some columns.

#![no_main]

mod flights;

use libfuzzer_sys::fuzz_target;

/// Enough to write every accepted statement and most of the others.
const WORDS: &[&str] = &[
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "AND", "OR", "NOT", "IN", "AS",
    "JOIN", "LEFT JOIN", "ON", "HAVING", "UNION ALL", "CASE WHEN", "THEN", "ELSE", "END",
    "DISTINCT", "OVER", "FILTER", "BETWEEN", "IS NULL", "LIKE", "EXISTS", "WITH", "VALUES", "CAST",
    "count", "sum", "avg", "min", "date_trunc", "count(*)", "sum(distance)", "avg(delay)",
    "count(distinct tailnum)", "flights", "airports", "f", "a", "tailnum", "carrier", "month",
    "origin", "flown", "distance", "delay", "pilot", "faa", "state", "'AA'", "'UA'", "'NY'",
    "'2013-01-01'", "'2013-02-01'", "'month'", "'year'", "'it'", "1", "2", "13", "-1", "(", ")",
    ",", ".", "*", "=", "<", ">=", "<>", "$p", "n", "DESC",
    "SELECT count(*) AS n FROM flights", "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier",
    "JOIN airports ON origin = faa", "WHERE carrier = 'UA'", "WHERE flown >= '2013-01-01'",
    "CASE WHEN carrier = 'UA' THEN 'it' END",
];

fuzz_target!(|data: &[u8]| {
    let Some((uses, words)) = data.split_first_chunk::<8>() else {
        return;
    };
    let words: Vec<&str> = { words.iter() }
        .take(64)
        .map(|byte| WORDS[usize::from(*byte) % WORDS.len()])
        .collect();
    flights::judge(&words.join(" "), u64::from_le_bytes(*uses));
});
