use super::super::Level;
use super::super::finding::Finding;
use super::*;

fn one(examine: impl FnOnce(&mut Findings)) -> (Level, Option<ErrorCode>) {
    let mut findings = Findings::default();
    examine(&mut findings);
    let found: Vec<&Finding> = findings.iter().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    (found[0].level, found[0].code)
}

#[test]
fn a_disk_that_is_too_fast_or_too_slow_is_found() {
    let found = |us| one(|findings| durability(Duration::from_micros(us), findings));
    assert_eq!(found(1), (Level::Warn, Some(ErrorCode::DiskSyncSuspicious)));
    assert_eq!(found(40), (Level::Ok, None));
    assert_eq!(found(4_000), (Level::Ok, None));
    assert_eq!(found(90_000), (Level::Warn, Some(ErrorCode::DiskSyncSlow)));
}

#[test]
fn too_little_room_is_found() {
    let segment = 16 << 20;
    let found = |free| one(|findings| enough(free, segment, findings));
    let low = Some(ErrorCode::DiskSpaceLow);
    assert_eq!(found(0), (Level::Fail, low));
    assert_eq!(found(2 * segment - 1), (Level::Fail, low));
    assert_eq!(found(2 * segment), (Level::Warn, low));
    assert_eq!(found(2 << 30), (Level::Ok, None));
}

#[test]
fn the_file_system_is_that_of_the_deepest_mount() {
    let mounts = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                  30 22 0:25 / /dev/shm rw - tmpfs tmpfs rw\n\
                  31 22 0:26 / /srv rw shared:1 - xfs /dev/vdb rw\n\
                  32 31 0:27 / /srv/fast rw master:2 - tmpfs none rw\n";
    for (path, kind) in [
        ("/var/lib/lingqu", "ext4"),
        ("/dev/shm/node", "tmpfs"),
        ("/srv/lingqu", "xfs"),
        ("/srv/fast/lingqu", "tmpfs"),
        ("/srv/faster", "xfs"),
    ] {
        assert_eq!(file_system(mounts, Path::new(path)), Some(kind), "{path}");
    }
    assert_eq!(file_system("", Path::new("/srv")), None);
}

#[test]
fn a_directory_that_others_can_enter_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("own");
    assert_eq!(
        one(|findings| {
            directory(&own, findings);
        }),
        (Level::Ok, None),
        "it is made at the first start"
    );
    std::fs::create_dir(&own).unwrap();
    let mode = |mode| {
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(mode)).unwrap();
        one(|findings| {
            directory(&own, findings);
        })
    };
    assert_eq!(mode(0o700), (Level::Ok, None));
    assert_eq!(mode(0o750), (Level::Fail, Some(ErrorCode::DataDirExposed)));
    assert_eq!(mode(0o701), (Level::Fail, Some(ErrorCode::DataDirExposed)));
    let unusable = (Level::Fail, Some(ErrorCode::DataDirUnusable));
    let nowhere = dir.path().join("no/where");
    assert_eq!(
        one(|findings| {
            directory(&nowhere, findings);
        }),
        unusable
    );
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(
        one(|findings| {
            directory(&file, findings);
        }),
        unusable
    );
}
