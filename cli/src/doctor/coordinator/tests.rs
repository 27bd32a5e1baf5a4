use super::super::Level;
use super::*;

#[test]
fn clocks_that_are_apart_are_found() {
    let told = "Sun, 06 Nov 1994 08:49:37 GMT";
    let of_told = 784_111_777;
    let found = |date: Option<&str>, apart: i64| {
        let mut metadata = MetadataMap::new();
        if let Some(date) = date {
            metadata.insert("date", date.parse().unwrap());
        }
        let mut findings = Findings::default();
        time(
            &metadata,
            Timestamp::from_unix_s(of_told + apart),
            &mut findings,
        );
        let found = findings.iter().next().unwrap();
        (found.level, found.code)
    };
    let skew = Some(ErrorCode::ClockSkew);
    assert_eq!(found(Some(told), 1), (Level::Ok, None));
    assert_eq!(found(Some(told), -7), (Level::Warn, skew));
    assert_eq!(found(Some(told), 30), (Level::Warn, skew));
    assert_eq!(found(Some(told), 31), (Level::Fail, skew));
    assert_eq!(found(Some(told), -400), (Level::Fail, skew));
    let unsteady = Some(ErrorCode::ClockUnsteady);
    assert_eq!(found(None, 0), (Level::Warn, unsteady));
    assert_eq!(found(Some("yesterday"), 0), (Level::Warn, unsteady));
}
