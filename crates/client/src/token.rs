//! Where tokens come from: the app's own back end.

use crate::Code;
use crate::error::CallError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Mutex;

type Made = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;
type Maker = dyn Fn(bool) -> Made + Send + Sync;

/// Gives the signed tokens that say who the user is: one that the app has, or a function that gets one. It never prints.
#[derive(Clone)]
pub struct TokenSource {
    make: Option<Arc<Maker>>,
    last: Arc<Mutex<Option<String>>>,
}

impl TokenSource {
    /// One token. When it expires, the app is told, and gives a new one by `update_token`.
    pub fn fixed(token: impl Into<String>) -> Self {
        Self { make: None, last: Arc::new(Mutex::new(Some(token.into()))) }
    }

    /// Asks the app's back end whenever a token is needed. It is given whether the last token was refused or is about to
    /// expire; its error is shown to the app by `on_error`.
    pub fn provider<F, T, E>(make: F) -> Self
    where
        F: Fn(bool) -> T + Send + Sync + 'static,
        T: Future<Output = Result<String, E>> + Send + 'static,
        E: fmt::Display,
    {
        let make = move |refused| -> Made {
            let token = make(refused);
            Box::pin(async move { token.await.map_err(|error| error.to_string()) })
        };
        Self { make: Some(Arc::new(make)), last: Arc::new(Mutex::new(None)) }
    }

    /// Whether a new token can be had without the app's doing.
    pub(crate) fn renews(&self) -> bool {
        self.make.is_some()
    }

    /// The token to use now; `fresh`: not the last one again.
    pub(crate) async fn get(&self, fresh: bool) -> Result<String, CallError> {
        let mut last = self.last.lock().await;
        match (&self.make, last.as_ref()) {
            (None, Some(token)) => return Ok(token.clone()),
            (Some(_), Some(token)) if !fresh => return Ok(token.clone()),
            _ => {}
        }
        let make = self.make.as_ref().ok_or_else(|| CallError::new(Code::Unauthorized, "there is no token"))?;
        let made = make(fresh).await;
        let token = made.map_err(|why| CallError::new(Code::Unauthorized, &format!("no token could be had: {why}")))?;
        *last = Some(token.clone());
        Ok(token)
    }

    /// Takes the app's new token.
    pub(crate) async fn put(&self, token: String) {
        *self.last.lock().await = Some(token);
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource(…)")
    }
}

impl From<String> for TokenSource {
    fn from(token: String) -> Self {
        Self::fixed(token)
    }
}

impl From<&str> for TokenSource {
    fn from(token: &str) -> Self {
        Self::fixed(token)
    }
}
