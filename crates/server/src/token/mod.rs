//! Tokens: who a connection speaks for, vouched for by the app's own back end.

mod crypto;

use crate::clock;
use crate::config::Secret;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ringback_core::id::UserId;
use ringback_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// How far the clocks of who signs and who checks may be apart.
pub const LEEWAY: Duration = Duration::from_secs(5);
/// Characters that a name may have (M5).
const NAME_CHARS: usize = 256;

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// `sub`.
    pub user: UserId,
    /// `name`.
    pub name: Arc<str>,
    /// `exp`, on the wall clock.
    pub expires: Timestamp,
}

/// Why a token isn't taken. It never quotes the token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// It is no JSON Web Token.
    #[error("the token is no JSON Web Token")]
    Malformed,
    /// Nobody whose key is known signed it, or something in it was changed since.
    #[error("the token's signature is wrong")]
    Signature,
    /// It is signed in a way that this server has no key for.
    #[error("the token must be signed with {0}")]
    Algorithm(&'static str),
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
    /// It will be valid later.
    #[error("the token is not valid yet")]
    Early,
    /// A claim is missing or wrong.
    #[error("the token's {0} {1}")]
    Claim(&'static str, String),
}

/// A key that can't be used.
#[derive(Debug, Error)]
#[error("the public key is no Ed25519 key in PEM")]
pub struct BadKey;

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    name: String,
    exp: u64,
}

/// Checks tokens.
#[derive(Clone)]
pub struct Verifier {
    secret: Option<DecodingKey>,
    public: Option<DecodingKey>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", self.algorithms())
    }
}

impl Verifier {
    /// Takes the keys that tokens may be signed for: a secret (HS256), a public key in PEM (EdDSA), or both.
    pub fn new(secret: Option<&Secret>, public_key: Option<&[u8]>) -> Result<Self, BadKey> {
        crypto::install();
        Ok(Self {
            secret: secret.map(|secret| DecodingKey::from_secret(secret.bytes())),
            public: public_key.map(|pem| DecodingKey::from_ed_pem(pem).map_err(|_| BadKey)).transpose()?,
        })
    }

    fn algorithms(&self) -> &'static str {
        match (&self.secret, &self.public) {
            (Some(_), Some(_)) => "HS256 or EdDSA",
            (None, Some(_)) => "EdDSA",
            (_, None) => "HS256",
        }
    }

    /// Checks a token's signature, its time and its claims.
    pub fn check(&self, token: &str) -> Result<Bearer, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|error| match error.kind() {
            ErrorKind::UnsupportedAlgorithm | ErrorKind::InvalidAlgorithmName => {
                TokenError::Algorithm(self.algorithms())
            }
            _ => TokenError::Malformed,
        })?;
        // The key decides the algorithm, never the token: each is tried with its own alone.
        let key = match header.alg {
            Algorithm::HS256 => self.secret.as_ref(),
            Algorithm::EdDSA => self.public.as_ref(),
            _ => None,
        };
        let key = key.ok_or(TokenError::Algorithm(self.algorithms()))?;
        let mut rules = Validation::new(header.alg);
        rules.set_required_spec_claims(&["exp", "sub"]);
        rules.leeway = LEEWAY.as_secs();
        rules.validate_nbf = true;
        rules.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &rules).map_err(|error| said(error.kind()))?.claims;
        let user = UserId::new(&claims.sub).map_err(|bad| TokenError::Claim("sub", bad.to_string()))?;
        Ok(Bearer { user, name: name(&claims.name)?, expires: Timestamp(claims.exp.saturating_mul(1000)) })
    }
}

impl Bearer {
    /// For how long the token is still valid.
    pub fn expires_in(&self) -> Duration {
        clock::wall().until(self.expires)
    }
}

fn name(text: &str) -> Result<Arc<str>, TokenError> {
    let wrong = |what: &str| Err(TokenError::Claim("name", what.to_owned()));
    if text.trim().is_empty() {
        wrong("must not be empty")
    } else if text.chars().count() > NAME_CHARS {
        wrong("must have at most 256 characters")
    } else if text.chars().any(char::is_control) {
        wrong("must have no control characters")
    } else {
        Ok(text.into())
    }
}

fn said(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::Early,
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => {
            let claim = ["sub", "exp", "nbf"].into_iter().find(|known| known == claim).unwrap_or("claim");
            TokenError::Claim(claim, "is missing or wrong".to_owned())
        }
        // Signed rightly, but not what it has to be: serde says which claim, by our own names alone.
        ErrorKind::Json(error) => {
            let text = error.to_string();
            let claim = ["sub", "name", "exp"].into_iter().find(|claim| text.contains(&format!("`{claim}`")));
            claim.map_or(TokenError::Malformed, |claim| TokenError::Claim(claim, "is missing or wrong".to_owned()))
        }
        _ => TokenError::Malformed,
    }
}

/// Signs a token with a secret (HS256), valid until `expires` of the wall clock: for `ringback token`, development mode
/// and tests.
pub fn sign(secret: &Secret, user: &UserId, name: &str, expires: Timestamp) -> Result<String, TokenError> {
    self::name(name)?;
    crypto::install();
    let claims = Claims { sub: user.as_str().to_owned(), name: name.to_owned(), exp: expires.0 / 1000 };
    let key = EncodingKey::from_secret(secret.bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &[u8] = b"-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----";

    fn secret() -> Secret {
        Secret::new(*b"0123456789abcdef0123456789abcdef")
    }

    fn signed(claims: &serde_json::Value) -> String {
        crypto::install();
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret().bytes()))
            .unwrap()
    }

    fn checked(token: &str) -> Result<Bearer, TokenError> {
        Verifier::new(Some(&secret()), None).unwrap().check(token)
    }

    #[test]
    fn a_token_says_who_and_for_how_long() {
        let alice = UserId::new("alice").unwrap();
        let token = sign(&secret(), &alice, "Alice", clock::wall() + Duration::from_secs(60)).unwrap();
        let bearer = checked(&token).unwrap();
        assert_eq!((bearer.user.clone(), &*bearer.name), (alice, "Alice"));
        assert!(bearer.expires_in() > Duration::from_secs(55) && bearer.expires_in() <= Duration::from_secs(60));
    }

    #[test]
    fn a_token_that_is_wrong_says_why() {
        let far = clock::wall().0 / 1000 + 60;
        let good = serde_json::json!({ "sub": "alice", "name": "Alice", "exp": far });
        let with = |field: &str, value: serde_json::Value| {
            let mut claims = good.clone();
            claims[field] = value;
            signed(&claims)
        };
        let without = |field: &str| {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().remove(field);
            signed(&claims)
        };
        assert!(checked(&signed(&good)).is_ok());
        assert_eq!(checked("nonsense"), Err(TokenError::Malformed));
        assert_eq!(checked(&with("exp", 1000.into())), Err(TokenError::Expired));
        assert_eq!(checked(&with("nbf", far.into())), Err(TokenError::Early));
        let other = Verifier::new(Some(&Secret::new([7; 32])), None).unwrap();
        assert_eq!(other.check(&signed(&good)), Err(TokenError::Signature));
        for (token, claim) in [
            (without("sub"), "sub"),
            (without("name"), "name"),
            (without("exp"), "exp"),
            (with("sub", "".into()), "sub"),
            (with("name", " ".into()), "name"),
            (with("name", "x".repeat(257).into()), "name"),
            (with("name", "a\u{7}b".into()), "name"),
        ] {
            assert!(matches!(checked(&token), Err(TokenError::Claim(named, _)) if named == claim), "{claim}");
        }
    }

    // The classic: a token that says `none`, or signs with the public key as if it were a secret.
    #[test]
    fn the_key_decides_the_algorithm() {
        let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwibmFtZSI6IkEiLCJleHAiOjk5OTk5OTk5OTl9.";
        assert!(checked(none).is_err());
        let eddsa = Verifier::new(None, Some(PUBLIC)).unwrap();
        let alice = UserId::new("alice").unwrap();
        let forged = sign(&Secret::new(PUBLIC), &alice, "Alice", clock::wall() + Duration::from_secs(60)).unwrap();
        assert_eq!(eddsa.check(&forged), Err(TokenError::Algorithm("EdDSA")));
        assert!(Verifier::new(None, Some(b"no key")).is_err());
    }

    // Signed by OpenSSL (with the key pair of RFC 8410, section 10) and by Python's hmac, valid until 2100.
    #[test]
    fn tokens_that_others_signed_are_taken() {
        const CLAIMS: &str = "eyJzdWIiOiAiYWxpY2UiLCAibmFtZSI6ICJBbGljZSIsICJleHAiOiA0MTAyNDQ0ODAwfQ";
        let eddsa = format!(
            "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.{CLAIMS}.\
             EmzX5wFTfQ6Giulgo8owkhDcUkWLdZLLSY3edrfG5esNlnmyY_A7faYTuTfqcU8gAfaYFrvQx37ag433p5OdDg"
        );
        let hs256 =
            format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{CLAIMS}.jw9COfYEST_LWzLDHuIkfcBqrRHZNU-awvUCCsDVNgg");
        let both = Verifier::new(Some(&secret()), Some(PUBLIC)).unwrap();
        for token in [eddsa, hs256] {
            assert_eq!(&*both.check(&token).unwrap().name, "Alice");
            let changed = token.replace(".eyJz", ".eyJy");
            assert!(both.check(&changed).is_err());
            let (rest, last) = token.split_at(token.len() - 3);
            assert_eq!(both.check(&format!("{rest}A{}", &last[1..])), Err(TokenError::Signature));
        }
    }
}
