//! The archive for a machine without a network: the same inputs make the same bytes, its checksums hold, and what is in
//! it works from an empty directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::binary::{self, cargo, target};

/// Makes the archive into `out`, with an environment of its own.
fn make(out: &Path, language: &str, mask: &str) -> PathBuf {
    // Once built, xtask is run as it is: only what it makes is of interest here.
    let xtask = target().join("debug/xtask");
    let words = format!("umask {mask} && exec \"$0\" dist --profile dev --out \"$1\"");
    let made = Command::new("sh")
        .args(["-c", &words])
        .arg(xtask)
        .arg(out)
        .env("CARGO", env!("CARGO"))
        .env("CARGO_TARGET_DIR", target())
        .env("LANG", language)
        .env("TZ", "Asia/Shanghai")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(made.stdout).unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    PathBuf::from(told.trim())
}

fn all_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn the_archive_is_reproducible_whole_and_works_where_nothing_else_is() {
    binary::lingqu();
    let built = cargo()
        .args([
            "build",
            "--quiet",
            "--locked",
            "-p",
            "xtask",
            "--target-dir",
        ])
        .arg(target())
        .status()
        .unwrap();
    assert!(built.success());
    let dir = tempfile::tempdir_in(target()).unwrap();
    let first = make(&dir.path().join("first"), "C", "022");
    let second = make(&dir.path().join("second"), "zh_CN.UTF-8", "077");
    assert_eq!(first.file_name(), second.file_name());
    let same = Command::new("cmp")
        .arg(&first)
        .arg(&second)
        .status()
        .unwrap();
    assert!(same.success(), "two runs made different bytes");

    let place = dir.path().join("empty");
    fs::create_dir(&place).unwrap();
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(&first)
        .arg("-C")
        .arg(&place)
        .status()
        .unwrap();
    assert!(unpacked.success());
    let tops: Vec<PathBuf> = fs::read_dir(&place)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [top] = tops.as_slice() else {
        panic!("{tops:?}");
    };
    let sums = Command::new("sha256sum")
        .args(["-c", "--quiet", "SHA256SUMS"])
        .current_dir(top)
        .status()
        .unwrap();
    assert!(sums.success());
    let mut files = Vec::new();
    all_files(top, &mut files);
    let listed = fs::read_to_string(top.join("SHA256SUMS"))
        .unwrap()
        .lines()
        .count();
    assert_eq!(
        listed + 1,
        files.len(),
        "every file but the list itself is listed"
    );
    for named in [
        "LICENSE",
        "README.zh-CN.md",
        "docs/deployment.md",
        "docs/deployment.zh-CN.md",
        "docs/cli.md",
        "etc/node.toml",
        "etc/coordinator.toml",
        "licences/LIST.tsv",
        "samples/policy.toml",
        "systemd/lingqu-node.service",
        "systemd/lingqu-coordinator.service",
        "systemd/lingqu-odbc.service",
        "etc/odbc/dm8.toml",
    ] {
        assert!(top.join(named).is_file(), "{named}");
    }
    let licences = fs::read_to_string(top.join("licences/LIST.tsv")).unwrap();
    for linked in ["rustls\t", "tokio\t", "datafusion\t", "ring\t"] {
        assert!(licences.contains(linked), "{linked}");
    }
    // The driver manager's own licence, which is another than that of the package that builds it.
    let manager = licences
        .lines()
        .find(|line| line.starts_with("unix-odbc\t"))
        .unwrap();
    assert!(manager.ends_with("LICENSE, unixODBC/COPYING"), "{manager}");
    assert!(
        !licences.contains("proptest\t"),
        "what only tests use is not linked"
    );
    works(top);
}

/// Nothing of the machine but the archive is needed.
fn works(top: &Path) {
    let run = |words: &[&str]| {
        Command::new(top.join("bin/lingqu"))
            .args(words)
            .current_dir(top)
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let odbc = Command::new(top.join("bin/lingqu-odbc"))
        .arg("--version")
        .env_clear()
        .output()
        .unwrap();
    assert!(odbc.status.success());
    let version = run(&["--version"]);
    assert!(version.status.success());
    let told = String::from_utf8(version.stdout).unwrap();
    assert!(
        top.to_str()
            .unwrap()
            .contains(told.trim().trim_start_matches("lingqu ")),
        "{told}"
    );
    for (sample, id) in [
        ("etc/node.toml", "node_gx.lanxi-tb-01"),
        ("etc/coordinator.toml", "coord_gx"),
    ] {
        let examined = run(&["doctor", "--json", "--config", sample]);
        // The sample's keys and certificates are not there; its configuration is understood.
        assert_eq!(examined.status.code(), Some(1));
        let told = String::from_utf8(examined.stdout).unwrap();
        assert!(
            told.contains(&format!("of {id}, every key is known")),
            "{told}"
        );
        assert!(
            told.contains("KEY_UNREADABLE") && told.contains("FILE_UNREADABLE"),
            "{told}"
        );
    }
    let demo = run(&["demo", "--json"]);
    let told = String::from_utf8(demo.stdout).unwrap();
    assert!(demo.status.success(), "{told}");
    assert!(
        told.lines().last().unwrap().contains("\"summary\""),
        "{told}"
    );
}
