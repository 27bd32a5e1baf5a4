//! A directory as a store that only reads, and reads each file in one state.
//!
//! A file's tag is made of its device, inode, length and both of its times. It is compared when the file is opened and
//! again after the last byte of each answer, so that bytes of two states never meet in one answer.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use lingqu_connector_sdk::SourceError;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use prost::bytes::Bytes;
use rustix::fs::{Dir, Mode, OFlags, open};

use super::walk::{Place, opening, walk};
use crate::bounded::failed;
use crate::files::{Pattern, not_offered, part_matches};

/// Bytes of one piece of an answer.
const PIECE_BYTES: u64 = 1 << 20;
/// Most entries of directories that one look goes through.
const ENTRIES_MAX: usize = 100_000;

/// What the settings name.
pub(super) enum Confined {
    /// A directory; everything below it by the rules of [`walk`].
    Directory(Arc<OwnedFd>),
    /// One file, which the unit may have named by a link: the path is its own word.
    File(PathBuf),
}

impl fmt::Debug for Confined {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Confined")
    }
}

impl fmt::Display for Confined {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a directory")
    }
}

impl Confined {
    /// The directory or the file at `path`, which may itself lead through links.
    pub(super) fn open(path: &FilePath) -> Result<Confined, SourceError> {
        let found = std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => SourceError::AccountRefused,
            _ => failed("file-missing"),
        })?;
        if !found.is_dir() {
            return Ok(Confined::File(path.to_owned()));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let base = open(path, flags, Mode::empty()).map_err(opening)?;
        Ok(Confined::Directory(Arc::new(base)))
    }

    /// The files that match; an error if there are more than `max`.
    pub(super) fn find(
        &self,
        pattern: &Pattern,
        max: usize,
    ) -> Result<Vec<ObjectMeta>, SourceError> {
        match self {
            Confined::Directory(base) => {
                let mut search = Search {
                    base,
                    pattern,
                    max,
                    entries: 0,
                    found: Vec::new(),
                };
                search.below(&mut Vec::new())?;
                Ok(search.found)
            }
            Confined::File(path) => {
                let name = path.file_name().and_then(OsStr::to_str);
                let name = name.ok_or_else(|| failed("file-name"))?;
                if !pattern.matches([name]) {
                    return Ok(Vec::new());
                }
                let location = Path::parse(name).map_err(|_| failed("file-name"))?;
                Ok(vec![meta_of(&regular(path)?, location)?])
            }
        }
    }

    fn again(&self) -> Confined {
        match self {
            Confined::Directory(base) => Confined::Directory(Arc::clone(base)),
            Confined::File(path) => Confined::File(path.clone()),
        }
    }

    fn file(&self, location: &Path) -> Result<(File, ObjectMeta), SourceError> {
        let file = match self {
            Confined::Directory(base) => {
                match walk(base, location.as_ref().split('/').map(OsStr::new))? {
                    Place::File(opened) => File::from(opened),
                    Place::Directory(_) => return Err(failed("no-regular-file")),
                }
            }
            Confined::File(path) => {
                let named = path
                    .file_name()
                    .is_some_and(|name| name == location.as_ref());
                named.then_some(()).ok_or_else(|| failed("file-missing"))?;
                regular(path)?
            }
        };
        let meta = meta_of(&file, location.clone())?;
        Ok((file, meta))
    }
}

/// The file at `path`, if it is a regular one; a pipe would wait for a writer.
fn regular(path: &FilePath) -> Result<File, SourceError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty()).map_err(opening)?);
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        _ => Err(failed("no-regular-file")),
    }
}

/// A look through directories along a pattern.
struct Search<'s> {
    base: &'s OwnedFd,
    pattern: &'s Pattern,
    max: usize,
    entries: usize,
    found: Vec<ObjectMeta>,
}

impl Search<'_> {
    /// Looks at what matches below the directory of these names.
    fn below(&mut self, names: &mut Vec<String>) -> Result<(), SourceError> {
        let part = &self.pattern.parts()[names.len()];
        let last = names.len() + 1 == self.pattern.parts().len();
        let directory = walk(self.base, names.iter().map(OsStr::new));
        let directory = match directory {
            Ok(Place::Directory(directory)) => directory,
            // A pattern may name a directory that is not there yet.
            Ok(Place::File(_)) => return Ok(()),
            Err(SourceError::Failed { code }) if code.as_deref() == Some("file-missing") => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for name in self.entries(&directory, part)? {
            names.push(name);
            self.entry(names, last)?;
            names.pop();
        }
        Ok(())
    }

    fn entry(&mut self, names: &mut Vec<String>, last: bool) -> Result<(), SourceError> {
        match walk(self.base, names.iter().map(OsStr::new)) {
            Ok(Place::Directory(_)) if !last => self.below(names),
            Ok(Place::File(opened)) if last => {
                let location = Path::parse(names.join("/")).map_err(|_| failed("file-name"))?;
                if self.found.len() == self.max {
                    return Err(SourceError::TooLarge);
                }
                self.found.push(meta_of(&File::from(opened), location)?);
                Ok(())
            }
            // Neither a directory on the way nor a file at its end.
            Ok(_) => Ok(()),
            // It went away since it was listed.
            Err(SourceError::Failed { code }) if code.as_deref() == Some("file-missing") => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The names in a directory that `part` stands for.
    fn entries(&mut self, directory: &OwnedFd, part: &str) -> Result<Vec<String>, SourceError> {
        let mut names = Vec::new();
        for entry in Dir::read_from(directory).map_err(|_| failed("io"))? {
            let entry = entry.map_err(|_| failed("io"))?;
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(SourceError::TooLarge);
            }
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            // A name that is no text cannot be said in settings, so no pattern means it.
            if let Some(name) = name.to_str()
                && name != "."
                && name != ".."
                && part_matches(part, name)
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }
}

fn meta_of(file: &File, location: Path) -> Result<ObjectMeta, SourceError> {
    let metadata = file.metadata().map_err(|_| failed("io"))?;
    let modified = metadata.modified().map_err(|_| failed("io"))?;
    let tag = format!(
        "{:x}-{:x}-{:x}-{:x}.{:x}-{:x}.{:x}",
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    );
    Ok(ObjectMeta {
        location,
        last_modified: modified.into(),
        size: metadata.len(),
        e_tag: Some(tag),
        version: None,
    })
}

/// One of our errors as a store carries it.
fn carried(error: SourceError) -> object_store::Error {
    object_store::Error::Generic {
        store: "files",
        source: Box::new(error),
    }
}

/// A file that is being read in one state.
struct Open {
    file: Arc<File>,
    meta: ObjectMeta,
}

impl Open {
    /// Bytes of the file, if it is still the same afterwards.
    async fn piece(&self, range: Range<u64>) -> Result<Bytes> {
        let file = Arc::clone(&self.file);
        let meta = self.meta.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
            let read = file.read_exact_at(&mut bytes, range.start);
            let now = meta_of(&file, meta.location.clone()).map_err(carried)?;
            if now.e_tag != meta.e_tag {
                return Err(changed(&meta));
            }
            read.map_err(|_| carried(failed("truncated")))?;
            Ok(Bytes::from(bytes))
        });
        read.await?
    }

    fn pieces(self, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let state = (self, range);
        stream::try_unfold(state, |(open, range)| async move {
            if range.start >= range.end {
                return Ok(None);
            }
            let end = range.end.min(range.start + PIECE_BYTES);
            let bytes = open.piece(range.start..end).await?;
            Ok(Some((bytes, (open, end..range.end))))
        })
        .boxed()
    }
}

fn changed(meta: &ObjectMeta) -> object_store::Error {
    object_store::Error::Precondition {
        path: meta.location.to_string(),
        source: "the file has changed".into(),
    }
}

#[async_trait]
impl ObjectStore for Confined {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let again = self.again();
        let wanted = location.clone();
        let opened = tokio::task::spawn_blocking(move || again.file(&wanted)).await?;
        let (file, meta) = opened.map_err(carried)?;
        options.check_preconditions(&meta)?;
        let range = match options.range {
            Some(range) => {
                range
                    .as_range(meta.size)
                    .map_err(|error| object_store::Error::Generic {
                        store: "files",
                        source: Box::new(error),
                    })?
            }
            None => 0..meta.size,
        };
        let open = Open {
            file: Arc::new(file),
            meta: meta.clone(),
        };
        let payload = if options.head {
            stream::empty().boxed()
        } else if range.end - range.start <= PIECE_BYTES {
            let bytes = open.piece(range.clone()).await;
            stream::once(async { bytes }).boxed()
        } else {
            open.pieces(range.clone())
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(payload),
            meta,
            range,
            attributes: Attributes::default(),
        })
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(not_offered("put"))
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(not_offered("put"))
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        stream::once(async { Err(not_offered("delete")) }).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::once(async { Err(not_offered("list")) }).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(not_offered("list"))
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(not_offered("copy"))
    }
}
