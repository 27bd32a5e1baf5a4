//! Free SQL to the two gates: accepted statements changed at random, and statements made of everything that SQL has.
//!
//! Most are refused, which costs little. What is accepted is held against the engine itself: over a register that hides
//! nothing both say the same, so that no clause is read in another way, and over one of nine entities nothing is shown.

use std::cell::Cell;

use proptest::prelude::*;

use super::oracles::{clean, clean_batch};
use super::runner;
use super::world::SECRET;
use crate::tests::register::*;

/// Statements that are accepted: what an attacker begins with.
const BEGINNINGS: [&str; 24] = [
    "SELECT count ( * ) AS n FROM flights",
    "SELECT carrier , count ( * ) AS n , sum ( distance ) AS s FROM flights GROUP BY carrier",
    "SELECT f . carrier , avg ( f . delay ) AS a FROM flights f WHERE f . month = 1 GROUP BY f . carrier",
    "SELECT count ( distinct tailnum ) AS e FROM flights WHERE carrier IN ( 'AA' , 'UA' ) AND month = 2",
    "SELECT state , count ( * ) AS n FROM flights JOIN airports ON origin = faa GROUP BY state ORDER BY n DESC LIMIT 2",
    "SELECT state , sum ( distance ) AS s FROM flights LEFT JOIN airports ON origin = faa WHERE flown >= '2013-01-01' GROUP BY state",
    "SELECT count ( distance ) AS c FROM flights WHERE flown >= '2013-01-01' AND flown < '2013-02-01'",
    "SELECT origin , month , count ( * ) AS n FROM flights GROUP BY origin , month ORDER BY n",
    "SELECT CASE WHEN carrier IN ( 'AA' , 'DL' ) THEN 'old' ELSE 'new' END AS age , count ( * ) AS n FROM flights GROUP BY age",
    "SELECT carrier , count ( * ) AS n FROM flights GROUP BY carrier HAVING count ( * ) > 11 AND sum ( distance ) <= 20000",
    "SELECT origin , sum ( distance ) / count ( * ) AS m FROM flights WHERE carrier <> 'DL' GROUP BY origin ORDER BY m",
    "SELECT month , round ( 100.0 * count ( delay ) / nullif ( count ( * ) , 0 ) , 1 ) AS p FROM flights GROUP BY month HAVING NOT count ( * ) < 12",
    "SELECT count ( * ) AS n FROM flights WHERE flown BETWEEN '2013-01-01' AND '2013-01-31' AND month BETWEEN 1 AND 2",
    "SELECT origin , count ( * ) AS n FROM flights GROUP BY origin ORDER BY count ( * ) DESC , origin",
    "SELECT CAST ( avg ( delay ) AS DECIMAL ( 9 , 2 ) ) AS d FROM flights WHERE carrier NOT IN ( 'AA' , 'UA' ) AND flown <= '2013-02-28'",
    "SELECT abs ( - sum ( distance ) ) + 1.5 AS x , CAST ( count ( * ) AS DOUBLE ) / 2 AS y FROM flights WHERE flown > '2013-01-31'",
    "SELECT carrier , month , 100.0 * sum ( distance ) / sum ( sum ( distance ) ) OVER ( PARTITION BY month ) AS x FROM flights GROUP BY carrier , month",
    "SELECT carrier , month , count ( * ) - lag ( count ( * ) ) OVER ( PARTITION BY carrier ORDER BY month DESC ) AS x FROM flights GROUP BY carrier , month",
    "SELECT origin , sum ( count ( * ) ) OVER ( ORDER BY origin ) AS x , rank ( ) OVER ( ORDER BY avg ( delay ) DESC ) AS r FROM flights GROUP BY origin ORDER BY r",
    "SELECT month , lead ( sum ( distance ) , 1 ) OVER ( ORDER BY month ) AS x , sum ( count ( * ) ) OVER ( ) AS t FROM flights GROUP BY month HAVING count ( * ) > 11",
    "SELECT count ( * ) AS n FROM flights WHERE carrier = 'AA' OR month = 2 AND NOT origin = 'JFK'",
    "SELECT origin , sum ( distance ) AS s FROM flights WHERE NOT ( carrier = 'AA' OR flown < '2013-02-01' ) GROUP BY origin",
    "SELECT CASE WHEN carrier = 'AA' OR carrier = 'DL' THEN 'old' WHEN NOT carrier = 'UA' THEN 'none' END AS x , count ( * ) AS n FROM flights WHERE month NOT BETWEEN 3 AND 4 GROUP BY x",
    "SELECT CASE WHEN flown < '2013-02-01' THEN 'early' END AS x , sum ( distance ) AS s FROM flights WHERE month = 1 GROUP BY x",
];

/// What is put into them: every word of the language, every column, functions, values, signs.
const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "DISTINCT",
    "ALL",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "LIKE",
    "IS",
    "NULL",
    "EXISTS",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST",
    "AS",
    "JOIN",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
    "NATURAL",
    "SEMI",
    "ANTI",
    "ON",
    "USING",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "WITH",
    "RECURSIVE",
    "VALUES",
    "OVER",
    "PARTITION",
    "ROWS",
    "FILTER",
    "WITHIN",
    "TABLESAMPLE",
    "LATERAL",
    "UNNEST",
    "FOR",
    "UPDATE",
    "QUALIFY",
    "TOP",
    "INTO",
    "EXPLAIN",
    "ANALYZE",
    "true",
    "false",
    "ASC",
    "DESC",
    "NULLS",
    "FIRST",
    "ROLLUP",
    "CUBE",
    "GROUPING",
    "SETS",
    "INTERVAL",
    "DATE",
    "ARRAY",
    "STRUCT",
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "median",
    "array_agg",
    "string_agg",
    "first_value",
    "nullif",
    "abs",
    "round",
    "DECIMAL ( 9 , 2 )",
    "DOUBLE",
    "HAVING count ( * ) > 11",
    "sum ( distance )",
    "count ( * )",
    "coalesce",
    "substring",
    "md5",
    "random",
    "now",
    "version",
    "row_number ( ) OVER ( ORDER BY month )",
    "rank ( ) OVER ( ORDER BY count ( * ) )",
    "OVER ( )",
    "OVER ( PARTITION BY month )",
    "OVER ( ORDER BY tailnum )",
    "PARTITION BY tailnum",
    "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
    "lag",
    "lead",
    "flights",
    "airports",
    "information_schema",
    "tailnum",
    "carrier",
    "month",
    "origin",
    "flown",
    "distance",
    "delay",
    "pilot",
    "faa",
    "state",
    "altitude",
    "n",
    "f",
    "a",
    "$p",
    "$1",
    "?",
    "( SELECT tailnum FROM flights )",
    "( SELECT max ( distance ) FROM flights )",
    "sum ( CASE WHEN tailnum = 'ZQXJ-3' THEN distance ELSE 0 END )",
    "tailnum = 'ZQXJ-3'",
    "tailnum <> 'ZQXJ-3'",
    "OR distance > 4000",
    "AND pilot = 'x'",
    "( ( (",
    ") ) )",
    "'AA'",
    "'UA'",
    "'ZQXJ-3'",
    "'2013-01-01'",
    "'2013-01-02'",
    "'NY'",
    "0",
    "1",
    "2",
    "-1",
    "1.5",
    "1e3",
    "9223372036854775807",
    "(",
    ")",
    ",",
    ".",
    "*",
    "=",
    "<>",
    "<",
    ">",
    "<=",
    ">=",
    "+",
    "-",
    "/",
    "%",
    "||",
    "::",
    ";",
    "--",
    "/*",
    "*/",
    "\"",
    "'",
    "@",
    "#",
    "~",
    "!",
    "[",
    "]",
    "{",
    "}",
    ":",
    "&",
    "|",
    "^",
    "\\",
    "｜",
    "ｔailnum",
    "\u{0}",
    "\u{200b}",
];

/// One change of a list of words.
#[derive(Clone, Debug)]
enum Change {
    Drop(prop::sample::Index),
    Put(prop::sample::Index, usize),
    Replace(prop::sample::Index, usize),
    Swap(prop::sample::Index, prop::sample::Index),
    /// A piece of another beginning.
    Graft(prop::sample::Index, usize, prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<prop::sample::Index>;
    let word = || 0..WORDS.len();
    prop_oneof![
        2 => place().prop_map(Change::Drop),
        3 => (place(), word()).prop_map(|(at, word)| Change::Put(at, word)),
        3 => (place(), word()).prop_map(|(at, word)| Change::Replace(at, word)),
        1 => (place(), place()).prop_map(|(one, two)| Change::Swap(one, two)),
        2 => (place(), 0..BEGINNINGS.len(), place(), 1..6_usize)
            .prop_map(|(at, from, piece, length)| Change::Graft(at, from, piece, length)),
    ]
}

fn changed(beginning: usize, changes: &[Change]) -> String {
    let words_of = |at: usize| BEGINNINGS[at].split(' ').collect::<Vec<&str>>();
    let mut words = words_of(beginning);
    for change in changes {
        if words.is_empty() {
            break;
        }
        match change {
            Change::Drop(at) => {
                words.remove(at.index(words.len()));
            }
            Change::Put(at, word) => words.insert(at.index(words.len()), WORDS[*word]),
            Change::Replace(at, word) => {
                let at = at.index(words.len());
                words[at] = WORDS[*word];
            }
            Change::Swap(one, two) => {
                let (one, two) = (one.index(words.len()), two.index(words.len()));
                words.swap(one, two);
            }
            Change::Graft(at, from, piece, length) => {
                let other = words_of(*from);
                let piece = piece.index(other.len());
                let end = (piece + length).min(other.len());
                let at = at.index(words.len());
                words.splice(at..at, other[piece..end].iter().copied());
            }
        }
    }
    words.join(" ")
}

/// A register in which every group has enough, every value is declared and within bounds, and nobody stands out.
fn open_fleet() -> Vec<Flight> {
    (0..360_usize)
        .map(|at| Flight {
            tail: Some(format!("{SECRET}-{}", at % 12)),
            carrier: ["AA", "DL", "UA"][at / 12 % 3],
            month: (at / 36 % 2) as i64 + 1,
            origin: ["EWR", "JFK", "LGA"][at / 72 % 3],
            day: day(["2013-01-15", "2013-02-15"][at / 216 % 2]),
            distance: Some(100),
            delay: Some(2.0),
        })
        .collect()
}

fn nine() -> Vec<Flight> {
    open_fleet()
        .into_iter()
        .filter(|flight| !matches!(flight.tail.as_deref(), Some("ZQXJ-0" | "ZQXJ-1" | "ZQXJ-2")))
        .collect()
}

/// What is accepted says what the engine says, and nothing of nine.
fn judge(sql: &str, engines: &(crate::Engine, crate::Engine)) {
    let template = register(sql).unwrap();
    for told in template.explain().sentences {
        clean(&told.en, &sql);
        clean(&told.zh, &sql);
    }
    let Ok(answer) = run_template(&template, &engines.0, &[]) else {
        // Contradictory conditions are no plan any more.
        assert!(sql.contains("WHERE"), "{sql}");
        return;
    };
    clean_batch(&answer, &sql);
    let of_nine = run_template(&template, &engines.1, &[]).unwrap();
    assert_eq!(of_nine.num_rows(), 0, "{sql}");
    // Where a division has no value the engine fails or goes on with an infinity, and the guard with NULL.
    let divided = sql.contains('/');
    let bare = std::panic::catch_unwind(|| rows(&oracle(sql, &open_fleet())));
    let odd = |bare: &[Vec<String>]| {
        let odd = |cell: &String| cell.contains("inf") || cell.contains("NaN");
        bare.iter().flatten().any(odd)
    };
    let bare = match bare {
        Ok(bare) if !(divided && odd(&bare)) => bare,
        _ if divided => return,
        _ => panic!("the engine does not run {sql}"),
    };
    let (mut mine, mut bare) = (rows(&[answer]), bare);
    mine.sort();
    bare.sort();
    let limited = sql.to_ascii_uppercase().contains("LIMIT");
    // Ties have no order in the engine.
    let placed = sql.to_ascii_lowercase().contains("row_number");
    if limited || placed {
        // Ties may be cut in another order.
        assert_eq!(mine.len(), bare.len(), "{sql}");
    } else if mine.is_empty() {
        // A total of nothing is one row of zero for the engine and none for the guard.
        assert!(bare.len() <= 1, "{sql}: {bare:?}");
    } else {
        assert_eq!(mine, bare, "{sql}");
    }
}

#[test]
fn changed_statements_are_refused_or_read_as_the_engine_reads_them() {
    let engines = (engine(&open_fleet()), engine(&nine()));
    let (tried, accepted) = (Cell::new(0_u32), Cell::new(0_u32));
    let strategy = (0..BEGINNINGS.len(), prop::collection::vec(change(), 0..5));
    let run = runner(3_000).run(&strategy, |(beginning, changes)| {
        let sql = changed(beginning, &changes);
        tried.set(tried.get() + 1);
        match register(&sql) {
            Ok(_) => {
                accepted.set(accepted.get() + 1);
                // Every accepted form is judged, the unchanged ones now and then.
                if !changes.is_empty() || tried.get().is_multiple_of(16) {
                    judge(&sql, &engines);
                }
            }
            Err(refused) => {
                clean(&format!("{refused} {} {refused:?}", refused.zh()), &sql);
            }
        }
        Ok(())
    });
    run.unwrap_or_else(|found| panic!("{found}"));
    println!("{} tried, {} accepted", tried.get(), accepted.get());
    assert!(super::is_mutated() || accepted.get() * 50 > tried.get());
}
