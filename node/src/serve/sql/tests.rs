use super::*;

fn parse(text: &str) -> Result<Statement, FormRefused> {
    Statement::parse(text, SQL_BYTES_MAX)
}

fn call_of(text: &str) -> ProductCallForm {
    match parse(text) {
        Ok(Statement::Call(call)) => call,
        other => panic!("{text}: {other:?}"),
    }
}

fn text(value: &str) -> Argument {
    Argument::Literal(ClaimValue::Text(value.to_owned()))
}

fn number(value: i64) -> Argument {
    Argument::Literal(ClaimValue::Integer(value))
}

#[test]
fn the_form_is_read() {
    let form = call_of("SELECT * FROM lanxi.plane('N1', -5, ?, '青禾''s', 9223372036854775807)");
    assert_eq!(form.product.as_str(), "lanxi.plane");
    assert_eq!(
        form.arguments,
        [
            text("N1"),
            number(-5),
            Argument::Bound(0),
            text("青禾's"),
            number(i64::MAX)
        ]
    );
    assert_eq!(form.placeholders, 1);
    assert_eq!(
        call_of("select * from a.b(-9223372036854775808)").arguments,
        [number(i64::MIN)]
    );
    assert_eq!(
        parse("SELECT * FROM lingqu.receipts"),
        Ok(Statement::Receipts)
    );
    assert_eq!(
        parse("SELECT * FROM lingqu.products;"),
        Ok(Statement::Products)
    );
    assert!(call_of("SELECT * FROM a.b()").arguments.is_empty());
}

#[test]
fn writing_changes_nothing() {
    let plain = call_of("SELECT * FROM a.b(1, 'x')");
    for same in [
        "select*from a.b(1,'x')",
        "  SELECT\n\t*  FROM a . b ( 1 , 'x' ) ; ",
        "SELECT * FROM \"a\".\"b\"(1, 'x')",
        "/* SELECT * FROM c.d(2) */ SELECT * FROM a.b(1, -- 'y')\n 'x')",
    ] {
        assert_eq!(call_of(same), plain, "{same}");
    }
}

/// The parser stops at END, so what follows it would be dropped in silence.
#[test]
fn the_statement_is_read_to_its_end() {
    for text in [
        "SELECT * FROM a.b(1) END",
        "SELECT * FROM a.b(1) END WHERE c = 2",
        "SELECT * FROM a.b(1); END",
    ] {
        assert!(Statement::parse(text, SQL_BYTES_MAX).is_err(), "{text}");
    }
}

#[test]
fn a_backslash_is_a_backslash() {
    assert_eq!(
        call_of(r"SELECT * FROM a.b('x\', 'y')").arguments,
        [text(r"x\"), text("y")]
    );
}

#[test]
fn placeholders_are_numbered_by_place_or_by_number() {
    let by_place = call_of("SELECT * FROM a.b(?, 1, ?)");
    assert_eq!(
        by_place.arguments,
        [Argument::Bound(0), number(1), Argument::Bound(1)]
    );
    let by_number = call_of("SELECT * FROM a.b($2, $1, $2)");
    assert_eq!(by_number.placeholders, 2);
    let bound = [ClaimValue::Integer(1), ClaimValue::Integer(2)];
    assert_eq!(
        by_number.values(&bound).unwrap(),
        [2, 1, 2].map(ClaimValue::Integer)
    );
    assert_eq!(by_number.values(&bound[..1]), None);
    assert_eq!(by_number.values(&[]), None);
    assert_eq!(call_of("SELECT * FROM a.b(1)").values(&bound[..1]), None);
}

/// Everything that is not the form, each with what it tries.
#[test]
fn everything_else_is_refused() {
    for (why, refused) in [
        ("nothing", ""),
        ("nothing at all", " ; "),
        (
            "two statements",
            "SELECT * FROM a.b(1); SELECT * FROM a.b(2)",
        ),
        ("a write", "INSERT INTO a.b VALUES (1)"),
        ("a write behind", "SELECT * FROM a.b(1); DROP TABLE a.b"),
        ("explain analyze", "EXPLAIN ANALYZE SELECT * FROM a.b(1)"),
        ("explain verbose", "EXPLAIN VERBOSE SELECT * FROM a.b(1)"),
        (
            "explain query plan",
            "EXPLAIN QUERY PLAN SELECT * FROM a.b(1)",
        ),
        ("explain estimate", "EXPLAIN ESTIMATE SELECT * FROM a.b(1)"),
        (
            "explain with a format",
            "EXPLAIN FORMAT JSON SELECT * FROM a.b(1)",
        ),
        (
            "explain with options",
            "EXPLAIN (ANALYZE) SELECT * FROM a.b(1)",
        ),
        ("describe", "DESCRIBE SELECT * FROM a.b(1)"),
        ("describe a table", "DESCRIBE a.b"),
        ("explain a table", "EXPLAIN a.b"),
        ("explain twice", "EXPLAIN EXPLAIN SELECT * FROM a.b(1)"),
        ("explain a write", "EXPLAIN INSERT INTO a.b VALUES (1)"),
        ("explain another query", "EXPLAIN SELECT 1"),
        ("explain one's own", "EXPLAIN SELECT * FROM lingqu.products"),
        ("set", "SET x = 1"),
        ("begin", "BEGIN"),
        ("values", "VALUES (1)"),
        ("table", "TABLE a.b"),
        ("union", "SELECT * FROM a.b(1) UNION SELECT * FROM a.b(2)"),
        ("parentheses", "(SELECT * FROM a.b(1))"),
        ("with", "WITH x AS (SELECT 1) SELECT * FROM a.b(1)"),
        ("subquery", "SELECT * FROM (SELECT * FROM a.b(1))"),
        ("alias", "SELECT * FROM a.b(1) AS x"),
        ("alias without as", "SELECT * FROM a.b(1) x"),
        ("columns", "SELECT verdict FROM a.b(1)"),
        ("more columns", "SELECT *, 1 FROM a.b(1)"),
        ("qualified star", "SELECT b.* FROM a.b(1)"),
        ("star with alias", "SELECT * AS x FROM a.b(1)"),
        ("count", "SELECT count(*) FROM a.b(1)"),
        ("distinct", "SELECT DISTINCT * FROM a.b(1)"),
        ("all", "SELECT ALL * FROM a.b(1) LIMIT 1"),
        ("where", "SELECT * FROM a.b(1) WHERE 1 = 1"),
        ("group", "SELECT * FROM a.b(1) GROUP BY 1"),
        ("group by all", "SELECT * FROM a.b(1) GROUP BY ALL"),
        ("having", "SELECT * FROM a.b(1) HAVING 1 = 1"),
        ("order", "SELECT * FROM a.b(1) ORDER BY 1"),
        ("limit", "SELECT * FROM a.b(1) LIMIT 1"),
        ("offset", "SELECT * FROM a.b(1) OFFSET 1"),
        ("fetch", "SELECT * FROM a.b(1) FETCH FIRST 1 ROWS ONLY"),
        ("lock", "SELECT * FROM a.b(1) FOR UPDATE"),
        ("for json", "SELECT * FROM a.b(1) FOR JSON AUTO"),
        ("into", "SELECT * INTO x FROM a.b(1)"),
        ("top", "SELECT TOP 1 * FROM a.b(1)"),
        ("join", "SELECT * FROM a.b(1) JOIN a.b(2) ON true"),
        ("cross join", "SELECT * FROM a.b(1), a.b(2)"),
        ("lateral", "SELECT * FROM LATERAL a.b(1)"),
        ("sample", "SELECT * FROM a.b(1) TABLESAMPLE BERNOULLI (10)"),
        ("ordinality", "SELECT * FROM a.b(1) WITH ORDINALITY"),
        ("hints", "SELECT * FROM a.b(1) WITH (NOLOCK)"),
        (
            "time travel",
            "SELECT * FROM a.b(1) FOR SYSTEM_TIME AS OF '2026-01-01'",
        ),
        ("window", "SELECT * FROM a.b(1) WINDOW w AS ()"),
        ("qualify", "SELECT * FROM a.b(1) QUALIFY 1 = 1"),
        ("from first", "FROM a.b(1)"),
        ("table()", "SELECT * FROM TABLE(a.b(1))"),
        ("unnest", "SELECT * FROM UNNEST(?)"),
        ("one part", "SELECT * FROM b(1)"),
        ("three parts", "SELECT * FROM x.a.b(1)"),
        ("no arguments", "SELECT * FROM a.b"),
        (
            "information schema",
            "SELECT * FROM information_schema.tables",
        ),
        (
            "own table as a function",
            "SELECT * FROM lingqu.receipts WHERE 1=1",
        ),
        ("quoted dot", "SELECT * FROM \"a.b\"(1)"),
        ("quoted two dots", "SELECT * FROM \"a\".\"b.c\"(1)"),
        ("quoted quote", "SELECT * FROM \"a\".\"b\"\"\"(1)"),
        ("quoted space", "SELECT * FROM \"a\".\"b \"(1)"),
        ("upper case", "SELECT * FROM A.B(1)"),
        ("empty name", "SELECT * FROM \"\".b(1)"),
        ("backticks", "SELECT * FROM `a`.`b`(1)"),
        ("brackets", "SELECT * FROM [a].[b](1)"),
        ("full-width letters", "SELECT * FROM ａ.ｂ(1)"),
        ("cyrillic letter", "SELECT * FROM \"а\".b(1)"),
        ("invisible letter", "SELECT * FROM \"a\u{200b}\".b(1)"),
        ("null", "SELECT * FROM a.b(NULL)"),
        ("boolean", "SELECT * FROM a.b(true)"),
        ("float", "SELECT * FROM a.b(1.5)"),
        ("exponent", "SELECT * FROM a.b(1e3)"),
        ("hex", "SELECT * FROM a.b(0x10)"),
        ("too big", "SELECT * FROM a.b(9223372036854775808)"),
        ("too small", "SELECT * FROM a.b(-9223372036854775809)"),
        ("long suffix", "SELECT * FROM a.b(1L)"),
        ("plus", "SELECT * FROM a.b(+1)"),
        ("double minus", "SELECT * FROM a.b(- -1)"),
        ("minus text", "SELECT * FROM a.b(-'1')"),
        ("sum", "SELECT * FROM a.b(1 + 1)"),
        ("concatenation", "SELECT * FROM a.b('a' || 'b')"),
        ("cast", "SELECT * FROM a.b(CAST(1 AS INT))"),
        ("double colon", "SELECT * FROM a.b('1'::int)"),
        ("typed literal", "SELECT * FROM a.b(DATE '2026-01-01')"),
        ("interval", "SELECT * FROM a.b(INTERVAL '1' DAY)"),
        ("column", "SELECT * FROM a.b(c)"),
        ("double-quoted text", "SELECT * FROM a.b(\"c\")"),
        ("function", "SELECT * FROM a.b(now())"),
        ("nested call", "SELECT * FROM a.b(a.b(1))"),
        ("subquery argument", "SELECT * FROM a.b((SELECT 1))"),
        ("parenthesis", "SELECT * FROM a.b((1))"),
        ("array", "SELECT * FROM a.b(ARRAY[1])"),
        ("named", "SELECT * FROM a.b(x => 1)"),
        ("named by equals", "SELECT * FROM a.b(x = 1)"),
        ("star", "SELECT * FROM a.b(*)"),
        ("escape string", "SELECT * FROM a.b(E'x')"),
        ("national string", "SELECT * FROM a.b(N'x')"),
        ("hex string", "SELECT * FROM a.b(X'00')"),
        ("unicode string", "SELECT * FROM a.b(U&'x')"),
        ("dollar string", "SELECT * FROM a.b($$x$$)"),
        ("mixed placeholders", "SELECT * FROM a.b(?, $1)"),
        ("placeholder zero", "SELECT * FROM a.b($0)"),
        ("placeholder with zero", "SELECT * FROM a.b($01)"),
        ("placeholder too high", "SELECT * FROM a.b($33)"),
        ("placeholder gap", "SELECT * FROM a.b($1, $3)"),
        (
            "placeholder overflow",
            "SELECT * FROM a.b($99999999999999999999)",
        ),
        ("placeholder by name", "SELECT * FROM a.b(:x)"),
        ("placeholder by word", "SELECT * FROM a.b($x)"),
        ("sqlite placeholder", "SELECT * FROM a.b(?1)"),
        ("arabic digits", "SELECT * FROM a.b($١)"),
        ("open", "SELECT * FROM a.b('x"),
        ("open comment", "SELECT * FROM a.b(1) /*"),
        ("nul", "SELECT * FROM a.b(1)\0"),
        ("settings", "SELECT * FROM a.b(1, SETTINGS x = 1)"),
        ("trailing", "SELECT * FROM a.b(1) x y"),
    ] {
        let got = parse(refused);
        assert!(got.is_err(), "{why}: {refused} is {got:?}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let long = format!("SELECT * FROM a.b('{}')", "x".repeat(2 << 20));
    assert_eq!(parse(&long), Err(FormRefused("is too long")));
    let text = format!("SELECT * FROM a.b('{}')", "x".repeat(1_025));
    assert!(parse(&text).is_err());
    for deep in [
        format!(
            "SELECT * FROM a.b({}1{})",
            "(".repeat(8_000),
            ")".repeat(8_000)
        ),
        format!(
            "SELECT * FROM {}a.b(1){}",
            "(".repeat(8_000),
            ")".repeat(8_000)
        ),
        format!("{}SELECT 1{}", "(".repeat(8_000), ")".repeat(8_000)),
        format!(
            "SELECT * FROM a.b({}1)",
            "-".to_owned() + &" -".repeat(7_000)
        ),
        format!("SELECT * FROM a.b({}1)", "NOT ".repeat(4_000)),
        format!("SELECT * FROM a.b(1{})", "+1".repeat(8_000)),
    ] {
        assert!(parse(&deep).is_err());
    }
    let most = format!(
        "SELECT * FROM a.b({});",
        ["-1"; ARGUMENTS_MAX].join(", /* */ ")
    );
    assert_eq!(call_of(&most).arguments.len(), ARGUMENTS_MAX);
    let more = format!("SELECT * FROM a.b({})", ["1"; ARGUMENTS_MAX + 1].join(","));
    assert!(parse(&more).is_err());
}

/// Levels within levels, as a parser of all SQL would try to read them, do not get as far as the parser.
#[test]
fn what_is_nested_never_reaches_the_parser() {
    for level in [8, 16, 24, 500] {
        let nested = |open: &str, inner: &str, close: &str| {
            format!("{}{inner}{}", open.repeat(level), close.repeat(level))
        };
        for text in [
            format!("SELECT * FROM {}", nested("(", "a.b(1) x", ")")),
            format!("SELECT * FROM {}", nested("(", "a.b(1 x", "")),
            format!("SELECT * FROM a.b({})", nested("(", "1 x", ")")),
            format!("SELECT * FROM a.b({})", nested("(", "1", "")),
            format!("SELECT * FROM a.b({})", nested("CASE WHEN ", "1", "")),
            format!("SELECT * FROM a.b({})", nested("INTERVAL ", "1", "")),
            format!("SELECT * FROM a.b({})", nested("DATE ", "x", "")),
            format!("SELECT * FROM a.b({})", nested("[", "1", "")),
            format!("SELECT * FROM a.b({})", nested("ARRAY<", "INT", "")),
            format!("SELECT * FROM a.b({})", nested("EXISTS (SELECT ", "1", "")),
            format!("SELECT * FROM a.b({})", nested("{", "1", "")),
            nested("(SELECT * FROM ", "a.b(1) x y", ")"),
            nested("WITH x AS (", "SELECT 1", ""),
        ] {
            let tokens = Tokenizer::new(&Narrow, &text).tokenize().unwrap();
            assert_eq!(check_tokens(&tokens), Err(CLAUSE), "{text}");
            assert!(parse(&text).is_err(), "{text}");
        }
    }
}

#[test]
fn what_is_shown_of_a_statement_holds_no_value() {
    let form = call_of("SELECT * FROM a.b('secret', 4711)");
    let shown = format!("{form:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("4711"),
        "{shown}"
    );
}

/// What the manual says of each way of writing is so: accepted forms on its left, refused ones on its right.
#[test]
fn the_manual_describes_what_is_accepted() {
    let manual = include_str!("../../../../docs/clients.md");
    let (_, table) = manual.split_once("| accepted | refused with").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let written = |word: &str| table.contains(&format!("`{word}"));
    for (word, accepted) in [
        ("SELECT", "sElEcT * frOM tb.plane_registered(1)"),
        (";", "SELECT * FROM tb.plane_registered(1) ;"),
        ("-- …", "SELECT * -- whatever\nFROM tb.plane_registered(1)"),
        (
            "/* … */",
            "SELECT * /* whatever */ FROM tb.plane_registered(1)",
        ),
        (
            "\"tb\".\"plane_registered\"",
            "SELECT * FROM \"tb\".\"plane_registered\"(1)",
        ),
        ("'text'", "SELECT * FROM tb.plane_registered('it''s')"),
        ("-", "SELECT * FROM tb.plane_registered(-5)"),
        ("?", "SELECT * FROM tb.plane_registered(?, ?)"),
        ("$1", "SELECT * FROM tb.plane_registered($2, $1)"),
        ("*", "SELECT * FROM tb.plane_registered(1)"),
    ] {
        assert!(written(word), "{word}");
        assert!(parse(accepted).is_ok(), "{accepted}");
    }
    for (word, refused) in [
        (
            "TB.plane_registered",
            "SELECT * FROM TB.plane_registered(1)",
        ),
        ("E'…'", "SELECT * FROM tb.plane_registered(E'x')"),
        ("N'…'", "SELECT * FROM tb.plane_registered(N'x')"),
        ("X'…'", "SELECT * FROM tb.plane_registered(X'00')"),
        ("+1", "SELECT * FROM tb.plane_registered(+1)"),
        ("1.5", "SELECT * FROM tb.plane_registered(1.5)"),
        ("1e3", "SELECT * FROM tb.plane_registered(1e3)"),
        ("NULL", "SELECT * FROM tb.plane_registered(NULL)"),
        ("TRUE", "SELECT * FROM tb.plane_registered(TRUE)"),
        (":name", "SELECT * FROM tb.plane_registered(:name)"),
        ("DISTINCT", "SELECT DISTINCT * FROM tb.plane_registered(1)"),
        ("WHERE", "SELECT * FROM tb.plane_registered(1) WHERE 1 = 1"),
        (
            "GROUP BY",
            "SELECT * FROM tb.plane_registered(1) GROUP BY 1",
        ),
        (
            "ORDER BY",
            "SELECT * FROM tb.plane_registered(1) ORDER BY 1",
        ),
        ("LIMIT", "SELECT * FROM tb.plane_registered(1) LIMIT 1"),
    ] {
        assert!(written(word), "{word}");
        assert!(parse(refused).is_err(), "{refused}");
    }
    assert!(parse("SELECT * FROM tb.plane_registered(?, $1)").is_err());
    assert!(
        parse("SELECT * FROM tb.plane_registered(1); SELECT * FROM tb.plane_registered(1)")
            .is_err()
    );
    assert!(parse("SELECT * FROM tb.plane_registered(\"x\")").is_err());
}

#[test]
fn a_call_is_explained_as_it_is_written() {
    let explained = call_of("explain SELECT * FROM a.b(?, 1)");
    let call = call_of("SELECT * FROM a.b(?, 1)");
    assert!(explained.explains && !call.explains);
    assert_eq!(
        ProductCallForm {
            explains: false,
            ..explained
        },
        call
    );
}
