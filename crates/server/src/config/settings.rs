//! The settings themselves, each known by one key everywhere: `ping_seconds` in the file, `RINGBACK_PING_SECONDS` in
//! the environment.

use super::ConfigError;
use serde::Deserialize;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

const PREFIX: &str = "RINGBACK_";

macro_rules! settings {
    ($( $(#[$doc:meta])* $key:ident: $kind:ty, )*) => {
        /// What was settled, before it is checked; what is none has its default.
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Settings { $( $(#[$doc])* pub $key: Option<$kind>, )* }

        impl Settings {
            /// Every key.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($key)),*];

            fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
                match key {
                    $( stringify!($key) => {
                        self.$key = Some(text.parse::<$kind>().map_err(|error| error.to_string())?);
                    } )*
                    _ => return Err(format!("no such setting; there are {}", Self::KEYS.join(", "))),
                }
                Ok(())
            }

            /// These settings, and where one is none, those of `under`.
            #[must_use]
            pub fn over(self, under: Self) -> Self {
                Self { $( $key: self.$key.or(under.$key), )* }
            }
        }
    };
}

settings! {
    /// Address and port to listen on; `127.0.0.1:8787`. An address that others can reach needs a secret.
    listen: Listen,
    /// Directory of everything that is kept; `data`, in the working directory.
    data: PathBuf,
    /// The shared secret that tokens are signed with (HS256), at least 32 bytes; none. Better in a file of its own.
    secret: Secret,
    /// File that holds the secret; none.
    secret_file: PathBuf,
    /// File that holds the public key that tokens are checked with (EdDSA, Ed25519), in PEM; none.
    public_key_file: PathBuf,
    /// Connections at a time; 50,000. Each one costs a file descriptor and some kilobytes.
    max_connections: usize,
    /// Seconds that a connection may take to say hello; 5 (spec §10).
    handshake_seconds: u64,
    /// Seconds between pings, 1 to 12; 10. A connection silent for two and a half times that is dead, which has to be
    /// noticed within 30 s (L9).
    ping_seconds: u64,
    /// Bytes that may wait for one slow reader before it is cut off, to catch up when it comes back (N1); 262,144.
    send_queue_bytes: usize,
    /// Steps that may wait to be decided; 8,192. The last quarter is kept for what answers or ends a call (G10).
    inbox_steps: usize,
    /// Invitees of one invitation, 1 to 1,000; 100 (spec §10).
    max_invitees: usize,
    /// Bytes of `customData`; 16,384 (spec §10).
    custom_data_bytes: usize,
    /// Characters of a notification's title; 256 (spec §10).
    title_chars: usize,
    /// Characters of a notification's message; 1,024 (spec §10).
    message_chars: usize,
    /// Sessions of one user at a time; 20 (spec §10). The oldest gives way.
    sessions_per_user: usize,
    /// Invitations that may ring for one user at a time; 32 (spec §10). Beyond it a new one is busy.
    pending_turns: usize,
    /// Days that an unhandled missed call is kept; 90 (M7).
    retention_days: u64,
    /// STUN and TURN servers that those in a call are told of (R1), at most 8; none. In the environment with commas
    /// between them.
    ice_servers: Urls,
    /// The secret shared with the TURN servers (coturn's `static-auth-secret`); none. Better in a file of its own.
    turn_secret: Secret,
    /// File that holds the TURN servers' secret; none.
    turn_secret_file: PathBuf,
    /// Seconds for which a TURN credential is valid, 600 to 604,800; 43,200.
    turn_ttl_seconds: u64,
}

impl Settings {
    /// Reads a TOML file; a key that nobody knows is an error.
    pub(super) fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            what: "the configuration",
            path: path.to_owned(),
            source,
        })?;
        // The message names line and key; the text of the line is left out, since it may hold the secret.
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            ConfigError::File { path: path.to_owned(), message: format!("line {line}: {}", error.message()) }
        })
    }

    /// Reads what begins with `RINGBACK_`, and where the configuration file is, if that says so.
    pub(super) fn from_environment(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(Self, Option<PathBuf>), ConfigError> {
        let mut settings = Self::default();
        let mut file = None;
        for (name, value) in environment {
            let Some(key) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
            let wrong = |message| ConfigError::Environment { name: format!("{PREFIX}{key}"), message };
            match key {
                "CONFIG" => file = Some(PathBuf::from(value)),
                // The command line's own: the log, which it sets up before anything else, and who calls where.
                "LOG" | "SERVER" | "TOKEN" => {}
                _ => {
                    let text = value.to_str().ok_or_else(|| wrong("must be UTF-8".to_owned()))?;
                    settings.set(&key.to_ascii_lowercase(), text).map_err(wrong)?;
                }
            }
        }
        Ok((settings, file))
    }
}

/// Where to listen: an address and a port, `localhost:9000`, or a port alone, which is this machine's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl FromStr for Listen {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        let (host, port) = text.rsplit_once(':').unwrap_or(("localhost", text));
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        match port.parse() {
            Ok(port) if digits && host.eq_ignore_ascii_case("localhost") => {
                Ok(Self(SocketAddr::from(([127, 0, 0, 1], port))))
            }
            _ => Err("must be an address and a port like 127.0.0.1:9000 or localhost:9000, or a port alone like 9000"),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A list of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Urls(pub Vec<String>);

impl FromStr for Urls {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.split(',').map(|url| url.trim().to_owned()).filter(|url| !url.is_empty()).collect()))
    }
}

/// A secret; it prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// Takes the bytes of a secret.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes themselves.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self::new(text.into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_listen_is_an_address_localhost_or_a_port() {
        let at = |text: &str| text.parse::<Listen>().map(|listen| listen.0.to_string());
        for here in ["127.0.0.1:9000", "localhost:9000", "LOCALHOST:9000", "9000"] {
            assert_eq!(at(here).as_deref(), Ok("127.0.0.1:9000"), "{here}");
        }
        assert_eq!(at("[::1]:9000").as_deref(), Ok("[::1]:9000"));
        assert_eq!(at("0.0.0.0:0").as_deref(), Ok("0.0.0.0:0"));
        for wrong in ["", "bogus", "localhost", "localhost:", ":9000", "calls.example:9000", "70000", "+9000", "::1"] {
            assert!(at(wrong).is_err_and(|why| why.contains("localhost:9000")), "{wrong}");
        }
        let file: Settings = toml::from_str("listen = \"localhost:9000\"").unwrap();
        assert_eq!(file.listen, Some(Listen(SocketAddr::from(([127, 0, 0, 1], 9000)))));
    }
}
