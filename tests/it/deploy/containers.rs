//! Dockerfile and compose file: what they name is there, nothing runs as root, nothing is fetched at run time, and every
//! secret is a file.

use std::collections::BTreeSet;
use std::fs;

use yaml_rust2::{Yaml, YamlLoader};

use crate::binary::{self, root};

#[test]
fn the_image_is_pinned_small_and_without_privileges() {
    let text = fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let text = text.replace("\\\n", " ");
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .collect();
    let from: Vec<&&str> = lines
        .iter()
        .filter(|line| line.starts_with("FROM "))
        .collect();
    assert_eq!(from.len(), 2, "one stage builds, the other runs");
    for line in &from {
        let image = line.split_whitespace().nth(1).unwrap();
        let (_, tag) = image.split_once(':').expect("a tag");
        let exact = tag.matches('.').count() >= 1 && tag.starts_with(|c: char| c.is_ascii_digit());
        assert!(exact && tag != "latest", "{line}: pin an exact version");
    }
    let rust = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version = rust
        .split("rust-version = \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(from[0].contains(&format!("rust:{version}")), "{}", from[0]);
    let last = lines
        .iter()
        .rposition(|line| line.starts_with("FROM "))
        .unwrap();
    let running = &lines[last..];
    for line in running {
        for fetching in [
            "curl", "wget", "apt", "http:", "https:", "ADD ", "pip", "cargo",
        ] {
            assert!(!line.contains(fetching), "{line}");
        }
        if let Some(copied) = line.strip_prefix("COPY ")
            && !copied.starts_with("--from=")
        {
            let mut words: Vec<&str> = copied.split_whitespace().collect();
            words.pop();
            for path in words {
                assert!(root().join(path).exists(), "{path}");
            }
        }
    }
    let place = |beginning: &str| running.iter().position(|line| line.starts_with(beginning));
    let user = running[place("USER ").unwrap()];
    assert!(!user.contains("root") && !user.ends_with(" 0"), "{user}");
    assert!(place("USER ") < place("ENTRYPOINT "));
    assert!(running.contains(&"ENTRYPOINT [\"/usr/bin/lingqu\"]"));
    // What must not get into a build: keys of a trial beside the sources.
    let ignored = fs::read_to_string(root().join(".dockerignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "**/*.key"));
}

fn compose() -> Yaml {
    let text = fs::read_to_string(root().join("deploy/compose.yaml")).unwrap();
    let mut documents = YamlLoader::load_from_str(&text).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// A key of a service, its own or that of the block that it is built on.
fn of<'a>(service: &'a Yaml, key: &str) -> &'a Yaml {
    match &service[key] {
        Yaml::BadValue => &service["<<"][key],
        own => own,
    }
}

fn names(table: &Yaml) -> BTreeSet<String> {
    let keys = table.as_hash().expect("a table").keys();
    keys.map(|key| key.as_str().unwrap().to_owned()).collect()
}

fn texts(list: &Yaml) -> Vec<String> {
    let list = list.as_vec().expect("a list").iter();
    list.map(|item| item.as_str().expect("a text").to_owned())
        .collect()
}

#[test]
fn each_service_runs_a_command_that_there_is_without_privileges() {
    let compose = compose();
    let services = names(&compose["services"]);
    assert_eq!(services.len(), 3, "{services:?}");
    for name in &services {
        let service = &compose["services"][name.as_str()];
        let mut words = texts(of(service, "command"));
        let config = words.last().unwrap().clone();
        words.push("--json".to_owned());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = binary::run(&words);
        assert_eq!(ran.failure(), "FILE_UNREADABLE", "{name}: {ran:?}");
        assert!(
            !of(service, "user").as_str().unwrap().starts_with("0"),
            "{name}"
        );
        assert_eq!(of(service, "read_only").as_bool(), Some(true), "{name}");
        assert_eq!(texts(of(service, "cap_drop")), ["ALL"], "{name}");
        assert_eq!(
            texts(of(service, "security_opt")),
            ["no-new-privileges:true"],
            "{name}"
        );
        assert!(of(service, "mem_limit").as_str().is_some(), "{name}");
        assert!(
            of(service, "image").as_str().unwrap().contains(':'),
            "{name}"
        );
        assert!(
            service["environment"].is_badvalue(),
            "{name}: secrets are files, never variables"
        );
        let build = of(service, "build");
        let context = root()
            .join("deploy")
            .join(build["context"].as_str().unwrap());
        assert!(
            context
                .join(build["dockerfile"].as_str().unwrap())
                .is_file(),
            "{name}"
        );
        // The configuration that it starts with is one that it is given.
        let given = &service["configs"][0];
        assert_eq!(given["target"].as_str().unwrap(), config, "{name}");
        let configs = names(&compose["configs"]);
        assert!(
            configs.contains(given["source"].as_str().unwrap()),
            "{name}"
        );
    }
}

#[test]
fn secrets_are_files_and_each_service_has_only_its_own() {
    let compose = compose();
    let declared = names(&compose["secrets"]);
    let mut used = BTreeSet::new();
    for name in names(&compose["services"]) {
        let service = &compose["services"][name.as_str()];
        for secret in texts(&service["secrets"]) {
            assert!(secret.starts_with(&name), "{name} is given {secret}");
            used.insert(secret);
        }
        let volumes = texts(&service["volumes"]);
        let state = volumes[0].split(':').next().unwrap().to_owned();
        assert!(names(&compose["volumes"]).contains(&state), "{name}");
        // A register is read, never written.
        assert!(
            volumes[1..].iter().all(|volume| volume.ends_with(":ro")),
            "{name}"
        );
    }
    assert_eq!(declared, used);
    for secret in &declared {
        let file = compose["secrets"][secret.as_str()]["file"]
            .as_str()
            .expect("a file");
        assert!(file.starts_with("./"), "{secret}");
    }
}
