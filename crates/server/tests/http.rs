//! What is served beside the sockets.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use ringback_server::Config;
use ringback_server::config::Auth;
use ringback_server::testing::{TestClient, TestServer, config, http};
use ringback_store::Memory;
use serde_json::{Value, json};

async fn development(data: &std::path::Path) -> TestServer {
    let config = Config { auth: Auth::Development, data: data.to_owned(), ..config() };
    TestServer::with(config, Box::new(Memory::new())).await
}

const SAME: (&str, &str) = ("Sec-Fetch-Site", "same-origin");

#[tokio::test]
async fn the_sdk_and_the_demo_are_in_the_binary() {
    let data = tempfile::tempdir().unwrap();
    let server = development(data.path()).await;
    let at = server.address();
    let host = at.to_string();
    let host = ("Host", host.as_str());
    for (path, kind) in [
        ("/", "text/html"),
        ("/as/alice/", "text/html"),
        ("/as/alice/sw.js", "text/javascript"),
        ("/as/dave-2/", "text/html"),
        ("/as/%E7%94%B0%E4%B8%AD%E5%A4%AA%E9%83%8E/", "text/html"),
        ("/demo/welcome.js", "text/javascript"),
        ("/web/device.js", "text/javascript"),
        ("/metrics", "text/plain"),
        ("/healthz", "text/plain"),
    ] {
        let (status, answer) = http(at, path, &[host]).await;
        let answer = answer.to_ascii_lowercase();
        assert_eq!(status, 200, "{path}");
        assert!(answer.contains(&format!("content-type: {kind}")), "{path}: {answer}");
        assert!(answer.contains("cache-control: no-cache"), "{path}");
        assert!(answer.contains("content-security-policy: default-src 'none'"), "{path}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{path}");
    }
    for path in ["/web/../Cargo.toml", "/web/%2e%2e/Cargo.toml", "/as/alice/..%2f..%2fCargo.toml", "/x"] {
        assert_eq!(http(at, path, &[host]).await.0, 404, "{path}");
    }
    for (path, place) in [
        ("/as/alice", "/as/alice/"),
        ("/as/ALICE/", "/as/alice/"),
        ("/as/Dave%20Miller", "/as/dave-miller/"),
        ("/as/%C5%81ukasz/", "/as/%C5%82ukasz/"),
    ] {
        let (status, answer) = http(at, path, &[host]).await;
        assert_eq!(status, 308, "{path}");
        assert!(
            answer.to_ascii_lowercase().contains(&format!("location: {}\r\n", place.to_ascii_lowercase())),
            "{path}: {answer}"
        );
    }
    for path in ["/as/a:b/", &format!("/as/{}/", "x".repeat(129))] {
        let (status, answer) = http(at, path, &[host]).await;
        assert_eq!(status, 404, "{path}");
        assert!(answer.contains("no name here"), "{path}: {answer}");
    }
    assert_eq!(http(at, "/ws", &[host]).await.0, 400, "no WebSocket");
}

#[tokio::test]
async fn a_page_on_this_machine_gets_a_token_that_lets_it_in() {
    let data = tempfile::tempdir().unwrap();
    let server = development(data.path()).await;
    let at = server.address();
    let host = at.to_string();
    let (status, answer) = http(at, "/dev/token?user=alice", &[("Host", &host), SAME]).await;
    assert_eq!(status, 200);
    assert!(answer.to_ascii_lowercase().contains("cache-control: no-store"));
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["name"], "Alice");
    let hello = json!({"type":"hello","token":body["token"],"protocol":1,"device":{"id":"a1"}});
    let mut alice = TestClient::open(at).await;
    alice.greet(&hello).await;
    assert_eq!(alice.until(|frame| frame["type"] == "welcome").await["user"]["name"], "Alice");
    server.stop().await.unwrap();

    // The key stays, so that open windows outlive a restart; nobody else can read it.
    let again = development(data.path()).await;
    TestClient::open(again.address()).await.greet(&hello).await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let key = std::fs::metadata(data.path().join("development.key")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn nobody_else_gets_a_token() {
    let data = tempfile::tempdir().unwrap();
    let server = development(data.path()).await;
    let at = server.address();
    let host = at.to_string();
    let path = "/dev/token?user=alice";
    for (headers, why) in [
        (vec![("Host", host.as_str())], "nothing says that it is the same origin"),
        (vec![("Host", "evil.example"), SAME], "another name for this address"),
        (vec![("Host", host.as_str()), ("Sec-Fetch-Site", "cross-site")], "another site's page"),
        (vec![("Host", host.as_str()), ("Origin", "http://evil.example")], "another origin's page"),
        (vec![("Host", host.as_str()), SAME, ("X-Forwarded-For", "127.0.0.1")], "through a proxy"),
        (vec![("Host", host.as_str()), SAME, ("Forwarded", "for=127.0.0.1")], "through a proxy"),
        (vec![("Host", host.as_str()), SAME, ("Via", "1.1 x")], "through a proxy"),
    ] {
        assert_eq!(http(at, path, &headers).await.0, 403, "{why}");
    }
    assert_eq!(http(at, "/dev/token?user=Alice%20A", &[("Host", &host), SAME]).await.0, 400);
    assert_eq!(http(at, "/dev/token", &[("Host", &host), SAME]).await.0, 400);
}

#[tokio::test]
async fn with_a_secret_there_is_no_development_mode() {
    let server = TestServer::start().await;
    let host = server.address().to_string();
    for path in ["/dev/token?user=alice", "/as/alice/", "/as/alice/sw.js", "/demo/welcome.js"] {
        assert_eq!(http(server.address(), path, &[("Host", &host), SAME]).await.0, 404, "{path}");
    }
    assert_eq!(http(server.address(), "/web/device.js", &[("Host", &host)]).await.0, 200);
}
