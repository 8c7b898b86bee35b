//! `ringback token`: makes a token, as an app's back end would.

use crate::args::TokenArgs;
use anyhow::{Context, Result, bail};
use ringback_core::id::UserId;
use ringback_server::config::Auth;
use ringback_server::{development_key, token, wall};

/// Prints a token.
pub(crate) fn run(args: TokenArgs) -> Result<()> {
    let config = args.settings.load()?;
    let secret = match config.auth {
        Auth::Keys { secret: Some(secret), .. } => secret,
        Auth::Keys { secret: None, .. } => {
            bail!("tokens are checked with a public key here: sign them where the private key is")
        }
        Auth::Development => {
            let data = config.data.display();
            // Only a server makes one: with another, it would refuse the token.
            let key = development_key(&config.data).with_context(|| format!("the development key in {data}"))?;
            let key = key.with_context(|| {
                format!("no development key in {data}: give --data as the server has it, or --secret-file FILE")
            })?;
            eprintln!("signed with the development key of {data}");
            key
        }
    };
    let user = UserId::new(&args.user).context("the user's id")?;
    let name = args.name.unwrap_or(args.user);
    println!("{}", token::sign(&secret, &user, &name, wall() + args.valid_for)?);
    Ok(())
}
