//! A device moved by hand: a line in is a request, a line out is what happens. `by_hand SERVER USER TOKEN`, and then
//! `call bob carol`, `video bob`, `accept`, `decline`, `click` (the newest notification), `leave`.

use ringback_client::{
    CallError, CallInvitationService, Clicks, Denied, Init, InviteOptions, Notification, Notifier, SendOptions,
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, BufReader};

/// The notifications on show, the newest last, and what takes clicks on them.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<(Vec<Notification>, Option<Clicks>)>>);

impl Screen {
    fn change<T>(&self, change: impl FnOnce(&mut Vec<Notification>, &mut Option<Clicks>) -> T) -> T {
        let mut screen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (shown, clicks) = &mut *screen;
        change(shown, clicks)
    }
}

impl Notifier for Screen {
    fn attach(&self, clicks: Clicks) {
        self.change(|_, to| *to = Some(clicks));
    }
    fn show(&self, notification: &Notification) -> Result<(), Denied> {
        println!("shown {}: {}", notification.title, notification.body);
        self.change(|shown, _| {
            shown.retain(|other| other.tag != notification.tag);
            shown.push(notification.clone());
        });
        Ok(())
    }
    fn withdraw(&self, tag: &str) {
        println!("withdrawn {tag}");
        self.change(|shown, _| shown.retain(|other| other.tag != tag));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let [server, user, token] = [args.next(), args.next(), args.next()].map(Option::unwrap_or_default);
    let screen = Screen::default();
    let service = CallInvitationService::init(Init::new(server, user, token).notifier(screen.clone())).await?;
    let mut events = service.events();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            Some(event) = events.next() => println!("{event:?}"),
            line = lines.next_line() => {
                let Some(line) = line? else { break };
                match asked(&service, &screen, &line).await {
                    Ok(()) => println!("done {line}"),
                    Err(error) => println!("refused {line}: {error}"),
                }
            }
        }
    }
    service.uninit().await;
    Ok(())
}

async fn asked(service: &CallInvitationService, screen: &Screen, line: &str) -> Result<(), CallError> {
    let mut words = line.split_whitespace();
    match words.next().unwrap_or_default() {
        way @ ("call" | "video") => {
            let invite = InviteOptions { timeout_seconds: 3, ..InviteOptions::to(words) };
            service
                .send(SendOptions { invite, is_video_call: way == "video", ..SendOptions::default() })
                .await
                .map(drop)
        }
        "accept" => service.accept(None).await.map(drop),
        "decline" => service.reject(None).await,
        "leave" => service.leave(None).await,
        "click" => {
            screen.change(|shown, clicks| shown.last().zip(clicks.as_ref()).map(|(newest, to)| to.clicked(newest)));
            Ok(())
        }
        _ => {
            println!("say call USER…, video USER…, accept, decline, click or leave");
            Ok(())
        }
    }
}
