//! Answers whoever calls, and calls back whoever was missed: `answer http://127.0.0.1:8787 bob TOKEN`

use ringback_client::{CallEvent, CallInvitationService, Init, display_name};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let [server, user, token] = [args.next(), args.next(), args.next()].map(Option::unwrap_or_default);
    let service = CallInvitationService::init(Init::new(server, user, token)).await?;
    let mut events = service.events();
    while let Some(event) = events.next().await {
        match event {
            CallEvent::IncomingCallReceived { caller, .. } => {
                println!("{} calls: {:?}", display_name(&caller), service.accept(None).await);
            }
            CallEvent::MissedCallsChanged { missed_calls, .. } => {
                let Some(missed) = missed_calls.first() else { continue };
                println!("{} was missed: {:?}", display_name(&missed.caller), service.dial_back(missed).await);
            }
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
