//! Canaries are found wherever a test run could leave them, and never repeated.

use super::*;

/// A directory of this test alone, removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("xtask-canaries-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_list_leaves_out_comments_and_empty_lines() {
    let directory = Directory::new("list");
    let list = directory.file("list", "# why\n\n  red \n灵渠\n".as_bytes());
    assert_eq!(read(&list).unwrap(), ["red", "灵渠"]);
}

#[test]
fn a_missing_or_empty_list_is_an_error() {
    let directory = Directory::new("empty");
    let missing = read(&directory.0.join("missing"));
    assert!(matches!(missing, Err(CanaryError::Read { .. })));
    let list = directory.file("list", b"# nothing\n");
    assert!(matches!(read(&list), Err(CanaryError::Empty(_))));
}

#[test]
fn every_line_with_a_canary_is_found_in_every_file() {
    let directory = Directory::new("hits");
    let canaries = ["red".to_owned(), "灵渠".to_owned()];
    directory.file("clean.log", b"nothing\nre\nd\n");
    let plain = directory.file("node/plain.log", "a\ninfrared red\n\n灵渠".as_bytes());
    let binary = directory.file("node/binary", b"\xff\xfe\n\xffred\xff\n");

    let hits = search(&directory.0, &canaries).unwrap();
    let expected = [(&binary, 2), (&plain, 2), (&plain, 4)];
    let found: Vec<_> = hits.iter().map(|hit| (&hit.file, hit.line)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_hit_does_not_repeat_the_line() {
    let directory = Directory::new("text");
    directory.file("log", b"name: scarlet\n");
    let hits = search(&directory.0, &["scarlet".to_owned()]).unwrap();
    let text = hits[0].to_string();
    assert!(text.ends_with("log:1: holds a canary"), "{text}");
    assert!(!text.contains("scarlet"), "{text}");
}

#[test]
fn a_directory_that_cannot_be_searched_is_an_error() {
    let directory = Directory::new("gone");
    let missing = directory.0.join("missing");
    assert!(search(&missing, &["red".to_owned()]).is_err());
}
