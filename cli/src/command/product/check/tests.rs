use super::*;

fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("samples")
        .join(name)
}

fn product() -> Product {
    document::read(&sample("product.toml")).unwrap()
}

fn policy() -> SignedPolicy {
    document::read(&sample("policy.toml")).unwrap()
}

fn code(checked: Result<(), Failure>) -> (ErrorCode, String) {
    let failure = checked.unwrap_err();
    (failure.code(), failure.reason())
}

#[test]
fn a_product_that_its_policy_allows_can_run_and_any_other_cannot() {
    against_policy(&product(), &policy()).unwrap();
    let mut wide = product();
    if let Definition::Verification(verification) = &mut wide.definition {
        verification.compared[0].column = "owner".to_owned();
    }
    let (found, why) = code(against_policy(&wide, &policy()));
    assert_eq!(found, ErrorCode::ProductCannotRun);
    assert!(why.contains("owner"), "{why}");
    let mut other = policy();
    other.resource = "flights".to_owned();
    assert_eq!(
        code(against_policy(&product(), &other)).0,
        ErrorCode::ProductCannotRun
    );
}

#[test]
fn a_comparator_needs_a_column_that_it_can_compare() {
    for (comparator, kind, fits) in [
        ("integer", DataType::Int32, true),
        ("integer", DataType::UInt32, true),
        ("integer", DataType::UInt64, false),
        ("integer", DataType::Utf8, false),
        ("folded", DataType::Utf8, true),
        ("exact", DataType::LargeUtf8, true),
        ("exact", DataType::Int64, false),
        ("date", DataType::Date32, true),
        ("date", DataType::Utf8, false),
        ("folded", DataType::Float64, false),
    ] {
        assert_eq!(compares(comparator, &kind), fits, "{comparator} {kind}");
    }
}

#[test]
fn it_is_explained_in_both_languages() {
    let mut out = Vec::new();
    let mut notes = Vec::new();
    let mut session = Session::new(&mut out, &mut notes, crate::language::Language::Zh);
    explain(&product()).tell(&mut session).unwrap();
    let told = String::from_utf8(out).unwrap();
    let (zh, en) = (
        told.find("合并结论").unwrap(),
        told.find("combined verdict").unwrap(),
    );
    assert!(zh < en, "{told}");
    assert!(told.contains("tailnum") && told.contains("tail_number"));
}
