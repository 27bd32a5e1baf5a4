//! The section `[observe]` of `node.toml` and `coordinator.toml`: this struct is its manual.
//!
//! Everything is off unless it is configured, and stays on this machine unless an operator says otherwise: what is shown
//! names products, grants and numbers of calls, and neither the listener nor the export is encrypted.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

/// How the process is seen from outside.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address of `/metrics`, `/health/live` and `/health/ready`, for example `127.0.0.1:9464`. Default: none, and then
    /// there is no listener.
    pub listen: Option<SocketAddr>,
    /// Receiver of traces over OTLP/gRPC, `http://HOST:PORT`, for example `http://127.0.0.1:4317`. Default: none, and
    /// then no spans are made.
    pub otlp: Option<String>,
    /// Whether `listen` and `otlp` may lie beyond this machine. Both are unencrypted and ask nobody who he is: set it only
    /// where the network itself protects them. Default `false`.
    pub allow_remote: bool,
    /// Connections to the listener at a time; further ones are closed at once. Default 16.
    pub connections_max: usize,
    /// Series of one metric that are told apart by grant, node or resource; which ones are left out is said in the
    /// manual. Default 100.
    pub series_max: usize,
    /// Spans that wait for the receiver. What comes when it is full is dropped and counted. Default 8,192.
    pub spans_queued_max: usize,
    /// Spans of one export. Default 512.
    pub spans_batch_max: usize,
    /// Seconds for one export, and for what is left when the process ends. Default 5.
    pub export_timeout_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: None,
            otlp: None,
            allow_remote: false,
            connections_max: 16,
            series_max: 100,
            spans_queued_max: 8_192,
            spans_batch_max: 512,
            export_timeout_s: 5,
        }
    }
}

/// Why a section is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsRefused {
    /// A bound is zero, or smaller than another that it must hold.
    #[error("`observe.{0}` is out of bounds")]
    Bound(&'static str),
    /// The endpoint is not `http://HOST:PORT`.
    #[error("`observe.otlp` must be `http://HOST:PORT`; for TLS put a collector on this machine")]
    Endpoint,
    /// It would leave this machine.
    #[error(
        "`observe.{0}` lies beyond this machine; set `observe.allow_remote = true` if the network protects it"
    )]
    Remote(&'static str),
}

/// Most series of one metric that can be configured.
const SERIES_MAX: usize = 10_000;
/// Most spans that can be configured to wait.
const SPANS_MAX: usize = 1 << 20;

impl Settings {
    /// Checks what TOML cannot.
    ///
    /// # Errors
    /// [`SettingsRefused`] names the key.
    pub fn check(&self) -> Result<(), SettingsRefused> {
        let within = |value: usize, max: usize| (1..=max).contains(&value);
        let bounds = [
            ("connections_max", within(self.connections_max, 1_024)),
            ("series_max", within(self.series_max, SERIES_MAX)),
            ("spans_queued_max", within(self.spans_queued_max, SPANS_MAX)),
            (
                "spans_batch_max",
                within(self.spans_batch_max, self.spans_queued_max.min(8_192)),
            ),
            (
                "export_timeout_s",
                (1..=60).contains(&self.export_timeout_s),
            ),
        ];
        if let Some((name, _)) = bounds.into_iter().find(|(_, holds)| !holds) {
            return Err(SettingsRefused::Bound(name));
        }
        if let Some(listen) = self.listen
            && !self.allow_remote
            && !is_local(listen.ip())
        {
            return Err(SettingsRefused::Remote("listen"));
        }
        match &self.otlp {
            Some(endpoint) => self.check_endpoint(endpoint),
            None => Ok(()),
        }
    }

    /// A password in the URL would come out in logs, and a path is not part of OTLP over gRPC.
    fn check_endpoint(&self, endpoint: &str) -> Result<(), SettingsRefused> {
        let uri: http::Uri = endpoint.parse().map_err(|_| SettingsRefused::Endpoint)?;
        let authority = uri.authority().ok_or(SettingsRefused::Endpoint)?;
        let plain = uri.scheme_str() == Some("http")
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
            && authority.port_u16().is_some()
            && !authority.as_str().contains('@');
        if !plain {
            return Err(SettingsRefused::Endpoint);
        }
        if self.allow_remote || is_local_name(authority.host()) {
            Ok(())
        } else {
            Err(SettingsRefused::Remote("otlp"))
        }
    }

    pub(crate) fn export_timeout(&self) -> Duration {
        Duration::from_secs(self.export_timeout_s)
    }
}

fn is_local(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether a host, as it stands in a URL or a `Host` header, can only mean this machine.
pub(crate) fn is_local_name(host: &str) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost") || address.unwrap_or(host).parse().is_ok_and(is_local)
}

#[cfg(test)]
mod tests;
