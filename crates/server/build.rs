//! Builds `web/` and `demo/` into the binary, so that it is all one needs.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What is served; what else lies there (tests, packages, types) isn't.
const SERVED: [&str; 13] =
    ["html", "js", "mjs", "css", "json", "webmanifest", "svg", "png", "ico", "mp3", "ogg", "wav", "txt"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let mut code = String::new();
    for (name, folder) in [("WEB", "web"), ("DEMO", "demo")] {
        let folder = root.join(folder);
        println!("cargo:rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        gather(&folder, "", &mut files)?;
        files.sort();
        writeln!(code, "/// The files of a folder, by their path in it, sorted.")?;
        writeln!(code, "static {name}: &[(&str, &[u8])] = &[")?;
        for (path, place) in files {
            writeln!(code, "    ({path:?}, include_bytes!({:?})),", place.display().to_string())?;
        }
        writeln!(code, "];")?;
    }
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("assets.rs"), code)?;
    Ok(())
}

fn gather(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') || name == "node_modules" || name == "test" || name == "tests" {
            continue;
        }
        let place = entry.path().canonicalize()?;
        if entry.file_type()?.is_dir() {
            gather(&place, &format!("{prefix}{name}/"), files)?;
        } else if place.extension().and_then(|end| end.to_str()).is_some_and(|end| SERVED.contains(&end))
            && !name.starts_with("package")
            && !name.starts_with("tsconfig")
        {
            files.push((format!("{prefix}{name}"), place));
        }
    }
    Ok(())
}
