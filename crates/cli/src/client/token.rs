//! Whose device it is: a token, or a name at a development server.

use super::WhoArgs;
use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{HOST, ORIGIN};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use ringback_client::TokenSource;
use ringback_server::is_development_name;
use serde_json::Value;
use std::net::IpAddr;
use tokio::net::TcpStream;

/// A token, and what comes around it, is shorter.
const ANSWER_BYTES: usize = 64 * 1024;

/// The user, and where their tokens come from.
pub(super) async fn source(who: &WhoArgs, server: &str) -> Result<(String, TokenSource)> {
    if let Some(name) = &who.name {
        is_name(name)?;
        // Asked once here, so that what is wrong is said at once.
        development_token(server, name).await?;
        let (server, user) = (server.to_owned(), name.clone());
        let provider = TokenSource::provider(move |_| {
            let (server, user) = (server.clone(), user.clone());
            async move { development_token(&server, &user).await.map_err(|error| format!("{error:#}")) }
        });
        return Ok((name.clone(), provider));
    }
    if let Some(file) = who.token_file.clone() {
        let read = move || std::fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()));
        let user = subject(read()?.trim())?;
        let provider = TokenSource::provider(move |_| {
            let token = read().map(|token| token.trim().to_owned()).map_err(|error| format!("{error:#}"));
            async move { token }
        });
        return Ok((user, provider));
    }
    let Some(token) = who.token.clone().or_else(|| std::env::var("RINGBACK_TOKEN").ok()) else {
        bail!(
            "who are you? --as NAME at a development server on this machine, else --token-file FILE or RINGBACK_TOKEN"
        );
    };
    Ok((subject(token.trim())?, TokenSource::fixed(token.trim())))
}

/// The user of a token; whether it is genuine, the server says.
fn subject(token: &str) -> Result<String> {
    let claims = || -> Option<Value> {
        let part = token.split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    let subject = claims().and_then(|claims| claims["sub"].as_str().map(str::to_owned));
    subject.context("that is no token: `ringback token NAME` makes one")
}

/// Refuses a name that nobody can have at a development server, and says which may be meant.
pub(super) fn is_name(name: &str) -> Result<()> {
    if is_development_name(name) {
        return Ok(());
    }
    let parts: Vec<_> = name.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()).collect();
    if let Some(names) = parts.iter().map(|part| meant(part)).collect::<Option<Vec<_>>>().filter(|_| parts.len() > 1) {
        bail!("{name:?} is no name: separate names with spaces, as in {}", names.join(" "));
    }
    match meant(name) {
        Some(meant) => bail!("nobody can be called {name:?} at a development server; did you mean {meant}?"),
        None => bail!("{name:?} is no name at a development server: say one like bob or dave-miller"),
    }
}

/// The name that is likely meant by another.
fn meant(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let near = name.split_whitespace().collect::<Vec<_>>().join("-");
    let parts = name.split(|letter: char| !letter.is_alphanumeric()).filter(|part| !part.is_empty());
    let plain = parts.collect::<Vec<_>>().join("-");
    [near, plain].into_iter().find(|name| is_development_name(name))
}

/// Asks a development server on this machine for a token, as a page of its own does.
async fn development_token(server: &str, user: &str) -> Result<String> {
    let uri: Uri = server.parse().with_context(|| format!("{server} is no address"))?;
    let (Some("http" | "ws"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        bail!("--as needs a development server on this machine, and {server} is none; else --token-file FILE");
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if !here {
        bail!("--as works on this machine alone, and {server} is another; else --token-file FILE");
    }
    let port = authority.port_u16().unwrap_or(80);
    let out_of_reach = || format!("{server} can't be reached: start it with `ringback`, or name another with --server");
    let stream = TcpStream::connect((host, port)).await.with_context(out_of_reach)?;
    let (mut requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the answer; what goes wrong shows there.
    tokio::spawn(connection);
    let asked: String = user.bytes().map(percent).collect();
    let request = Request::get(format!("/dev/token?user={asked}"))
        .header(HOST, authority.as_str())
        .header(ORIGIN, format!("http://{authority}"))
        .body(Empty::<Bytes>::new())?;
    let answer = requests.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("the answer can't be read: {error}"))?.to_bytes();
    if status != StatusCode::OK {
        let why = String::from_utf8_lossy(&body);
        bail!("{server} gives no token for {user:?}: {} Or give --token-file FILE.", why.trim());
    }
    let answer: Value = serde_json::from_slice(&body).context("the answer can't be read")?;
    Ok(answer["token"].as_str().context("the answer has no token")?.to_owned())
}

fn percent(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_a_token_is_read_from_it() {
        assert_eq!(subject("e30.eyJzdWIiOiJhbGljZSJ9.x").unwrap(), "alice");
        for wrong in ["", "alice", "a.b.c", "e30.e30.x"] {
            assert!(subject(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_that_nobody_can_have_is_refused_with_the_one_that_may_be_meant() {
        let said = |name: &str| is_name(name).unwrap_err().to_string();
        assert!(is_name("bob").is_ok() && is_name("user-2").is_ok());
        assert!(said("Bob").ends_with("did you mean bob?"), "{}", said("Bob"));
        assert!(said("Bob B.").ends_with("did you mean bob-b?"));
        assert!(said("bob,carol").ends_with("separate names with spaces, as in bob carol"), "{}", said("bob,carol"));
        assert!(said("Bob, carol;dave").ends_with("as in bob carol dave"));
        for odd in ["", "!,?", "?"] {
            assert!(said(odd).contains("is no name at"), "{odd}");
        }
    }

    #[tokio::test]
    async fn names_are_for_this_machine_alone() {
        for elsewhere in ["http://192.0.2.1:8787", "https://calls.example", "http://calls.example", "nonsense"] {
            assert!(development_token(elsewhere, "alice").await.is_err(), "{elsewhere}");
        }
    }
}
