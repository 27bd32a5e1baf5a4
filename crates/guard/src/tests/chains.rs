//! The longest flat chains of operators that a statement may have: the parser's limit of depth does not count them, since it
//! reads them in a loop, and makes of them a tree as deep as they are long. On a small stack each must be answered or
//! refused; a stack that overflows ends the whole process.

use super::register::*;

/// Less than the 2 MiB that a thread has wherever a node reads statements. Planning the plainest statement takes more than a
/// quarter of a MiB in a build without optimisation, so that less would measure the planner.
const STACK_BYTES: usize = 1_536 << 10;

/// A statement of `head`, as many `link`s as the limits of a statement allow, and `tail`.
fn longest(head: &str, link: &str, tail: &str) -> String {
    let limits = crate::GuardLimits::default();
    let room = limits.sql_bytes_max - head.len() - tail.len();
    format!("{head}{}{tail}", link.repeat(room / link.len()))
}

/// The longest that is not refused for its length alone, of the same.
fn longest_read(head: &str, link: &str, tail: &str) -> String {
    let mut links = longest(head, link, tail).matches(link).count();
    let of = |links: usize| format!("{head}{}{tail}", link.repeat(links));
    while links > 1 && refusal(&of(links)) == Some("SQL_LONG".to_owned()) {
        links -= links.div_ceil(16);
    }
    of(links)
}

fn refusal(sql: &str) -> Option<String> {
    let sql = sql.to_owned();
    let registered = move || {
        register(&sql)
            .err()
            .map(|refused| refused.code().to_owned())
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    thread.spawn(registered).unwrap().join().unwrap()
}

#[test]
fn the_longest_chains_are_answered_or_refused_on_a_small_stack() {
    for (head, link, tail) in [
        ("SELECT count(*)", "+1", " AS n FROM flights"),
        ("SELECT count(*)", "-1", " AS n FROM flights"),
        ("SELECT count(*)", "*1", " AS n FROM flights"),
        ("SELECT count(*)", "/1", " AS n FROM flights"),
        ("SELECT count(*)", "+count(*)", " AS n FROM flights"),
        ("SELECT count(*)", "+$n", " AS n FROM flights"),
        ("SELECT round(count(*)", "+1", ", 2) AS n FROM flights"),
        (
            "SELECT count(*) AS n FROM flights WHERE month=1",
            " OR month=1",
            "",
        ),
        (
            "SELECT count(*) AS n FROM flights WHERE month=1",
            " AND month=1",
            "",
        ),
        (
            "SELECT count(*) AS n FROM flights WHERE NOT(month=1",
            " OR month=1",
            ")",
        ),
        ("SELECT count(*) AS n FROM flights WHERE month=1", "=1", ""),
        ("SELECT count(*) AS n FROM flights WHERE month=1", "+1", ""),
        (
            "SELECT count(*) AS n FROM flights HAVING count(*)>1",
            " AND count(*)>1",
            "",
        ),
        (
            "SELECT count(*) AS n FROM flights HAVING count(*)>1",
            " OR count(*)>1",
            "",
        ),
        (
            "SELECT count(*) AS n FROM flights HAVING count(*)",
            "+1",
            ">1",
        ),
        (
            "SELECT sum(CASE WHEN month=1",
            " OR month=1",
            " THEN 1 ELSE 0 END) AS n FROM flights",
        ),
        ("SELECT sum(distance", "+1", ") AS n FROM flights"),
    ] {
        for sql in [longest(head, link, tail), longest_read(head, link, tail)] {
            // What comes of it is for other tests; here something has to come of it.
            let _ = refusal(&sql);
        }
    }
}

/// A chain of ordinary length is no attack.
#[test]
fn an_ordinary_chain_is_answered() {
    let ors = " OR month=2".repeat(60);
    let sums = "+1".repeat(100);
    for sql in [
        format!("SELECT count(*) AS n FROM flights WHERE month=1{ors}"),
        format!("SELECT count(*){sums} AS n FROM flights"),
    ] {
        assert_eq!(refusal(&sql), None, "{sql}");
    }
}
