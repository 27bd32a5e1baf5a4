//! One page at a time: bounded in bytes, time and attempts.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lingqu_connector_sdk::{SecretSource, SourceError};
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, LINK};
use reqwest::{Certificate, StatusCode, Url, redirect};

use crate::bounded::failed;
use crate::net;

/// First pause before another attempt; it doubles each time.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
/// Longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Most redirects of one request.
const REDIRECTS_MAX: usize = 3;

/// How pages are asked for.
pub(super) struct Client {
    pub(super) base: PathBuf,
    pub(super) origin: Url,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) headers: Vec<(HeaderName, SecretSource)>,
    pub(super) request_time_max: Duration,
    pub(super) retries_max: u32,
    pub(super) page_bytes_max: usize,
    pub(super) pages_max: usize,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Client")
    }
}

/// A page as it came.
pub(super) struct Page {
    pub(super) body: Vec<u8>,
    pub(super) link: Option<String>,
}

/// A client with the secrets and certificates of now.
pub(super) struct Connection {
    client: reqwest::Client,
    retries_max: u32,
    page_bytes_max: usize,
}

impl Client {
    pub(super) fn connect(&self) -> Result<Connection, SourceError> {
        let origin = self.origin.origin();
        // Headers with secrets follow a redirect, so it may only lead to where they belong.
        let redirects = redirect::Policy::custom(move |attempt| {
            if attempt.url().origin() != origin || attempt.previous().len() > REDIRECTS_MAX {
                attempt.stop()
            } else {
                attempt.follow()
            }
        });
        let mut builder = reqwest::Client::builder()
            .redirect(redirects)
            .no_proxy()
            .referer(false)
            .user_agent("lingqu")
            .default_headers(self.default_headers()?)
            .connect_timeout(self.request_time_max)
            .timeout(self.request_time_max)
            .https_only(self.origin.scheme() == "https");
        if let Some(file) = &self.ca_file {
            builder = builder.tls_built_in_root_certs(false);
            let pem = net::pem_file(file)?;
            let unusable = |_| failed("pem-file");
            for certificate in Certificate::from_pem_bundle(&pem).map_err(unusable)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        Ok(Connection {
            client: builder.build().map_err(|_| failed("client"))?,
            retries_max: self.retries_max,
            page_bytes_max: self.page_bytes_max,
        })
    }

    fn default_headers(&self) -> Result<HeaderMap, SourceError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, secret) in &self.headers {
            let secret = secret.read(&self.base)?;
            let mut value =
                HeaderValue::from_str(secret.expose()).map_err(|_| SourceError::AccountRefused)?;
            value.set_sensitive(true);
            headers.insert(name.clone(), value);
        }
        Ok(headers)
    }
}

/// Why an attempt came to nothing.
struct Missed {
    error: SourceError,
    again: bool,
}

impl Connection {
    /// The page at `url`. Asks again, after a pause, when the server is away or busy: to read twice changes nothing.
    pub(super) async fn page(&self, url: Url) -> Result<Page, SourceError> {
        let mut pause = BACKOFF_MIN;
        let mut attempts = 0;
        loop {
            match self.attempt(url.clone()).await {
                Ok(page) => return Ok(page),
                Err(missed) if missed.again && attempts < self.retries_max => {
                    attempts += 1;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACKOFF_MAX);
                }
                Err(missed) => return Err(missed.error),
            }
        }
    }

    async fn attempt(&self, url: Url) -> Result<Page, Missed> {
        let mut answer = self
            .client
            .get(url)
            .send()
            .await
            .map_err(|error| missed(&error))?;
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(refused(status));
        }
        let too_large = || Missed {
            error: SourceError::TooLarge,
            again: false,
        };
        let announced = answer.content_length().unwrap_or(0);
        if announced > self.page_bytes_max as u64 {
            return Err(too_large());
        }
        let link = answer.headers().get(LINK);
        let link = link.and_then(|link| link.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| missed(&error))? {
            if body.len() + chunk.len() > self.page_bytes_max {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Page { body, link })
    }
}

fn refused(status: StatusCode) -> Missed {
    let error = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SourceError::AccountRefused,
        other => SourceError::Failed {
            code: Some(format!("HTTP {}", other.as_u16())),
        },
    };
    let again = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    Missed { error, again }
}

fn missed(error: &reqwest::Error) -> Missed {
    if error.is_timeout() {
        return Missed {
            error: SourceError::TimedOut,
            again: false,
        };
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if net::refused_certificate(error) {
            return Missed {
                error: SourceError::Untrusted,
                again: false,
            };
        }
        next = error.source();
    }
    Missed {
        error: SourceError::Unreachable,
        again: true,
    }
}
