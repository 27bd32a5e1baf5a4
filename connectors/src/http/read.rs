//! One reading: page after page, until there is none or a limit is crossed.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;
use lingqu_connector_sdk::SourceError;
use ring::digest::{SHA256, digest};
use serde_json::value::RawValue;

use super::Declared;
use super::client::Client;
use super::paging::{Astray, Seen};
use super::pointer::members;
use crate::bounded::{failed, produced};
use crate::files::JsonRows;
use crate::scan::{Rows, Wanted};

/// One table.
#[derive(Debug)]
pub(super) struct HttpTable {
    pub(super) client: Arc<Client>,
    pub(super) declared: Arc<Declared>,
}

#[async_trait]
impl Rows for HttpTable {
    fn schema(&self) -> SchemaRef {
        self.declared.columns.schema()
    }

    async fn read(&self, wanted: Wanted) -> Result<SendableRecordBatchStream, SourceError> {
        let connection = self.client.connect()?;
        let declared = Arc::clone(&self.declared);
        let pages_max = self.client.pages_max;
        let mut rows = JsonRows::new(&declared.columns, &wanted.columns);
        Ok(produced(rows.schema(), move |sender| async move {
            let mut due = Some(declared.paging.first(&declared.url));
            let (mut pages, mut total) = (0_u64, 0_u64);
            let mut before = None;
            while let Some(url) = due.take() {
                if pages as usize == pages_max {
                    return Err(SourceError::TooLarge);
                }
                let page = connection.page(url.clone()).await?;
                // A server that answers the same page again would do so for ever.
                let now = digest(&SHA256, &page.body);
                if before
                    .replace(now)
                    .is_some_and(|last| last.as_ref() == now.as_ref())
                {
                    return Err(failed("http-page-repeats"));
                }
                let body = std::str::from_utf8(&page.body).map_err(|_| failed("json-malformed"))?;
                let body: &RawValue =
                    serde_json::from_str(body).map_err(|_| failed("json-malformed"))?;
                let list = declared.rows.find(body).and_then(members);
                let list = list.ok_or_else(|| failed("json-no-rows"))?;
                pages += 1;
                total += list.len() as u64;
                let seen = Seen {
                    body,
                    rows: list.len() as u64,
                    link: page.link.as_deref(),
                    pages,
                    rows_so_far: total,
                };
                due = declared.paging.next(&declared.url, &seen).map_err(astray)?;
                if due.as_ref() == Some(&url) {
                    return Err(failed("http-page-repeats"));
                }
                for row in list {
                    rows.push(row.get())?;
                    if rows.len() >= wanted.batch_rows
                        && sender.send(Ok(rows.batch()?)).await.is_err()
                    {
                        return Ok(());
                    }
                }
                // What a page holds is handed on with it, so that no more than one page waits.
                if rows.len() > 0 && sender.send(Ok(rows.batch()?)).await.is_err() {
                    return Ok(());
                }
            }
            Ok(())
        }))
    }
}

fn astray(astray: Astray) -> SourceError {
    failed(match astray {
        Astray::Cursor => "http-cursor",
        Astray::Elsewhere => "http-link-elsewhere",
        Astray::Oversized => "http-page-oversized",
    })
}
