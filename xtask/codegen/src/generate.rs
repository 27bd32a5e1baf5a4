//! From `.proto` files to the content of the generated files, without touching the committed ones.
//!
//! Compiling is done by `protox`, in this process, so that no `protoc` has to be installed and
//! every machine gets the same bytes. The output is a map in memory: the program writes it, the
//! test compares it.

use crate::output::Files;
use crate::rpc;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The one protobuf package of the interface.
pub(crate) const PACKAGE: &str = "lingqu.v1";

/// Why nothing could be generated.
#[derive(Debug)]
pub(crate) enum GenerateError {
    /// The code generator refused the descriptors, or its scratch directory failed.
    Codegen(io::Error),
    /// A `.proto` file does not compile; the text names file, line and column.
    Compile(String),
    /// The directory with the `.proto` files cannot be read.
    List {
        directory: PathBuf,
        source: io::Error,
    },
    /// There is nothing to compile.
    NoProtos(PathBuf),
}

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codegen(source) => write!(f, "cannot generate code: {source}"),
            Self::Compile(text) => write!(f, "cannot compile the .proto files: {text}"),
            Self::List { directory, source } => {
                write!(f, "cannot list `{}`: {source}", directory.display())
            }
            Self::NoProtos(directory) => {
                write!(f, "no .proto file in `{}`", directory.display())
            }
        }
    }
}

/// Compiles every `lingqu/v1/*.proto` under `proto_root` and returns the generated files by name.
///
/// `proto_root` is the import root. The same input gives the same bytes on every machine.
///
/// # Errors
///
/// No `.proto` file, one that does not compile, or a scratch directory that cannot be written.
pub(crate) fn generate(proto_root: &Path) -> Result<Files, GenerateError> {
    let mut compiler = protox::Compiler::new([proto_root]).map_err(compile_error)?;
    compiler.include_imports(true).include_source_info(true);
    compiler
        .open_files(proto_names(proto_root)?)
        .map_err(compile_error)?;

    let commented = compiler.file_descriptor_set();
    // Comments would make the binary file change with every wording, and nobody reads them there.
    compiler.include_source_info(false);
    let descriptor_set = compiler.encode_file_descriptor_set();

    let rpcs = rpc::list(own_files(&commented));
    let mut files = rust_modules(commented).map_err(GenerateError::Codegen)?;
    files.insert(format!("{PACKAGE}.bin"), descriptor_set);
    files.insert("rpc.rs".to_owned(), rpc::render(&rpcs).into_bytes());
    Ok(files)
}

/// The paths of all `.proto` files relative to the import root, sorted: the order in which they
/// are opened decides the order of the output.
fn proto_names(proto_root: &Path) -> Result<Vec<String>, GenerateError> {
    let package_path = PACKAGE.replace('.', "/");
    let directory = proto_root.join(&package_path);
    let list_error = |source| GenerateError::List {
        directory: directory.clone(),
        source,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(list_error)? {
        let name = entry.map_err(list_error)?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".proto") {
            names.push(format!("{package_path}/{name}"));
        }
    }
    names.sort();
    if names.is_empty() {
        return Err(GenerateError::NoProtos(directory));
    }
    Ok(names)
}

/// The files of our own package: imported ones are described too, but offer none of our RPCs.
fn own_files(set: &FileDescriptorSet) -> impl Iterator<Item = &FileDescriptorProto> {
    set.file.iter().filter(|file| file.package() == PACKAGE)
}

/// Messages, clients and servers, one Rust file per protobuf package.
fn rust_modules(descriptors: FileDescriptorSet) -> io::Result<Files> {
    let scratch = Scratch::new()?;
    tonic_prost_build::configure()
        // Clients stay generic over the service that carries them. The connect functions this
        // turns off would open a channel of tonic's own, past our TLS and identity checks.
        .build_transport(false)
        // These carry somebody's data or the key to it; `proto` writes their `Debug` by hand.
        .skip_debug([
            "lingqu.v1.CallContext",
            "lingqu.v1.Claim",
            "lingqu.v1.Claim.value",
            "lingqu.v1.ExplainRequest",
            "lingqu.v1.ExplainResponse",
            "lingqu.v1.QueryRequest",
            "lingqu.v1.QueryResponse",
            "lingqu.v1.ScoreRequest",
            "lingqu.v1.ScoreResponse",
            "lingqu.v1.ScoreResult",
            "lingqu.v1.ScoreResult.value",
            "lingqu.v1.VerifyRequest",
            "lingqu.v1.VerifyResponse",
        ])
        .emit_rerun_if_changed(false)
        .out_dir(&scratch.0)
        .compile_fds(descriptors)?;

    let mut files = Files::new();
    for entry in std::fs::read_dir(&scratch.0)? {
        let entry = entry?;
        let content = std::fs::read(entry.path())?;
        // Imported packages that come with `prost-types` leave an empty file.
        if !content.is_empty() {
            files.insert(entry.file_name().to_string_lossy().into_owned(), content);
        }
    }
    Ok(files)
}

fn compile_error(error: protox::Error) -> GenerateError {
    // The debug form of this error is the one that names file, line and column.
    GenerateError::Compile(format!("{error:?}"))
}

/// A directory of this process alone, removed when dropped: the code generator only writes files.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lingqu-codegen-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // A crashed process may have left its directory to a later one of the same number.
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind lies in the system's temporary directory; nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
