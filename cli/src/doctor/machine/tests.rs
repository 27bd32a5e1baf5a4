use super::super::Level;
use super::*;

#[test]
fn the_page_size_of_this_machine_is_found() {
    let size = page_size(&std::fs::read("/proc/self/auxv").unwrap()).unwrap();
    assert!(size.is_power_of_two() && size >= 4_096, "{size}");
    assert_eq!(page_size(&[]), None);
    assert_eq!(page_size(&[1; 7]), None);
}

#[test]
fn too_few_open_files_are_found() {
    let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                Max open files            1024                 524288               files\n";
    assert_eq!(open_files_max(text), Some(1_024));
    assert_eq!(
        open_files_max("Max open files  unlimited unlimited files"),
        None
    );
    for (max, connections, level) in [
        (Some(1_024), 1_024, Level::Fail),
        (Some(1_024), 256, Level::Ok),
        (None, 1 << 20, Level::Ok),
    ] {
        let mut findings = Findings::default();
        open_files(max, connections, &mut findings);
        assert_eq!(findings.count(level), 1, "{max:?} {connections}");
    }
}
