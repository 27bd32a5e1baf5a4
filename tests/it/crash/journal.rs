//! The recording path alone, in both kinds of audit terms.

use lingqu_core::trust::Trust;

use super::child::opening_us;
use super::history::History;
use super::mirror::Mirror;
use super::tally::Tally;
use super::trial::{Subject, Trial};
use super::{choices, world};

/// Kills of one journal after its quota is exhausted.
const KILLS_AFTER_END: usize = 2;

/// Kills journals `kills` times: each until its quota is spent, and then the next one.
pub(crate) fn survives_kills(mode: &'static str, kills: usize) {
    let mut random = choices(mode);
    let mut tally = Tally::default();
    let opening_us = opening_us(mode, tempfile::tempdir().unwrap().path());
    while tally.kills < kills {
        let dir = tempfile::tempdir().unwrap();
        let mut trial = trial(mode, dir.path(), opening_us);
        let mut after_end = 0;
        while tally.kills < kills && after_end < KILLS_AFTER_END {
            if mode == "journal-mirrored" {
                trial.restore_or_backup(&mut random, &mut tally);
            }
            trial.kill_once(&mut random, &mut tally);
            after_end += usize::from(trial.exhausted());
        }
        trial.finish(&mut random, &mut tally);
    }
    println!("{mode}: opens in {opening_us} µs; {tally}");
    // A suite that hits only one kind of moment would prove little.
    if kills >= 100 {
        assert!(tally.opening > 0 && tally.calling > 0 && tally.answers > 0);
        assert!(tally.lost_answers > 0 && tally.power_cuts > 0);
        assert!(kills < 400 || mode != "journal-mirrored" || tally.adopted > 0);
    }
}

fn trial(mode: &'static str, dir: &std::path::Path, opening_us: u64) -> Trial {
    let mirrored = mode == "journal-mirrored";
    let limits = world::limits();
    let subject = Subject {
        mode,
        dir: dir.to_owned(),
        journal_dir: dir.join("journal"),
        segment_len: limits.segment_len,
        frame_len_max: limits.frame_bytes_max,
        mirrored,
        quota: usize::try_from(world::QUOTA).unwrap(),
        opening_us,
        call_id: world::call_id,
        answer: world::answer,
    };
    let quorum = if mirrored { "mirror" } else { "none" };
    let (log_key, mirror_key) = (world::log_key(), world::mirror_key());
    let trust = format!("log {log_key}\nwitness mirror {mirror_key}\nquorum {quorum}\n");
    let trust = Trust::parse(&trust).unwrap();
    let history = History::new(log_key.clone(), trust, world::GRANT);
    let mirror = Mirror::new(log_key, mirror_key, world::mirror_signer());
    Trial::new(subject, history, mirror)
}
