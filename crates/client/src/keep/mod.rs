//! What outlives the process: one small file for each user, which a kill at any moment leaves whole.
//!
//! It is written beside itself, brought to the disk, and then put in its own place by one rename; so there is always
//! one whole file. A lock beside it, held as long as the service lives, keeps a second process from being this device.

mod format;

use crate::error::KeepError;
use format::{FORMAT, Unreadable};
use ringback_core::device::Persisted;
use ringback_core::id::{DeviceId, UserId};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use tracing::warn;

/// A file larger than this is none of ours: the machine's own bounds keep it far below.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// Where one user's device keeps what outlives the process.
#[derive(Debug)]
pub(crate) struct Keep {
    path: PathBuf,
    user: UserId,
    device: DeviceId,
    /// Released when it is closed.
    _lock: File,
}

impl Keep {
    /// Opens what `directory` keeps of the user, or begins anew as the device that `fresh` names.
    pub(crate) fn open(directory: &Path, user: &UserId, fresh: DeviceId) -> Result<(Self, Persisted), KeepError> {
        private_directory(directory).map_err(io_error("make", directory))?;
        let path = directory.join(format!("{}.json", file_name(user)));
        let locked = path.with_extension("lock");
        let lock = private().create(true).truncate(false).open(&locked).map_err(io_error("open", &locked))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(KeepError::InUse(path)),
            Err(TryLockError::Error(source)) => return Err(io_error("lock", &locked)(source)),
        }
        let kept = match read(&path).map_err(io_error("read", &path))? {
            None => None,
            Some(text) => match format::decode(&text, user) {
                Ok(kept) => Some(kept),
                Err(Unreadable::Newer(found)) => return Err(KeepError::Newer { path, found, known: FORMAT }),
                Err(Unreadable::Damaged(why)) => {
                    // Nothing of ours writes such a file; what it held is lost either way, and the server knows the rest.
                    warn!(path = %path.display(), why, "what was kept of this device can't be read; it begins anew");
                    None
                }
            },
        };
        let new = kept.is_none();
        let (device, persisted) = kept.unwrap_or((fresh, Persisted::default()));
        let keep = Self { path, user: user.clone(), device, _lock: lock };
        if new {
            // Before the server hears of this device: it must know it again.
            keep.write(&persisted)?;
        }
        Ok((keep, persisted))
    }

    /// The device's name, the same from one process to the next.
    pub(crate) fn device(&self) -> &DeviceId {
        &self.device
    }

    /// Keeps this in the place of what was kept. When it returns, it is on the disk. It blocks.
    pub(crate) fn write(&self, state: &Persisted) -> Result<(), KeepError> {
        let text = format::encode(&self.user, &self.device, state);
        let beside = self.path.with_extension("new");
        let write = || {
            let mut file = private().create(true).truncate(true).open(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)?;
            // The rename itself is on the disk once the directory is; not every system can sync one.
            if let Some(directory) = self.path.parent().and_then(|directory| File::open(directory).ok()) {
                let _ = directory.sync_all();
            }
            Ok(())
        };
        write().map_err(io_error("write", &self.path))
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeepError {
    let path = path.to_owned();
    move |source| KeepError::Io { action, path, source }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// It names who called: nobody else's to read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn private_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// The user's id where it is plain, else `=` and its bytes in base 32, so that no two users share a name on any file
/// system; at most 206 characters.
fn file_name(user: &UserId) -> String {
    let id = user.as_str();
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    if id.bytes().all(plain) {
        return id.to_owned();
    }
    let mut name = "=".to_owned();
    let (mut bits, mut held) = (0u32, 0);
    for byte in id.bytes() {
        bits = bits << 8 | u32::from(byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            name.extend(char::from_digit(bits >> held & 31, 32));
        }
    }
    if held > 0 {
        name.extend(char::from_digit(bits << (5 - held) & 31, 32));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    fn device(id: &str) -> DeviceId {
        DeviceId::new(id).unwrap()
    }

    #[test]
    fn the_device_is_the_same_from_one_process_to_the_next_and_belongs_to_one_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let (keep, _) = Keep::open(place.path(), &user("bob"), device("d-1")).unwrap();
        assert!(matches!(Keep::open(place.path(), &user("bob"), device("d-2")), Err(KeepError::InUse(_))));
        let (other, _) = Keep::open(place.path(), &user("eve"), device("d-3")).unwrap();
        assert_eq!(other.device(), &device("d-3"));
        drop(keep);
        let (again, _) = Keep::open(place.path(), &user("bob"), device("d-2")).unwrap();
        assert_eq!(again.device(), &device("d-1"));
    }

    #[test]
    fn a_kill_while_it_is_written_leaves_what_was_kept_before() {
        let place = tempfile::tempdir().unwrap();
        let state = format::tests::state();
        let (keep, _) = Keep::open(place.path(), &user("bob"), device("d-1")).unwrap();
        keep.write(&state).unwrap();
        // What the kill leaves: the new file, cut at any byte, beside the old one.
        let whole = fs::read(&keep.path).unwrap();
        let beside = keep.path.with_extension("new");
        drop(keep);
        for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&beside, &whole[..cut]).unwrap();
            let (again, kept) = Keep::open(place.path(), &user("bob"), device("d-2")).unwrap();
            assert_eq!((again.device(), &kept), (&device("d-1"), &state));
        }
    }

    #[test]
    fn what_is_damaged_begins_anew_and_what_is_newer_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("bob.json");
        for text in ["", "{", "[]", "{\"format\":1}", "\u{0}\u{0}"] {
            fs::write(&path, text).unwrap();
            let (keep, kept) = Keep::open(place.path(), &user("bob"), device("d-2")).unwrap();
            assert_eq!((keep.device(), kept), (&device("d-2"), Persisted::default()), "{text}");
        }
        fs::write(&path, "{\"format\":2,\"more\":true}").unwrap();
        let refused = Keep::open(place.path(), &user("bob"), device("d-2")).unwrap_err();
        assert!(refused.to_string().contains("format 2"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"format\":2,\"more\":true}");
    }

    #[test]
    fn each_user_has_a_file_of_their_own() {
        let ids =
            ["bob", "Bob", "BOB", "b/ob", "../bob", ".", "bób", "b ob", "=", "con.", &"x".repeat(128), &"É".repeat(64)];
        let names: BTreeSet<String> = ids.iter().map(|id| file_name(&user(id))).collect();
        assert_eq!(names.len(), ids.len());
        for name in names {
            assert!(
                name.len() <= 206 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b)),
                "{name}"
            );
            assert_eq!(name, name.to_ascii_lowercase());
        }
    }
}
