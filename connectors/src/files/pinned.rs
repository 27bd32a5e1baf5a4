//! A store that reads a few objects in one state and nothing else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use lingqu_connector_sdk::SourceError;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::store_error;

/// Reads the objects it was made with, each only as long as it has the tag that it had then. Has no means of writing.
pub(crate) struct Pinned {
    store: Arc<dyn ObjectStore>,
    tags: HashMap<Path, Option<String>>,
    failure: OnceLock<SourceError>,
}

impl Pinned {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, metas: &[ObjectMeta]) -> Pinned {
        let tag = |meta: &ObjectMeta| (meta.location.clone(), meta.e_tag.clone());
        Pinned {
            store,
            tags: metas.iter().map(tag).collect(),
            failure: OnceLock::new(),
        }
    }

    /// `error`, or what an object could not be read for where the engine kept only the text of it.
    pub(crate) fn named(&self, error: SourceError) -> SourceError {
        match error {
            SourceError::Failed { code: None } => self.failure.get().cloned().unwrap_or(error),
            named => named,
        }
    }

    async fn opened(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        let missing = || object_store::Error::NotFound {
            path: location.to_string(),
            source: "it is no part of the table".into(),
        };
        let tag = self.tags.get(location).ok_or_else(missing)?;
        options.if_match.clone_from(tag);
        let found = self.store.get_opts(location, options).await?;
        // A server may not know `if-match`; the tag of what it sends says the same.
        if found.meta.e_tag != *tag {
            return Err(object_store::Error::Precondition {
                path: location.to_string(),
                source: "the object has changed".into(),
            });
        }
        Ok(found)
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pinned({} objects)", self.tags.len())
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// The answer to every method that would change something or look at something else.
pub(crate) fn not_offered(operation: &str) -> object_store::Error {
    object_store::Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: "a source that only reads".to_owned(),
    }
}

#[async_trait]
impl ObjectStore for Pinned {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let opened = self.opened(location, options).await;
        opened.inspect_err(|error| {
            // Only the first is kept: those after it are its consequences.
            let _ = self.failure.set(store_error(error));
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
