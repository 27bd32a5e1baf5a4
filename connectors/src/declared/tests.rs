use super::*;

fn columns(text: &str) -> Result<Columns, SettingsRefused> {
    #[derive(Deserialize)]
    struct Table {
        columns: Vec<ColumnSettings>,
    }
    Columns::parse(toml::from_str::<Table>(text)?.columns)
}

fn fits(declared: &str, text: &str) -> bool {
    let columns = columns(&format!("columns = [{{ name = \"c\", {declared} }}]")).unwrap();
    columns.builders(&[0])[0].push_text(text).is_ok()
}

#[test]
fn values_fit_their_type_or_are_refused() {
    for (declared, good, bad) in [
        ("type = \"int8\"", "-128", "128"),
        ("type = \"uint8\"", "255", "-1"),
        (
            "type = \"int64\"",
            "-9223372036854775808",
            "9223372036854775808",
        ),
        ("type = \"uint64\"", "18446744073709551615", "1.0"),
        ("type = \"int32\"", "007", " 7"),
        ("type = \"float64\"", "1e-3", "1e999"),
        ("type = \"float64\"", "-0.5", "NaN"),
        ("type = \"boolean\"", "true", "True"),
        ("type = \"boolean\", format = \"是/否\"", "否", "true"),
        ("type = \"decimal(18,2)\"", "0.10", "0.101"),
        ("type = \"date\"", "1890-01-01", "1890-1-1"),
        (
            "type = \"date\", format = \"%Y%m%d\"",
            "19491001",
            "1949-10-01",
        ),
        (
            "type = \"timestamptz\"",
            "2024-01-01T00:00:00Z",
            "2024-01-01T00:00:00",
        ),
        (
            "type = \"timestamptz\", zone = \"+08:00\"",
            "2024-01-01 00:00:00",
            "2024-01-01",
        ),
        ("type = \"text\"", "", "\u{0}never"),
    ] {
        assert!(fits(declared, good), "{declared} {good}");
        assert!(
            !fits(declared, bad) || declared.contains("text"),
            "{declared} {bad}"
        );
    }
}

#[test]
fn what_is_declared_wrongly_is_refused() {
    for declared in [
        "columns = []",
        "columns = [{ name = \"a\", type = \"text\" }, { name = \"a\", type = \"text\" }]",
        "columns = [{ name = \"\", type = \"text\" }]",
        "columns = [{ name = \"a\", type = \"varchar\" }]",
        "columns = [{ name = \"a\", type = \"decimal(39,2)\" }]",
        "columns = [{ name = \"a\", type = \"decimal(3,4)\" }]",
        "columns = [{ name = \"a\", type = \"text\", format = \"%Y\" }]",
        "columns = [{ name = \"a\", type = \"date\", zone = \"+08:00\" }]",
        "columns = [{ name = \"a\", type = \"boolean\", format = \"x/x\" }]",
        "columns = [{ name = \"a\", type = \"text\", nulable = false }]",
    ] {
        assert!(columns(declared).is_err(), "{declared}");
    }
}

#[test]
fn a_missing_value_needs_a_column_that_allows_it() {
    let columns =
        columns("columns = [{ name = \"a\", type = \"text\", nullable = false }]").unwrap();
    let mut builders = columns.builders(&[0]);
    assert_eq!(builders[0].push_null(), Err(Unfit));
    assert!(builders[0].unfit().to_string().contains("`a`"));
}

#[test]
fn typed_values_are_exact_or_refused() {
    let columns = columns(
        "columns = [{ name = \"d\", type = \"decimal(20,4)\" }, { name = \"f\", type = \"float64\" }, { name = \"b\", type = \"boolean\" }, { name = \"x\", type = \"binary\" }]",
    )
    .unwrap();
    let mut builders = columns.builders(&[0, 1, 2, 3]);
    assert_eq!(builders[0].push_float(12.5), Ok(()));
    assert_eq!(builders[0].push_float(0.1 + 0.2), Err(Unfit));
    assert_eq!(builders[0].push_integer(7), Ok(()));
    assert_eq!(builders[1].push_integer((1 << 53) + 1), Err(Unfit));
    assert_eq!(builders[2].push_integer(2), Err(Unfit));
    assert_eq!(builders[3].push_bytes(&[0, 255]), Ok(()));
    assert_eq!(builders[3].push_text("00ff"), Err(Unfit));
}
