//! The systemd units: a service may read its configuration, write its own state, and use the network; nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::binary::{self, lingqu, root};

/// What each unit must say, whatever else it says.
const DEMANDED: &[(&str, &str)] = &[
    ("AmbientCapabilities", ""),
    ("CapabilityBoundingSet", ""),
    ("LimitCORE", "0"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("MemorySwapMax", "0"),
    ("NoNewPrivileges", "yes"),
    ("PrivateDevices", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateUsers", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectHome", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectProc", "invisible"),
    ("ProtectSystem", "strict"),
    ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("StateDirectoryMode", "0700"),
    ("SystemCallArchitectures", "native"),
    ("UMask", "0077"),
];
/// Exposure in tenths, of ten, above which `systemd-analyze security` fails.
const EXPOSURE_MAX: &str = "15";

const SERVICES: [&str; 2] = ["node", "coordinator"];

fn unit(service: &str) -> String {
    fs::read_to_string(root().join(format!("deploy/lingqu-{service}.service"))).unwrap()
}

/// Every directive, in the order of the file; a unit may repeat one.
fn directives(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut section = "";
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            assert!(["Unit", "Service", "Install"].contains(&section), "{line}");
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .unwrap_or_else(|| panic!("no directive: {line}"));
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric()), "{line}");
        assert!(!section.is_empty(), "{line}");
        found
            .entry(key.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    found
}

#[test]
fn a_service_may_do_nothing_but_serve() {
    for service in SERVICES {
        let found = directives(&unit(service));
        for (key, value) in DEMANDED {
            assert_eq!(
                found.get(*key).map(Vec::as_slice),
                Some(&[(*value).to_owned()][..]),
                "{service}: {key}"
            );
        }
        let one = |key: &str| found[key][0].clone();
        let own = format!("lingqu-{service}");
        assert_eq!(
            [one("User"), one("Group"), one("StateDirectory")],
            [own.clone(), own.clone(), own]
        );
        // A list of allowed calls comes first, then what is taken out of it again.
        assert_eq!(found["SystemCallFilter"][0], "@system-service");
        assert!(found["SystemCallFilter"][1].starts_with("~@privileged"));
        assert!(found.contains_key("MemoryMax") && found.contains_key("TasksMax"));
        // Connections of the default configuration, handshakes and files beside them.
        assert!(one("LimitNOFILE").parse::<u64>().unwrap() >= 1_024 + 256 + 128);
        // The configured state directory is the one that systemd makes.
        let sample = fs::read_to_string(root().join(format!("deploy/{service}.toml"))).unwrap();
        assert!(sample.contains(&format!("data_dir = \"/var/lib/lingqu-{service}\"")));
    }
}

#[test]
fn a_unit_starts_a_command_that_there_is() {
    for service in SERVICES {
        let start = directives(&unit(service))["ExecStart"][0].clone();
        let words: Vec<&str> = start.split(' ').collect();
        assert_eq!(words[0], "/usr/bin/lingqu");
        let mut asked = words[1..].to_vec();
        asked.push("--json");
        // Its configuration is not there; anything but that would be said of the words.
        let ran = binary::run(&asked);
        assert_eq!(
            (ran.code, ran.failure()),
            (Some(2), "FILE_UNREADABLE".to_owned()),
            "{ran:?}"
        );
    }
}

#[test]
fn systemd_itself_finds_nothing_wrong() {
    let known = Command::new("systemd-analyze").arg("--version").output();
    if !known.is_ok_and(|output| output.status.success()) {
        // Without systemd the table above is all that can be checked here.
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for service in SERVICES {
        let path = dir.path().join(format!("lingqu-{service}.service"));
        let here = lingqu().to_str().unwrap();
        fs::write(&path, unit(service).replace("/usr/bin/lingqu", here)).unwrap();
        let verified = Command::new("systemd-analyze")
            .arg("verify")
            .arg(&path)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&verified.stderr).into_owned();
        let own: Vec<&str> = told
            .lines()
            // Manuals are where the package puts them, and other units of this machine are not ours to judge.
            .filter(|line| {
                line.contains(&format!("lingqu-{service}")) && !line.contains("Documentation")
            })
            .collect();
        assert!(own.is_empty(), "{told}");
        let judged = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold", EXPOSURE_MAX])
            .arg(&path)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&judged.stdout).into_owned();
        assert!(judged.status.success(), "{told}");
    }
}
