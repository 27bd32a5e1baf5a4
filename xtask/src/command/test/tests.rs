//! Which packages are tested, and that no output is lost on its way to the search.

use super::*;

fn args(args: &[&str]) -> Vec<OsString> {
    args.iter().map(OsString::from).collect()
}

#[test]
fn the_workspace_is_meant_unless_packages_are_named() {
    for named in [
        &["-p", "a"][..],
        &["--package=a"],
        &["-pa"],
        &["--lib", "--workspace"],
    ] {
        assert!(names_packages(&args(named)), "{named:?}");
    }
    for other in [&[][..], &["--lib"], &["name"], &["--", "-p"]] {
        assert!(!names_packages(&args(other)), "{other:?}");
    }
}

#[test]
fn output_is_kept_whole_even_when_nobody_reads_it() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let text = vec![7; 40_000];
    let mut kept = Vec::new();
    copy(&*text, &mut kept, Closed).unwrap();
    assert_eq!(kept, text);
}
