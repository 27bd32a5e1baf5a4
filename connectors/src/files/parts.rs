//! The files of one table in the state in which they were found.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use futures::stream::BoxStream;
use lingqu_connector_sdk::SourceError;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore};
use prost::bytes::Bytes;
use ring::digest;

use super::pinned::Pinned;
use super::{FileLimits, Format, Shelf, TableRule, arrow_file, parquet_file, store_error};

/// What can be known of a table without looking at a row.
pub(super) struct Looked {
    pub(super) schema: SchemaRef,
    pub(super) rows: Option<u64>,
}

/// Files in the order of their names, each bound to its entity tag.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) store: Arc<Pinned>,
    pub(super) metas: Arc<[ObjectMeta]>,
}

impl Parts {
    /// The files that `rule` means now.
    pub(super) async fn find(
        shelf: &dyn Shelf,
        rule: &TableRule,
        limits: FileLimits,
    ) -> Result<Parts, SourceError> {
        let mut metas = shelf.list(&rule.pattern, limits.files_max).await?;
        if metas.is_empty() {
            return Err(SourceError::TableMissing(rule.name.clone()));
        }
        metas.sort_by(|one, other| one.location.cmp(&other.location));
        let store = shelf.store().await?;
        Ok(Parts {
            store: Arc::new(Pinned::new(store, &metas)),
            metas: metas.into(),
        })
    }

    /// Columns, and rows if the files say how many. Every file must have the same columns.
    pub(super) async fn look(
        &self,
        rule: &TableRule,
        limits: FileLimits,
    ) -> Result<Looked, SourceError> {
        match &rule.format {
            Format::Csv(form) => Ok(Looked {
                schema: form.columns.schema(),
                rows: None,
            }),
            Format::Json(form) => Ok(Looked {
                schema: form.columns.schema(),
                rows: None,
            }),
            Format::Arrow | Format::Parquet => self.look_inside(rule, limits).await,
        }
    }

    async fn look_inside(
        &self,
        rule: &TableRule,
        limits: FileLimits,
    ) -> Result<Looked, SourceError> {
        let mut looked: Option<Looked> = None;
        for meta in self.metas.iter() {
            let found = match rule.format {
                Format::Parquet => parquet_file::look(self, meta, limits).await?,
                _ => arrow_file::look(self, meta, limits).await?,
            };
            match &mut looked {
                None => looked = Some(found),
                Some(looked) if looked.schema != found.schema => {
                    return Err(SourceError::SchemaChanged(rule.name.clone()));
                }
                Some(looked) => {
                    looked.rows = looked.rows.zip(found.rows).map(|(one, other)| one + other);
                }
            }
        }
        looked.ok_or_else(|| SourceError::TableMissing(rule.name.clone()))
    }

    /// The name of this state: the same exactly if the files are the same.
    pub(super) fn version(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        for meta in self.metas.iter() {
            let tag = meta.e_tag.as_deref().unwrap_or_default();
            for part in [meta.location.as_ref(), tag, &meta.size.to_string()] {
                context.update(part.as_bytes());
                context.update(b"\0");
            }
        }
        let digest = hex::encode(&context.finish().as_ref()[..16]);
        match &self.metas[..] {
            [only] => match &only.e_tag {
                Some(tag) => tag.trim_matches('"').to_owned(),
                None => digest,
            },
            several => format!("{} files {digest}", several.len()),
        }
    }

    /// These bytes of one file, all of them.
    pub(super) async fn range(
        &self,
        meta: &ObjectMeta,
        range: Range<u64>,
    ) -> Result<Bytes, SourceError> {
        let length = range.end - range.start;
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let found = self.store.get_opts(&meta.location, options).await;
        let bytes = match found {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        let bytes = bytes.map_err(|error| store_error(&error))?;
        if bytes.len() as u64 == length {
            Ok(bytes)
        } else {
            Err(truncated())
        }
    }

    /// One file from its first byte on.
    pub(super) async fn bytes(
        &self,
        meta: &ObjectMeta,
    ) -> Result<BoxStream<'static, object_store::Result<Bytes>>, SourceError> {
        let found = self.store.get_opts(&meta.location, GetOptions::default());
        let found = found.await.map_err(|error| store_error(&error))?;
        Ok(found.into_stream())
    }
}

/// A file that ends before it should.
pub(super) fn truncated() -> SourceError {
    crate::bounded::failed("truncated")
}
