//! What can't be done, for people: without the words of the wire.

use ringback_client::{CallError, Code, ConfigError, InitError};

/// An error as people are told it.
pub(super) fn for_people(error: anyhow::Error) -> anyhow::Error {
    if let Some(refused) = error.downcast_ref::<CallError>() {
        return anyhow::anyhow!(sentence(refused));
    }
    match error.downcast_ref::<InitError>() {
        Some(InitError::Config(ConfigError { parameter, problem })) => anyhow::anyhow!(about(parameter, problem)),
        _ => error,
    }
}

/// A refusal in one sentence.
pub(super) fn sentence(error: &CallError) -> String {
    match error.field {
        Some(field) => about(field, &error.message),
        None => error.message.clone(),
    }
}

/// What is wrong with a field of the wire, by what it is called here.
fn about(field: &str, problem: &str) -> String {
    let subject = match field {
        "for_ms" => return "do-not-disturb can't last that long: say a shorter time".to_owned(),
        "invitees" | "let_through" if problem.ends_with("entries") => {
            return format!("too many users: the list {problem}");
        }
        "invitees" | "let_through" | "user" | "callee" => "a user's name",
        "custom_data" => "--custom-data",
        "call_id" => "--call-id",
        "timeout_ms" | "timeout_seconds" => "--timeout",
        "server" => "--server",
        other => other,
    };
    // Others are sentences already.
    let begun = problem.starts_with("must ") || problem.starts_with("has ");
    if begun { format!("{subject} {problem}") } else { problem.to_owned() }
}

/// Why somebody can't be called.
pub(super) fn why(code: Code) -> String {
    match code {
        Code::Forbidden => "you blocked them".to_owned(),
        Code::CallEnded => "the call is over".to_owned(),
        Code::AlreadyInCall => "you are in another call".to_owned(),
        Code::AlreadyInvited => "a call between you is under way already".to_owned(),
        Code::Unavailable => "the server can't be reached just now".to_owned(),
        Code::RateLimited => "that was too often; try again in a moment".to_owned(),
        code => code.as_str().replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(field: Option<&'static str>, message: &str) -> String {
        let error = CallError {
            code: Code::BadRequest,
            message: message.to_owned(),
            field,
            retry_after: None,
            invitation: None,
        };
        for_people(error.into()).to_string()
    }

    #[test]
    fn what_is_wrong_is_said_without_the_words_of_the_wire() {
        assert_eq!(said(None, "you are in another call; leave it first"), "you are in another call; leave it first");
        assert!(
            said(Some("for_ms"), "must be a whole number from 1 to 316224000000").starts_with("do-not-disturb can't")
        );
        assert_eq!(said(Some("invitees"), "must not be empty"), "a user's name must not be empty");
        assert_eq!(
            said(Some("invitees"), "must have at most 9 entries"),
            "too many users: the list must have at most 9 entries"
        );
        assert_eq!(said(Some("custom_data"), "has at most 16384 bytes"), "--custom-data has at most 16384 bytes");
        assert_eq!(said(Some("user"), "a user can block at most 1000 others"), "a user can block at most 1000 others");
        let address = ConfigError { parameter: "server", problem: "must be an address".to_owned() };
        assert_eq!(for_people(InitError::Config(address).into()).to_string(), "--server must be an address");
        assert_eq!(for_people(anyhow::anyhow!("nobody answered")).to_string(), "nobody answered");
    }
}
