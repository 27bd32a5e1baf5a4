//! The committed files are current, and the generator does what its readers rely on.

use crate::generate::{GenerateError, Scratch, generate};
use crate::output::{differences, write};

const CALLS: &str = r#"
syntax = "proto3";
package lingqu.v1;
import "google/protobuf/timestamp.proto";
import "lingqu/v1/verdict.proto";

// What callers use.
service Calls {
  // Asks one question.
  rpc Verify(VerifyRequest) returns (VerifyResponse);
  // Follows a stream.
  rpc Follow(VerifyRequest) returns (stream VerifyResponse);
}

message VerifyRequest {
  // The subject, as a salted commitment.
  bytes subject = 1;
}

message VerifyResponse {
  Verdict verdict = 1;
  google.protobuf.Timestamp as_of = 2;
}
"#;

const VERDICT: &str = r#"
syntax = "proto3";
package lingqu.v1;

enum Verdict {
  VERDICT_UNSPECIFIED = 0;
  VERDICT_MATCH = 1;
}

service Admin {
  rpc Stop(Nothing) returns (Nothing);
}

message Nothing {}
"#;

/// A proto root with the given files in its package.
fn root(files: &[(&str, &str)]) -> Scratch {
    let scratch = Scratch::new().unwrap();
    let package = scratch.0.join("lingqu/v1");
    std::fs::create_dir_all(&package).unwrap();
    for (name, content) in files {
        std::fs::write(package.join(name), content).unwrap();
    }
    scratch
}

#[test]
fn generated_code_is_current() {
    let files = generate(&crate::proto_root()).unwrap_or_else(|error| panic!("{error}"));
    let differing = differences(&files, &crate::generated_dir()).unwrap();
    assert!(
        differing.is_empty(),
        "not what the .proto files say: {differing:?}; run `cargo run -p lingqu-codegen`"
    );
}

#[test]
fn clients_servers_and_messages_are_generated() {
    let root = root(&[("calls.proto", CALLS), ("verdict.proto", VERDICT)]);
    let files = generate(&root.0).unwrap();

    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["lingqu.v1.bin", "lingqu.v1.rs", "rpc.rs"]);

    let module = String::from_utf8(files["lingqu.v1.rs"].clone()).unwrap();
    for expected in [
        "pub subject: ::prost::alloc::vec::Vec<u8>",
        "/// The subject, as a salted commitment.",
        "pub struct CallsClient<T>",
        "pub trait Calls:",
        "pub trait Admin:",
        "::core::option::Option<::prost_types::Timestamp>",
    ] {
        assert!(module.contains(expected), "missing `{expected}`:\n{module}");
    }
    assert!(!module.contains("tonic::transport"), "{module}");
}

#[test]
fn every_rpc_is_listed_in_the_order_of_paths() {
    let root = root(&[("calls.proto", CALLS), ("verdict.proto", VERDICT)]);
    let files = generate(&root.0).unwrap();
    let text = String::from_utf8(files["rpc.rs"].clone()).unwrap();

    let listed =
        "        Self::AdminStop,\n        Self::CallsFollow,\n        Self::CallsVerify,\n";
    assert!(text.contains(listed), "{text}");
    let row = "Self::CallsVerify => \"/lingqu.v1.Calls/Verify\",";
    assert!(text.contains(row), "{text}");
}

#[test]
fn the_descriptor_set_is_complete_and_free_of_comments() {
    use prost::Message as _;
    let root = root(&[("calls.proto", CALLS), ("verdict.proto", VERDICT)]);
    let files = generate(&root.0).unwrap();
    let set = prost_types::FileDescriptorSet::decode(&*files["lingqu.v1.bin"]).unwrap();

    let mut names: Vec<&str> = set.file.iter().map(|file| file.name()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "google/protobuf/timestamp.proto",
            "lingqu/v1/calls.proto",
            "lingqu/v1/verdict.proto"
        ]
    );
    assert!(set.file.iter().all(|file| file.source_code_info.is_none()));
}

#[test]
fn nothing_to_compile_is_an_error() {
    let empty = root(&[]);
    assert!(matches!(
        generate(&empty.0),
        Err(GenerateError::NoProtos(_))
    ));
    let missing = empty.0.join("nowhere");
    assert!(matches!(
        generate(&missing),
        Err(GenerateError::List { .. })
    ));
}

#[test]
fn a_mistake_is_reported_with_its_place() {
    let broken = root(&[("calls.proto", "syntax = \"proto3\";\nmessage {}")]);
    let error = generate(&broken.0).unwrap_err().to_string();
    assert!(error.contains("calls.proto:2:9"), "{error}");
}

#[test]
fn differences_are_changed_missing_and_left_over_files() {
    let root = root(&[("calls.proto", CALLS), ("verdict.proto", VERDICT)]);
    let files = generate(&root.0).unwrap();
    let directory = Scratch::new().unwrap();
    assert_eq!(differences(&files, &directory.0).unwrap().len(), 3);

    write(&files, &directory.0).unwrap();
    assert!(differences(&files, &directory.0).unwrap().is_empty());

    std::fs::write(directory.0.join("old.rs"), "").unwrap();
    std::fs::write(directory.0.join("rpc.rs"), "").unwrap();
    assert_eq!(
        differences(&files, &directory.0).unwrap(),
        ["old.rs", "rpc.rs"]
    );

    write(&files, &directory.0).unwrap();
    assert!(differences(&files, &directory.0).unwrap().is_empty());
}
