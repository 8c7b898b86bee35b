//! Answers who calls, and calls back who was missed: `answer http://127.0.0.1:8787 bob TOKEN`

use ringback_client::{CallEvent, CallInvitationService, Init, display_name};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [server, user, token] = args.as_slice() else { return Err("answer SERVER USER TOKEN".into()) };
    let service = CallInvitationService::init(Init::new(server, user, token.as_str())).await?;
    let mut events = service.events();
    while let Some(event) = events.next().await {
        match event {
            CallEvent::IncomingCallReceived { caller, .. } => {
                println!("{} calls: {:?}", display_name(&caller), service.accept(None).await?);
            }
            CallEvent::MissedCallsChanged { missed_calls, .. } => {
                let Some(missed) = missed_calls.first() else { continue };
                println!("calling {} back: {:?}", display_name(&missed.caller), service.dial_back(missed).await);
            }
            CallEvent::CallEnded { reason, .. } => println!("it is over: {reason:?}"),
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
