//! The ODBC connection string: parts, each closed in itself, so that no value can begin another part.

use std::path::Path;

use super::Source;
use crate::secret::{Secret, SecretUnavailable};

/// Why there is no connection string.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionRefused {
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretUnavailable),
    /// A secret has characters that cannot stand in a connection string.
    #[error("the secret of `{0}` has control characters")]
    SecretUnfit(String),
}

/// Keys that say which driver is loaded; they have settings of their own.
const OWN_KEYS: [&str; 4] = ["driver", "dsn", "filedsn", "savefile"];

impl Source {
    /// What can be said about the connection without opening it.
    pub(super) fn check_connection(&self) -> Result<(), &'static str> {
        match (&self.driver, &self.dsn) {
            (Some(driver), None) if driver.is_absolute() && driver.to_str().is_some_and(fits) => {}
            (None, Some(dsn)) if fits(dsn) && !dsn.is_empty() => {}
            _ => return Err("there is either `driver`, an absolute path, or `dsn`"),
        }
        let mut keys: Vec<String> = Vec::new();
        for key in self.parameters.keys().chain(self.secrets.keys()) {
            let plain =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b' ' | b'-');
            let lower = key.to_ascii_lowercase();
            if key.is_empty() || key.trim() != key || !key.bytes().all(plain) {
                return Err(
                    "keys of `parameters` and `secrets` are letters, digits, `_`, `-` and inner spaces",
                );
            }
            if OWN_KEYS.contains(&lower.as_str()) {
                return Err("`driver` and `dsn` are settings of the source, not parameters");
            }
            if keys.contains(&lower) {
                return Err("a part of the connection string is given twice");
            }
            keys.push(lower);
        }
        if !self.parameters.values().all(|value| fits(value)) {
            return Err("values of `parameters` have no control characters");
        }
        let plain_variable = |name: &String| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if !self.environment.keys().all(plain_variable)
            || !self.environment.values().all(|value| fits(value))
        {
            return Err(
                "names in `environment` are letters, digits and `_`, values have no control characters",
            );
        }
        Ok(())
    }

    /// The connection string with the secrets as they are now. Relative paths of secrets are relative to `base`.
    ///
    /// # Errors
    /// A secret cannot be read or used.
    pub(crate) fn connection(&self, base: &Path) -> Result<Secret, ConnectionRefused> {
        let mut text = String::new();
        if let Some(driver) = &self.driver {
            append(&mut text, "Driver", &driver.to_string_lossy());
        }
        if let Some(dsn) = &self.dsn {
            append(&mut text, "DSN", dsn);
        }
        for (key, value) in &self.parameters {
            append(&mut text, key, value);
        }
        for (key, kept) in &self.secrets {
            let secret = kept.read(base)?;
            if !fits(secret.expose()) {
                return Err(ConnectionRefused::SecretUnfit(key.clone()));
            }
            append(&mut text, key, secret.expose());
        }
        Ok(Secret::new(text))
    }
}

fn fits(value: &str) -> bool {
    !value.chars().any(char::is_control)
}

/// Adds `key=value;`. Braces close a value in that could otherwise end early; some drivers do not know them, so plain
/// values stand without.
fn append(text: &mut String, key: &str, value: &str) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:,@%&~#$^ ".contains(&byte);
    let bare = value.bytes().all(plain) && value.trim() == value;
    text.push_str(key);
    text.push('=');
    if bare {
        text.push_str(value);
    } else {
        text.push('{');
        text.push_str(&value.replace('}', "}}"));
        text.push('}');
    }
    text.push(';');
}
