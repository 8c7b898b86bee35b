//! The SDK and the demo, built into the binary.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A folder of the repository.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tree {
    /// `web/`, the browser SDK.
    Web,
    /// `demo/`, the page.
    Demo,
}

/// Answers with a file of a folder.
pub(super) fn serve(tree: Tree, path: &str) -> Response {
    let files = match tree {
        Tree::Web => WEB,
        Tree::Demo => DEMO,
    };
    // Sorted when they were built in; a path that leads out of the folder is just not among them.
    match files.binary_search_by_key(&path, |(name, _)| name) {
        Ok(at) => {
            let mut response = ([(header::CONTENT_TYPE, content_type(path))], files[at].1).into_response();
            if matches!(tree, Tree::Web) {
                // An app that lives at another origin imports the SDK from here: it is public, and takes no cookie.
                response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            response
        }
        Err(_) => (StatusCode::NOT_FOUND, "There is no such file.\n").into_response(),
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "wav" => "audio/wav",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_path_alone() {
        assert!(WEB.is_sorted_by_key(|(name, _)| *name) && DEMO.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(serve(Tree::Web, "../Cargo.toml").status(), StatusCode::NOT_FOUND);
        let page = serve(Tree::Demo, "index.html");
        assert_eq!(page.status(), StatusCode::OK);
        assert!(!page.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "the demo is for its own origin");
        assert!(serve(Tree::Web, "device.js").headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}
