use std::sync::Mutex;

use super::super::Level;
use super::*;

struct Fixed(Mutex<(i64, u64)>);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_s(self.0.lock().unwrap().0)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.lock().unwrap().1)
    }
}

fn found(begin: (i64, u64), end: (i64, u64)) -> (Level, Option<ErrorCode>) {
    let clock = Fixed(Mutex::new(begin));
    let begun = Reading::take(&clock);
    *clock.0.lock().unwrap() = end;
    let mut findings = Findings::default();
    examine(begun, &clock, &mut findings);
    let found = findings.iter().next().unwrap();
    (found.level, found.code)
}

#[test]
fn a_clock_that_jumps_or_was_never_set_is_found() {
    let now = 1_790_000_000;
    assert_eq!(found((now, 10), (now + 3, 13)), (Level::Ok, None));
    let unsteady = Some(ErrorCode::ClockUnsteady);
    assert_eq!(found((now, 10), (now + 300, 13)), (Level::Warn, unsteady));
    assert_eq!(found((now, 10), (now - 300, 13)), (Level::Warn, unsteady));
    assert_eq!(found((12, 10), (15, 13)), (Level::Fail, unsteady));
}
