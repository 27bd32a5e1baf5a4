//! A directory as a store that only reads, and reads each file in one state.
//!
//! A file's tag is made of its device, inode, length and both of its times. It is compared when the file is opened and
//! again after the last byte of each answer, so that bytes of two states never meet in one answer.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path as FilePath;
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

/// One directory, and of it perhaps one file only.
pub(super) struct Confined {
    base: Arc<OwnedFd>,
    only: Option<OsString>,
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
    /// The directory, or the one that the file is in. `path` itself is the unit's own word and may lead through links.
    pub(super) fn open(path: &FilePath) -> Result<Confined, SourceError> {
        let directory = |path: &FilePath| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            open(path, flags, Mode::empty()).map_err(opening)
        };
        let found = std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => SourceError::AccountRefused,
            _ => failed("file-missing"),
        })?;
        if found.is_dir() {
            return Ok(Confined {
                base: Arc::new(directory(path)?),
                only: None,
            });
        }
        let name = path.file_name().ok_or_else(|| failed("file-missing"))?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => FilePath::new("."),
        };
        Ok(Confined {
            base: Arc::new(directory(parent)?),
            only: Some(name.to_owned()),
        })
    }

    /// The files that match; an error if there are more than `max`.
    pub(super) fn find(
        &self,
        pattern: &Pattern,
        max: usize,
    ) -> Result<Vec<ObjectMeta>, SourceError> {
        let mut search = Search {
            confined: self,
            pattern,
            max,
            entries: 0,
            found: Vec::new(),
        };
        search.below(&mut Vec::new())?;
        Ok(search.found)
    }

    fn file(&self, location: &Path) -> Result<(File, ObjectMeta), SourceError> {
        let names: Vec<&str> = location.as_ref().split('/').collect();
        if let Some(only) = &self.only
            && (names.len() != 1 || OsStr::new(names[0]) != only)
        {
            return Err(failed("file-missing"));
        }
        match walk(&self.base, names.into_iter().map(OsStr::new))? {
            Place::File(opened) => {
                let file = File::from(opened);
                let meta = meta_of(&file, location.clone())?;
                Ok((file, meta))
            }
            Place::Directory(_) => Err(failed("no-regular-file")),
        }
    }
}

/// A look through directories along a pattern.
struct Search<'s> {
    confined: &'s Confined,
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
        let directory = walk(&self.confined.base, names.iter().map(OsStr::new));
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
        match walk(&self.confined.base, names.iter().map(OsStr::new)) {
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
            let meant = self
                .confined
                .only
                .as_deref()
                .is_none_or(|only| only == name);
            // A name that is no text cannot be said in settings, so no pattern means it.
            if let Some(name) = name.to_str()
                && meant
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
        let again = Confined {
            base: Arc::clone(&self.base),
            only: self.only.clone(),
        };
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
