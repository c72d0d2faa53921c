//! Where the engine of a service listens: a file for the commands of other processes.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::Config;

/// The content of the file.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Record {
    pub address: SocketAddr,
    /// Which engine listens there: the port of one that was killed may be another's by now.
    pub engine: String,
}

/// The file of this service: by project, location, and the application's name or the endpoint. `None` if the user has no
/// directory for such files.
pub(super) fn path(config: &Config) -> Option<PathBuf> {
    let identity = config.service_identity().join("\0");
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, identity.as_bytes()).simple();
    Some(directory()?.join(format!("engine-{name}.json")))
}

/// A directory that only this user can write to: whoever writes the file says whom commands send requests to.
fn directory() -> Option<PathBuf> {
    let var = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = || var("HOME").map(|home| home.join(".cache"));
    let base = var("XDG_RUNTIME_DIR")
        .or_else(|| var("XDG_CACHE_HOME"))
        .or_else(cache);
    Some(base.or_else(|| var("LOCALAPPDATA"))?.join("cloud-tasks"))
}

pub(super) fn read(path: &PathBuf) -> Option<Record> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes the file for this user alone, and all at once: a command may read it meanwhile.
pub(super) fn write(path: &PathBuf, record: &Record) -> io::Result<()> {
    let mut directory = DirBuilder::new();
    directory.recursive(true);
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        directory.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path.parent() {
        directory.create(parent)?;
    }
    let draft = path.with_extension(&record.engine);
    let written = file
        .open(&draft)
        .and_then(|mut file| file.write_all(&serde_json::to_vec(record)?))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // It may not exist.
        let _ = fs::remove_file(&draft);
    }
    written
}

/// Removes the file, unless it is another engine's by now.
pub(super) fn remove(path: &PathBuf, engine: &str) {
    if read(path).is_some_and(|record| record.engine == engine) {
        // Somebody may have been quicker; a file that is left is recognized as stale.
        let _ = fs::remove_file(path);
    }
}
