use super::*;

#[test]
fn an_environment_is_current_only_for_the_same_requirements() {
    let directory = std::env::temp_dir().join(format!("lingqu-xtask-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let made_from = directory.join(MADE_FROM);
    assert!(!is_current("a==1", &made_from).unwrap());
    std::fs::write(&made_from, "a==1").unwrap();
    assert!(is_current("a==1", &made_from).unwrap());
    assert!(!is_current("a==2", &made_from).unwrap());
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(!works(&directory.join("bin/python"), "sys"));
    remove(&directory).unwrap();
}

#[test]
fn a_failure_says_what_failed_and_why() {
    let failed = run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]));
    let text = failed.unwrap_err().to_string();
    assert!(
        text.contains("out") && text.contains("err") && text.contains("sh -c"),
        "{text}"
    );
    let absent = run(&mut Command::new("/nonexistent/python3"));
    assert!(absent.unwrap_err().to_string().contains("Python 3.11"));
}

/// Every package that is installed has a hash, and none comes from elsewhere.
#[test]
fn the_requirements_are_pinned() {
    let files = [
        ("tests/clients/requirements.txt", 20),
        (crate::command::peers::REQUIREMENTS, 3),
    ];
    for (file, more_than) in files {
        let text = std::fs::read_to_string(crate::workspace::root().join(file)).unwrap();
        let mut packages = 0;
        for block in text.replace("\\\n", " ").lines() {
            let line = block.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            packages += 1;
            assert!(
                line.contains("==") && line.contains("--hash=sha256:"),
                "{line}"
            );
            assert!(!line.contains("://") && !line.contains("--index"), "{line}");
        }
        assert!(packages > more_than, "{file}: {packages}");
    }
}
