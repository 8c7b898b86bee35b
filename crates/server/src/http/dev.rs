//! Development mode: who is on this machine may be anybody, and nobody else may be.

use super::Peer;
use crate::clock;
use crate::config::Secret;
use crate::shared::Shared;
use crate::token;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringback_core::id::UserId;
use serde::Deserialize;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Who the links are for.
pub(crate) const PEOPLE: [(&str, &str); 3] = [("alice", "Alice"), ("bob", "Bob"), ("carol", "Carol")];
/// How long a token of this mode is valid: the page gets a new one before.
const VALID_FOR: Duration = Duration::from_secs(600);
/// The key's file in the data directory.
const KEY_FILE: &str = "development.key";
/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// What there is in development mode alone: a key of the server's own.
#[derive(Debug)]
pub(crate) struct Development {
    key: Secret,
}

impl Development {
    /// Reads the key from the data directory, or makes one there, which only its owner can read. It stays, so that
    /// open windows outlive a restart.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        if let Some(key) = Self::read(data)? {
            return Ok(Self { key });
        }
        let path = data.join(KEY_FILE);
        let mut key = vec![0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let _ = fs::remove_file(&path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path)?.write_all(&key)?;
        Ok(Self { key: Secret::new(key) })
    }

    /// Reads the key from the data directory, if a server made a whole one there.
    pub(crate) fn read(data: &Path) -> io::Result<Option<Secret>> {
        let mut key = Vec::with_capacity(KEY_BYTES);
        match fs::File::open(data.join(KEY_FILE)) {
            Ok(file) => {
                file.take(KEY_BYTES as u64).read_to_end(&mut key)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok((key.len() == KEY_BYTES).then(|| Secret::new(key)))
    }

    /// The key that tokens of this mode are signed and checked with.
    pub(crate) fn key(&self) -> &Secret {
        &self.key
    }
}

/// Says which names there are.
pub(super) const NO_NAME: &str = "This is no name here: lower-case letters of any alphabet, digits, hyphens and apostrophes, of 128 bytes at most.\n";

/// Whether a user of the demo may be called this: an id in lower case that has, of ASCII, letters, digits, hyphens and
/// apostrophes alone, and else neither spaces nor what turns the text around it (`demo/people.js` makes such names).
pub(super) fn is_name(name: &str) -> bool {
    let fits = |letter: char| match letter {
        'a'..='z' | '0'..='9' | '-' | '\'' => true,
        '\u{200c}' | '\u{200d}' => true, // joiners within words
        '\u{2000}'..='\u{206f}' | '\u{feff}' => false,
        _ => !letter.is_ascii() && !letter.is_whitespace(),
    };
    UserId::new(name).is_ok() && name.chars().all(fits) && name.to_lowercase() == name
}

/// The name that was meant by one in capitals or with spaces: `Dave Miller` by `dave-miller`.
pub(super) fn meant_by(name: &str) -> Option<String> {
    let meant = name.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
    (meant != name && is_name(&meant)).then_some(meant)
}

/// The address of a user's page.
pub(super) fn page(name: &str) -> String {
    let part = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    format!("/as/{}/", name.bytes().map(part).collect::<String>())
}

#[derive(Deserialize)]
pub(super) struct Who {
    user: String,
}

/// Gives a page on this machine a short-lived token for a user of the demo.
pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    who: Result<Query<Who>, QueryRejection>,
) -> Response {
    let no = |status, why: &'static str| (status, [(header::CACHE_CONTROL, "no-store")], why).into_response();
    let Some(development) = &shared.development else {
        return no(StatusCode::NOT_FOUND, "Tokens come from your own back end.\n");
    };
    if let Err(why) = from_here(shared.config.listen.ip(), peer.address.ip(), &headers) {
        return no(StatusCode::FORBIDDEN, why);
    }
    let Some(Query(Who { user })) = who.ok().filter(|who| is_name(&who.user)) else {
        return no(StatusCode::BAD_REQUEST, "Say for whom, in lower case: ?user=alice\n");
    };
    let name = display_name(&user);
    let signed = UserId::new(&user)
        .ok()
        .and_then(|id| token::sign(development.key(), &id, &name, clock::wall() + VALID_FOR).ok());
    let Some(token) = signed else {
        return no(StatusCode::INTERNAL_SERVER_ERROR, "The token couldn't be signed.\n");
    };
    let expires_in = VALID_FOR.as_millis() as u64;
    let body = serde_json::json!({ "token": token, "user": user, "name": name, "expires_in_ms": expires_in });
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "application/json")];
    (headers, body.to_string()).into_response()
}

/// The name of a user of the demo: `dave-miller` is Dave Miller.
fn display_name(user: &str) -> String {
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    let name = user.split('-').filter(|word| !word.is_empty()).map(capitalised).collect::<Vec<_>>().join(" ");
    if name.is_empty() { user.to_owned() } else { name }
}

/// Whether a page of this server's own asks, in a browser on this machine, with nobody in between.
fn from_here(listener: IpAddr, peer: IpAddr, headers: &HeaderMap) -> Result<(), &'static str> {
    if !listener.is_loopback() || !peer.to_canonical().is_loopback() {
        return Err("Only this machine may ask.\n");
    }
    // A proxy in front makes everybody look local.
    let forwarding =
        |name: &str| name == "forwarded" || name == "x-real-ip" || name == "via" || name.starts_with("x-forwarded");
    if headers.keys().any(|name| forwarding(name.as_str())) {
        return Err("Nobody may ask through a proxy.\n");
    }
    // Another name for this address would be a foreign page's (DNS rebinding).
    let mut hosts = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default());
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err("Say Host once.\n") };
    if !is_loopback_host(host) {
        return Err("Ask at 127.0.0.1 or localhost.\n");
    }
    // A page of another origin must not get one; what says nothing of its origin is no page of ours.
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let same = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), None) => site == "same-origin",
        (None, Some(origin)) => origin == format!("http://{host}"),
        (Some(site), Some(origin)) => site == "same-origin" && origin == format!("http://{host}"),
        (None, None) => false,
    };
    if same { Ok(()) } else { Err("Only a page of this server may ask; on a command line: ringback token\n") }
}

fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn asked(headers: &[(&'static str, &str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| {
            (axum::http::HeaderName::from_static(name), axum::http::HeaderValue::from_str(value).unwrap())
        });
        from_here(HERE, HERE, &headers.collect()).is_ok()
    }

    #[test]
    fn only_a_page_of_ours_on_this_machine_gets_a_token() {
        let site = ("sec-fetch-site", "same-origin");
        assert!(asked(&[("host", "127.0.0.1:8787"), site]));
        assert!(asked(&[("host", "localhost:8787"), site]));
        assert!(asked(&[("host", "[::1]:8787"), site]));
        assert!(asked(&[("host", "127.0.0.1:8787"), ("origin", "http://127.0.0.1:8787")]));
        assert!(!asked(&[site]), "no host");
        assert!(!asked(&[("host", "127.0.0.1:8787")]), "nothing says that it is the same origin");
        assert!(!asked(&[("host", "evil.example:8787"), site]), "another name for this address");
        assert!(!asked(&[("host", "127.0.0.1.evil.example"), site]));
        assert!(!asked(&[("host", "127.0.0.1:8787"), ("sec-fetch-site", "cross-site")]));
        assert!(!asked(&[("host", "127.0.0.1:8787"), ("sec-fetch-site", "same-site")]));
        assert!(!asked(&[("host", "127.0.0.1:8787"), ("sec-fetch-site", "none")]));
        assert!(!asked(&[("host", "127.0.0.1:8787"), ("origin", "http://127.0.0.1:1")]));
        for header in ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"] {
            assert!(!asked(&[("host", "127.0.0.1:8787"), site, (header, "1.2.3.4")]), "{header}");
        }
    }

    #[test]
    fn nobody_from_elsewhere_gets_one() {
        let headers: HeaderMap = [(header::HOST, "127.0.0.1".parse().unwrap())].into_iter().collect();
        let elsewhere: IpAddr = "192.0.2.7".parse().unwrap();
        assert!(from_here(elsewhere, HERE, &headers).is_err());
        assert!(from_here(HERE, elsewhere, &headers).is_err());
    }

    #[test]
    fn names_are_plain() {
        for name in
            ["alice", "user-2", "o'brien", "łukasz", "田中太郎", "हिन्दी", "مریم", "x\u{200d}y", &"x".repeat(128)]
        {
            assert!(is_name(name), "{name}");
        }
        for wrong in ["", "Alice", "Łukasz", "a/b", "a b", "a\u{a0}b", "a\u{202e}b", "..", "\u{85}", &"x".repeat(129)]
        {
            assert!(!is_name(wrong), "{wrong}");
        }
        assert_eq!(meant_by("Dave  Miller").as_deref(), Some("dave-miller"));
        assert_eq!(meant_by("Łukasz").as_deref(), Some("łukasz"));
        assert_eq!([meant_by("alice"), meant_by("A/B"), meant_by(" ")], [None, None, None]);
        assert_eq!(page("łukasz-2"), "/as/%C5%82ukasz-2/");
        assert_eq!([display_name("alice"), display_name("dave--miller-2")], ["Alice", "Dave Miller 2"]);
        assert_eq!([display_name("łukasz"), display_name("田中-太郎")], ["Łukasz", "田中 太郎"]);
        assert_eq!(display_name("-"), "-", "everybody has a name");
    }
}
