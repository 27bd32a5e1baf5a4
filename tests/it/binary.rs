//! The one binary, `lingqu`, as somebody who installed it runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The binary, built if it is not there as the sources are now. It shares everything that the tests were built from.
pub(crate) fn lingqu() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = target();
        let built = cargo()
            .args([
                "build",
                "--quiet",
                "--locked",
                "-p",
                "lingqu-cli",
                "--bin",
                "lingqu",
            ])
            .arg("--target-dir")
            .arg(&target)
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(built.success(), "lingqu cannot be built");
        target.join("debug/lingqu")
    })
}

/// The cargo of this test run, as whoever called the outer one would call it: build scripts watch the variables by
/// which cargo describes the package that runs, and would compile again because of them.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_MANIFEST_", "CARGO_PKG_"]
            .iter()
            .any(|of| text.starts_with(of))
        {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Where this very test was built: `target/debug/deps/it-…`.
pub(crate) fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(3).unwrap().to_owned()
}

/// Runs `lingqu` with `words`, in English whatever the environment says.
pub(crate) fn run(words: &[&str]) -> Ran {
    run_in(&root(), words)
}

/// The same in a directory.
pub(crate) fn run_in(dir: &Path, words: &[&str]) -> Ran {
    let output = Command::new(lingqu())
        .args(words)
        .current_dir(dir)
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env_remove("LINGQU_LOG")
        .env("LANG", "C")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran::of(&output)
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) notes: String,
}

impl Ran {
    fn of(output: &Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ran {
            code: output.status.code(),
            out: text(&output.stdout),
            notes: text(&output.stderr),
        }
    }

    /// Standard output as one JSON value a line.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let lines = self.out.lines();
        lines
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    /// The code of the failure that a run with `--json` reported.
    pub(crate) fn failure(&self) -> String {
        let last = self.notes.lines().last().unwrap_or_default();
        let error: serde_json::Value = serde_json::from_str(last).unwrap_or_default();
        error["error"]["code"].as_str().unwrap_or(last).to_owned()
    }
}
