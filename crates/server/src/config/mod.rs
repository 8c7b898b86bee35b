//! What the operator settles: one TOML file, the environment over it, flags over both.

mod settings;

pub use settings::{Listen, Secret, Settings, Urls};

use ringback_core::limits::Limits;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Shortest secret for HS256: as many bytes as its hash has (RFC 7518, section 3.2).
pub const SECRET_BYTES: usize = 32;

/// STUN and TURN servers that may be configured.
const ICE_SERVERS: usize = 8;
/// For how many seconds a TURN credential is valid unless it is set: longer than calls are.
const TURN_TTL: u64 = 43_200;

/// Everything that a server runs by, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The directory of everything it keeps.
    pub data: PathBuf,
    /// Whose tokens it takes.
    pub auth: Auth,
    /// The bounds of the core.
    pub limits: Limits,
    /// Connections at a time, plain HTTP included.
    pub max_connections: usize,
    /// How long a connection may take to say hello.
    pub handshake: Duration,
    /// How often a session is pinged; two and a half times that without a word, and it is dead (N3).
    pub ping: Duration,
    /// Bytes that may wait for one reader before it is cut off.
    pub send_queue_bytes: usize,
    /// Steps that may wait for the engine.
    pub inbox_steps: usize,
    /// What the media of a call is told of (R1).
    pub ice: Ice,
}

/// Whose tokens a server takes.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Its own, for whoever asks on this machine: no secret is configured, and it listens on loopback alone.
    Development,
    /// Those of the app's back end.
    Keys {
        /// The shared secret of HS256.
        secret: Option<Secret>,
        /// The public key of EdDSA, in PEM.
        public_key: Option<Vec<u8>>,
    },
}

/// The ICE servers of a call's media, and what their credentials are made with.
#[derive(Debug, Clone)]
pub struct Ice {
    /// `stun:` and `stuns:`.
    pub stun: Vec<String>,
    /// `turn:` and `turns:`.
    pub turn: Vec<String>,
    /// What is shared with them; there if there are any.
    pub secret: Option<Secret>,
    /// For how long a credential is valid.
    pub ttl: Duration,
}

impl Default for Ice {
    /// None: peers on one network, or on none but loopback, need none.
    fn default() -> Self {
        Self { stun: Vec::new(), turn: Vec::new(), secret: None, ttl: Duration::from_secs(TURN_TTL) }
    }
}

impl Default for Config {
    /// What holds when nothing is settled: development mode on `127.0.0.1:8787`.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            data: PathBuf::from("data"),
            auth: Auth::Development,
            limits: Limits::default(),
            max_connections: 50_000,
            handshake: Duration::from_secs(5),
            ping: Duration::from_secs(10),
            send_queue_bytes: 256 * 1024,
            inbox_steps: 8192,
            ice: Ice::default(),
        }
    }
}

/// Why a configuration can't be used; each says what to do about it.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("can't read {what} {}: {source}", path.display())]
    Read {
        /// Which file.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file isn't TOML, or has a key that nobody knows.
    #[error("{}: {message}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What is wrong, with its line.
        message: String,
    },
    /// An environment variable is wrong.
    #[error("{name}: {message}")]
    Environment {
        /// Its name.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A value is out of its range.
    #[error("{key} {message}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong.
        message: String,
    },
    /// No secret, and an address that others can reach.
    #[error(
        "listening on {0} needs a secret, since others can reach it: put one of at least 32 bytes in a file and give \
         --secret-file FILE (or RINGBACK_SECRET_FILE, or public_key_file for EdDSA); to try it out on this machine \
         alone, leave out --listen"
    )]
    NoSecret(SocketAddr),
}

impl Config {
    /// Reads the settings of a file, of the environment over it, and of the flags over both, and checks them.
    ///
    /// `environment` is what `std::env::vars_os()` gives; names that don't begin with `RINGBACK_` are passed over.
    pub fn load(
        flags: Settings,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let (environment, named) = Settings::from_environment(environment)?;
        let file = match file.map(Path::to_owned).or(named) {
            Some(path) => Settings::from_file(&path)?,
            None => Settings::default(),
        };
        Self::check(flags.over(environment).over(file))
    }

    fn check(settings: Settings) -> Result<Self, ConfigError> {
        let base = Self::default();
        let listen = settings.listen.map_or(base.listen, |listen| listen.0);
        let auth = auth(&settings)?;
        if matches!(auth, Auth::Development) && !listen.ip().is_loopback() {
            return Err(ConfigError::NoSecret(listen));
        }
        let limits = limits(&settings, base.limits)?;
        let seconds = |key, value: Option<u64>, default: Duration, most| {
            Ok(Duration::from_secs(within(key, value, default.as_secs(), 1, most)?))
        };
        Ok(Self {
            listen,
            auth,
            limits,
            max_connections: within("max_connections", settings.max_connections, base.max_connections, 1, 10_000_000)?,
            handshake: seconds("handshake_seconds", settings.handshake_seconds, base.handshake, 60)?,
            ping: seconds("ping_seconds", settings.ping_seconds, base.ping, 12)?,
            send_queue_bytes: within(
                "send_queue_bytes",
                settings.send_queue_bytes,
                base.send_queue_bytes,
                64 * 1024,
                64 * 1024 * 1024,
            )?,
            inbox_steps: within("inbox_steps", settings.inbox_steps, base.inbox_steps, 64, 1_000_000)?,
            ice: ice(&settings)?,
            data: settings.data.unwrap_or(base.data),
        })
    }
}

/// A secret that stands in the settings, or in a file of its own.
fn secret(key: &'static str, given: Option<&Secret>, file: Option<&Path>) -> Result<Option<Secret>, ConfigError> {
    match (given, file) {
        (Some(_), Some(_)) => {
            Err(ConfigError::Value { key, message: format!("and {key}_file are both set: keep one") })
        }
        (Some(secret), None) => Ok(Some(secret.clone())),
        (None, Some(path)) => Ok(Some(Secret::new(read("the secret file", path)?))),
        (None, None) => Ok(None),
    }
}

/// Whether an address is a TURN server's, or else a STUN server's; none if it is neither (RFC 7064, RFC 7065). A browser
/// that is given such a one makes no connection at all.
fn ice_url(url: &str) -> Option<bool> {
    let (scheme, rest) = url.split_once(':')?;
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let turn = match (scheme, query) {
        ("stun" | "stuns", None) => false,
        ("turn" | "turns", None | Some("transport=udp" | "transport=tcp")) => true,
        _ => return None,
    };
    // An address of IPv6 stands in brackets, so that its colons are none before a port.
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, port.strip_prefix(':').or_else(|| port.is_empty().then_some("1"))?)
        }
        None => place.split_once(':').unwrap_or((place, "1")),
    };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | ':');
    (!host.is_empty() && host.chars().all(plain) && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(turn)
}

fn ice(settings: &Settings) -> Result<Ice, ConfigError> {
    const KEY: &str = "ice_servers";
    let wrong = |message| Err(ConfigError::Value { key: KEY, message });
    let urls = settings.ice_servers.clone().unwrap_or_default().0;
    if urls.len() > ICE_SERVERS {
        return wrong(format!("has {} entries, and may have {ICE_SERVERS}: a browser tries each", urls.len()));
    }
    let (mut stun, mut turn) = (Vec::new(), Vec::new());
    for url in urls {
        match ice_url(&url) {
            Some(false) => stun.push(url),
            Some(true) => turn.push(url),
            None => {
                return wrong(format!("has '{url}', and each must be like stun:HOST or turn:HOST:PORT?transport=udp"));
            }
        }
    }
    let secret = secret("turn_secret", settings.turn_secret.as_ref(), settings.turn_secret_file.as_deref())?;
    let secret = secret.filter(|_| !turn.is_empty());
    if !turn.is_empty() && secret.as_ref().is_none_or(|secret| secret.bytes().is_empty()) {
        return wrong("has a TURN server, which needs turn_secret_file (coturn's static-auth-secret)".to_owned());
    }
    let ttl = within("turn_ttl_seconds", settings.turn_ttl_seconds, TURN_TTL, 600, 7 * 86_400)?;
    Ok(Ice { stun, turn, secret, ttl: Duration::from_secs(ttl) })
}

fn auth(settings: &Settings) -> Result<Auth, ConfigError> {
    let secret = secret("secret", settings.secret.as_ref(), settings.secret_file.as_deref())?;
    if let Some(secret) = &secret
        && secret.bytes().len() < SECRET_BYTES
    {
        let message =
            format!("must have at least {SECRET_BYTES} bytes; make one with: openssl rand -hex 32 > ringback.secret");
        return Err(ConfigError::Value { key: "secret", message });
    }
    let public_key = settings.public_key_file.as_deref().map(|path| read("the public key file", path)).transpose()?;
    match (secret, public_key) {
        (None, None) => Ok(Auth::Development),
        (secret, public_key) => Ok(Auth::Keys { secret, public_key }),
    }
}

fn limits(settings: &Settings, base: Limits) -> Result<Limits, ConfigError> {
    let days = base.retention.as_secs() / 86_400;
    let days = within("retention_days", settings.retention_days, days, 1, 3650)?;
    Ok(Limits {
        invitees: within("max_invitees", settings.max_invitees, base.invitees, 1, 1000)?,
        custom_data_bytes: within(
            "custom_data_bytes",
            settings.custom_data_bytes,
            base.custom_data_bytes,
            0,
            48 * 1024,
        )?,
        title_chars: within("title_chars", settings.title_chars, base.title_chars, 1, 1024)?,
        message_chars: within("message_chars", settings.message_chars, base.message_chars, 1, 4096)?,
        sessions_per_user: within("sessions_per_user", settings.sessions_per_user, base.sessions_per_user, 1, 1000)?,
        pending_turns: within("pending_turns", settings.pending_turns, base.pending_turns, 1, 1000)?,
        retention: Duration::from_secs(days * 86_400),
        ..base
    })
}

fn within<T: PartialOrd + std::fmt::Display>(
    key: &'static str,
    value: Option<T>,
    default: T,
    least: T,
    most: T,
) -> Result<T, ConfigError> {
    let value = value.unwrap_or(default);
    if value < least || value > most {
        return Err(ConfigError::Value { key, message: format!("is {value}, and must be from {least} to {most}") });
    }
    Ok(value)
}

/// Reads a key's file; the line end that an editor leaves is no part of it.
fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    let mut bytes = std::fs::read(path).map_err(|source| ConfigError::Read { what, path: path.to_owned(), source })?;
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn flags_stand_over_the_environment_and_that_over_the_file() {
        let file = std::env::temp_dir().join(format!("ringback-config-{}.toml", std::process::id()));
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\nping_seconds = 7\nmax_invitees = 5\n").unwrap();
        let vars = environment(&[("RINGBACK_LISTEN", "127.0.0.1:2"), ("RINGBACK_PING_SECONDS", "8"), ("HOME", "/")]);
        let flags = Settings { listen: Some("127.0.0.1:3".parse().unwrap()), ..Settings::default() };
        let config = Config::load(flags, Some(&file), vars).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.ping, Duration::from_secs(8));
        assert_eq!(config.limits.invitees, 5);
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        let file = std::env::temp_dir().join(format!("ringback-unknown-{}.toml", std::process::id()));
        std::fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
        let said = Config::load(Settings::default(), Some(&file), vec![]).unwrap_err().to_string();
        assert!(said.contains("lisen") && said.contains("listen"), "{said}");
        std::fs::remove_file(file).unwrap();
        let said = Config::load(Settings::default(), None, environment(&[("RINGBACK_SECERT", "x")]));
        assert!(said.unwrap_err().to_string().contains("RINGBACK_SECERT"));
    }

    #[test]
    fn an_address_that_others_reach_needs_a_secret() {
        let vars = [("RINGBACK_LISTEN", "0.0.0.0:8787")];
        let said = Config::load(Settings::default(), None, environment(&vars)).unwrap_err().to_string();
        assert!(said.contains("--secret-file"), "{said}");
        let vars = [("RINGBACK_LISTEN", "0.0.0.0:8787"), ("RINGBACK_SECRET", SECRET)];
        assert!(Config::load(Settings::default(), None, environment(&vars)).is_ok());
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        for (name, value, key) in [
            ("RINGBACK_PING_SECONDS", "0", "ping_seconds"),
            ("RINGBACK_MAX_INVITEES", "1001", "max_invitees"),
            ("RINGBACK_SECRET", "short", "secret"),
            ("RINGBACK_LISTEN", "everywhere", "RINGBACK_LISTEN"),
            ("RINGBACK_ICE_SERVERS", "https://example", "ice_servers"),
            ("RINGBACK_ICE_SERVERS", "stun:a,turn:b", "turn_secret_file"),
            ("RINGBACK_TURN_TTL_SECONDS", "5", "turn_ttl_seconds"),
        ] {
            let said = Config::load(Settings::default(), None, environment(&[(name, value)])).unwrap_err().to_string();
            assert!(said.contains(key), "{said}");
        }
    }

    #[test]
    fn an_ice_server_that_a_browser_would_refuse_is_refused() {
        for (url, turn) in [
            ("stun:stun.example", false),
            ("stuns:stun.example:5349", false),
            ("turn:203.0.113.7:3478?transport=udp", true),
            ("turns:turn.example?transport=tcp", true),
            ("turn:[2001:db8::1]:3478", true),
            ("turn:[2001:db8::1]", true),
        ] {
            assert_eq!(ice_url(url), Some(turn), "{url}");
        }
        for url in [
            "stun:x?transport=udp",
            "turn:x:3478?transport=tls",
            "turn:x:3478/",
            "stun://x",
            "stun:x:99999",
            "stun:x:0",
            "turn:2001:db8::1",
            "turn:[x]",
            "turn:[::1]3478",
            "turn:",
            "stun: x",
            "https://x",
            "x",
        ] {
            assert_eq!(ice_url(url), None, "{url}");
        }
    }

    #[test]
    fn each_setting_is_documented() {
        let page = include_str!("../../../../docs/configuration.md");
        for key in Settings::KEYS {
            assert!(page.contains(&format!("\n| `{key}` |")), "{key}");
        }
    }

    #[test]
    fn a_secret_never_prints() {
        let config = Config::load(Settings::default(), None, environment(&[("RINGBACK_SECRET", SECRET)])).unwrap();
        assert!(!format!("{config:?}").contains(SECRET));
        let said = Config::load(Settings::default(), None, environment(&[("RINGBACK_SECRET", "short-words")]));
        assert!(!said.unwrap_err().to_string().contains("short-words"));
    }
}
