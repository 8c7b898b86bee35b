//! ICE servers for who is in a call, with TURN credentials that last for a time (R1).
//!
//! A credential is made as coturn's `use-auth-secret` checks it, and most other TURN servers do: the user name says until
//! when, the password is its HMAC. Neither names the person, since STUN sends user names in the clear; the same person
//! has the same one, so that a TURN server can bound what one of them takes.

use crate::config::Ice;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use ringback_core::id::UserId;
use ringback_core::time::Timestamp;
use ringback_protocol::IceServer;
use sha1::Sha1;
use sha2::Sha256;
use std::time::Duration;

/// Bytes of the hash that stands for a person.
const PERSON: usize = 12;

/// The servers, and for how long their credentials are valid.
pub(crate) fn servers(ice: &Ice, user: &UserId, now: Timestamp) -> (Vec<IceServer>, Option<Duration>) {
    let server = |urls: &[String]| IceServer { urls: urls.to_vec(), username: None, credential: None };
    let mut servers = Vec::new();
    if !ice.stun.is_empty() {
        servers.push(server(&ice.stun));
    }
    let Some(secret) = &ice.secret else { return (servers, None) };
    let until = (now + ice.ttl).0 / 1000;
    let person = mac::<Hmac<Sha256>>(secret.bytes(), format!("ringback turn {user}").as_bytes());
    let username = format!("{until}:{}", URL_SAFE_NO_PAD.encode(&person[..PERSON]));
    let credential = STANDARD.encode(mac::<Hmac<Sha1>>(secret.bytes(), username.as_bytes()));
    servers.push(IceServer { username: Some(username), credential: Some(credential), ..server(&ice.turn) });
    (servers, Some(ice.ttl))
}

fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    // An HMAC takes a key of any length; a wrong one would be refused by the TURN server.
    let mac = <M as KeyInit>::new_from_slice(key).map(|mac| mac.chain_update(text));
    mac.map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_else(|_| vec![0; PERSON])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    // spec: R1
    #[test]
    fn a_credential_is_what_coturn_makes_of_the_same_secret() {
        let ice = Ice {
            stun: vec!["stun:stun.example".into()],
            turn: vec!["turn:turn.example:3478?transport=udp".into()],
            secret: Some(Secret::new(b"north".to_vec())),
            ttl: Duration::from_secs(600),
        };
        let alice = UserId::new("alice").unwrap();
        let (servers, lasts) = servers(&ice, &alice, Timestamp(1_454_657_333_999));
        assert_eq!(lasts, Some(Duration::from_secs(600)));
        assert_eq!((&servers[0].urls, &servers[0].username), (&ice.stun, &None));
        let (username, credential) = (servers[1].username.as_deref().unwrap(), servers[1].credential.as_deref());
        // By `printf 1454657933:xikJQEkpAnAbszS6 | openssl dgst -sha1 -hmac north -binary | base64`.
        assert_eq!((username, credential), ("1454657933:xikJQEkpAnAbszS6", Some("HHp0/k4tQT8eeZOjCFQoD/cs2oU=")));
    }

    #[test]
    fn without_a_turn_server_there_is_no_credential() {
        let ice = Ice { stun: vec!["stun:stun.example".into()], ..Ice::default() };
        let (servers, lasts) = servers(&ice, &UserId::new("alice").unwrap(), Timestamp(0));
        assert_eq!((servers.len(), lasts), (1, None));
        assert!(super::servers(&Ice::default(), &UserId::new("alice").unwrap(), Timestamp(0)).0.is_empty());
    }
}
