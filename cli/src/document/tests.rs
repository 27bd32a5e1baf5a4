use std::fs;
use std::path::PathBuf;

use lingqu_core::agreement::Agreement;
use lingqu_core::application::Application;
use lingqu_core::destruction::Destruction;
use lingqu_core::grant::Grant;
use lingqu_core::product::{Approval, Definition, Product, SignedPolicy};
use lingqu_core::succession::SuccessionOrder;
use lingqu_proto::open;

use super::*;

fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples")
}

fn sample(name: &str) -> String {
    fs::read_to_string(samples().join(name)).unwrap()
}

/// A directory with the envelopes that the samples name.
fn with_envelopes() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let product = author::<Product>(&sample("product.toml"), dir.path()).unwrap();
    let policy = author::<SignedPolicy>(&sample("policy.toml"), dir.path()).unwrap();
    crate::envelope_file::create(&dir.path().join("product.env"), &product).unwrap();
    crate::envelope_file::create(&dir.path().join("policy.env"), &policy).unwrap();
    let grant = author::<Grant>(&sample("grant.toml"), dir.path()).unwrap();
    let application = author::<Application>(&sample("application.toml"), dir.path()).unwrap();
    crate::envelope_file::create(&dir.path().join("grant.env"), &grant).unwrap();
    crate::envelope_file::create(&dir.path().join("application.env"), &application).unwrap();
    dir
}

/// What is shown says the same object again, and an unknown key anywhere is refused.
fn holds<T: Document>(name: &str) {
    let dir = with_envelopes();
    let text = sample(name);
    let envelope = author::<T>(&text, dir.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let shown = toml::to_string(&open::<T>(&envelope).unwrap().to_written()).unwrap();
    assert_eq!(
        author::<T>(&shown, dir.path()).unwrap(),
        envelope,
        "{shown}"
    );

    let mut tables = 0;
    let mut places = vec![0];
    places.extend(text.match_indices("\n[").map(|(at, _)| {
        tables += 1;
        at + 1 + text[at + 1..].find('\n').unwrap() + 1
    }));
    for place in places {
        let mut wrong = text.clone();
        wrong.insert_str(place, "surprise = 1\n");
        let refused = author::<T>(&wrong, dir.path());
        assert!(
            refused.is_err(),
            "{name}: an unknown key at byte {place} was read over"
        );
    }
    assert_eq!(
        tables,
        text.lines().filter(|line| line.starts_with('[')).count()
    );
}

#[test]
fn the_sample_of_each_kind_is_read_whole() {
    holds::<SignedPolicy>("policy.toml");
    holds::<Product>("product.toml");
    holds::<Approval>("approval.toml");
    holds::<Grant>("grant.toml");
    holds::<Application>("application.toml");
    holds::<Agreement>("agreement.toml");
    holds::<Destruction>("destruction.toml");
    holds::<SuccessionOrder>("succession.toml");
}

/// a confirmation that leaves copies or backups open is none.
#[test]
fn a_confirmation_of_destruction_leaves_nothing_open() {
    let dir = with_envelopes();
    let text = sample("destruction.toml");
    for key in ["no_copies", "no_backups"] {
        let open = text.replace(&format!("{key} = true"), &format!("{key} = false"));
        let error = author::<Destruction>(&open, dir.path()).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
    }
}

/// the refusal names the term, before anybody signs.
#[test]
fn an_agreement_without_a_mandatory_term_is_refused_by_name() {
    let dir = with_envelopes();
    let text = sample("agreement.toml");
    for (line, named) in [
        ("scope = ", "授权范围"),
        ("processing = ", "数据处理要求"),
        ("revenue_mode = ", "收益分配模式"),
        ("revenue_method = ", "收益计算方法"),
        ("security = ", "数据安全要求"),
        ("disposal = ", "期限届满后资产处置"),
        ("breach = ", "违约责任"),
    ] {
        let kept = text.lines().filter(|known| !known.starts_with(line));
        let without: String = kept.map(|kept| format!("{kept}\n")).collect();
        let error = author::<Agreement>(&without, dir.path()).unwrap_err();
        assert!(error.to_string().contains(named), "{line}: {error}");
    }
    let six_years = text.replace("2029-01-01", "2032-01-01");
    let error = author::<Agreement>(&six_years, dir.path()).unwrap_err();
    assert!(error.to_string().contains("five years"), "{error}");
    let other_case = text.replace("case_gx.2026-0001", "case_gx.2026-0002");
    assert!(author::<Agreement>(&other_case, dir.path()).is_err());
}

#[test]
fn the_lagged_mode_is_read_and_its_keys_are_its_own() {
    let mirrored = "mode = \"mirrored\"\nwait_ms_max = 5000";
    let lagged = "mode = \"lagged\"\nentries_max = 100\nage_s_max = 600";
    let text = sample("policy.toml");
    assert!(text.contains(mirrored));
    let read = |with: &str| author::<SignedPolicy>(&text.replace(mirrored, with), &samples());
    assert!(read(lagged).is_ok());
    for wrong in [
        "mode = \"lagged\"\nwait_ms_max = 5000",
        "mode = \"lagged\"\nentries_max = 100\nage_s_max = 600\nwait_ms_max = 5000",
        "mode = \"mirrored\"\nwait_ms_max = 0",
        "mode = \"none\"",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_domain_is_values_or_edges_or_bounds() {
    let text = sample("policy.toml");
    let written = "seats = { min = 0, max = 500 }";
    assert!(text.contains(written));
    let read = |with: &str| author::<SignedPolicy>(&text.replace(written, with), &samples());
    for right in [
        "seats = { values = [\"a\", \"b\"] }",
        "seats = { values = [-1, 1] }",
        "seats = { edges = [0, 100] }",
        "seats = { edges = [\"2013-01-01\", \"2014-01-01\"] }",
    ] {
        assert!(read(right).is_ok(), "{right}");
    }
    for wrong in [
        "seats = { min = 0 }",
        "seats = { min = 5, max = 1 }",
        "seats = { min = 0, max = 500, values = [1] }",
        "seats = { values = [] }",
        "seats = { values = [2, 1] }",
        "seats = { values = [1, \"a\"] }",
        "seats = { edges = [1] }",
        "seats = { edges = [\"2013-13-01\", \"2014-01-01\"] }",
        "seats = { bins = [1, 2] }",
        "berths = { min = 0, max = 500 }",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    assert!(
        author::<SignedPolicy>(&text.replace("group_min = 10", "group_min = 9"), &samples())
            .is_err()
    );
}

#[test]
fn values_that_no_node_would_read_are_refused_by_name() {
    let dir = with_envelopes();
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    // A point of small order: anybody can sign for it.
    let weak = "0".repeat(64);
    for (from, to, named) in [
        (
            "not_after = \"2029-01-01\"",
            "not_after = \"2032-01-01\"",
            "not_after_us",
        ),
        (
            "not_after = \"2029-01-01\"",
            "not_after = \"2025-01-01\"",
            "not_after_us",
        ),
        ("91450000MA5DEM001X", "91450000MA5DEM001Y", "end_users"),
        (key, &weak, "licensee_key"),
        (
            "purposes = [\"AIRCRAFT-LENDING\"]",
            "purposes = []",
            "purposes",
        ),
        ("AIRCRAFT-LENDING", "lending to me", "purposes"),
        (
            "version = 1\ndigest",
            "version = 2\ndigest",
            "product.digest",
        ),
        ("@product.env", "@policy.env", "product.digest"),
        ("@product.env", "@nothing.env", "product.digest"),
        ("@product.env", "abcd", "64 hexadecimal"),
        ("id = \"grant_gx", "id = \"party_gx", "grant id"),
    ] {
        let text = sample("grant.toml");
        assert!(text.contains(from), "{from}");
        let error = author::<Grant>(&text.replace(from, to), dir.path()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(named), "{to}: {error}");
    }
}

#[test]
fn an_approval_names_the_product_that_it_says() {
    let dir = with_envelopes();
    for (from, to) in [
        ("version = 1", "version = 2"),
        ("tb.plane_registered", "tb.flight_flown"),
        ("node_gx.lanxi-tb-01", "node_gx.other"),
        ("party_gx.lanxi-transport", "party_gx.other"),
    ] {
        let text = sample("approval.toml").replace(from, to);
        let error = author::<Approval>(&text, dir.path()).unwrap_err();
        assert!(
            error.to_string().contains("product_digest"),
            "{to}: {error}"
        );
    }
}

/// A statistic with noise: what is shown says the same again; ρ is exact or refused; what no node reads is refused here.
#[test]
fn the_terms_of_noise_are_read_exactly() {
    let sample = sample("product.toml");
    let (head, _) = sample.split_once("[[verification.key]]").unwrap();
    let with = |rho: &str, terms: &str| {
        let text = format!(
            "{head}[statistic]\nsql = 'SELECT count(*) AS n FROM planes'\n[statistic.dp]\nrho = {rho}\n{terms}\n"
        );
        author::<Product>(&text, Path::new("."))
    };
    let usual = "groups_per_entity_max = 2\nrows_per_entity_max = 3\n\
        [statistic.dp.clamps]\nseats = { min = -1, max = 300 }";
    let envelope = with("\"0.000001\"", usual).unwrap();
    let product = open::<Product>(&envelope).unwrap();
    let Definition::Statistic(statistic) = &product.definition else {
        panic!("it is a statistic")
    };
    let terms = statistic.dp.clone().unwrap();
    assert_eq!((terms.rho.0, terms.groups_per_entity_max), (1, 2));
    assert_eq!((terms.rows_per_entity_max, terms.clamps.len()), (3, 1));
    let shown = toml::to_string(&product.to_written()).unwrap();
    assert_eq!(author::<Product>(&shown, Path::new(".")).unwrap(), envelope);
    for (rho, terms) in [
        ("\"0.0000001\"", usual),
        ("0.005", usual),
        ("\"-1\"", usual),
        ("\"0\"", usual),
        ("\"0.005\"", "groups_per_entity_max = 2"),
        (
            "\"0.005\"",
            "groups_per_entity_max = 0\nrows_per_entity_max = 3",
        ),
        (
            "\"0.005\"",
            "groups_per_entity_max = 2\nrows_per_entity_max = 3\nthreshold = 5",
        ),
    ] {
        assert!(with(rho, terms).is_err(), "{rho} {terms}");
    }
}
