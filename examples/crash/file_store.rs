//! An idempotency store in a file, which several processes share.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use cloud_tasks::BoxError;
use cloud_tasks::idempotency::{
    Claim, ClaimToken, IdempotencyKey, IdempotencyStore, MemoryStore, StoreFuture,
};
use serde::{Deserialize, Serialize};

/// Each change of an entry is a line of the file. An operation takes the lock of the file, which ends with its process, reads the
/// lines of other processes and adds its own. The file only grows, and an operation blocks its thread while it waits for the
/// lock: enough for a test, and nothing for a service.
pub(crate) struct FileStore {
    log: Mutex<Log>,
    now: Box<dyn Fn() -> SystemTime + Send + Sync>,
    retention: Duration,
}

/// The file, and what was read of it.
struct Log {
    file: File,
    read: u64,
    entries: HashMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    entry: Entry,
}

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    token: String,
    runs: u32,
    state: State,
    /// When the lease ends, or the entry is forgotten: the time since 1970, which the processes share.
    until: Duration,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum State {
    Claimed,
    Released,
    Done,
    Dead,
}

impl FileStore {
    /// Opens the store, and creates its file if it is missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::with(path, MemoryStore::DEFAULT_RETENTION, SystemTime::now)
    }

    /// The same with another retention and another clock.
    pub(crate) fn with(
        path: &Path,
        retention: Duration,
        now: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        let log = Log {
            file,
            read: 0,
            entries: HashMap::new(),
        };
        Ok(Self {
            log: Mutex::new(log),
            now: Box::new(now),
            retention,
        })
    }

    /// Runs an operation at this time, while no other process does.
    fn locked<T>(
        &self,
        operation: impl FnOnce(&mut Log, Duration) -> Result<T, BoxError>,
    ) -> Result<T, BoxError> {
        let mut log = self.log.lock().map_err(|error| error.to_string())?;
        log.file.lock()?;
        let result = log.read_new().map_err(Into::into).and_then(|()| {
            let now = (self.now)().duration_since(SystemTime::UNIX_EPOCH)?;
            operation(&mut log, now)
        });
        log.file.unlock()?;
        result
    }

    fn claim(&self, key: &str, lease: Duration) -> Result<Claim, BoxError> {
        self.locked(|log, now| {
            let runs = match log.entries.get(key) {
                Some(entry) if entry.state == State::Claimed && now < entry.until => {
                    return Ok(Claim::InProgress);
                }
                Some(entry) if entry.state == State::Claimed && now < entry.until + self.retention => {
                    entry.runs
                }
                Some(entry) if now < entry.until => match entry.state {
                    State::Done => return Ok(Claim::Done),
                    State::Dead => return Ok(Claim::Dead),
                    State::Released | State::Claimed => entry.runs,
                },
                _ => 0,
            };
            let (token, runs) = (ClaimToken::random(), runs + 1);
            let entry = Entry {
                token: token.as_str().to_owned(),
                runs,
                state: State::Claimed,
                until: now + lease,
            };
            log.write(key, entry)?;
            Ok(Claim::Run { token, runs })
        })
    }

    /// Changes the state of a claim for some time, unless it was lost or has ended. Returns whether it has the state.
    fn change(
        &self,
        key: &str,
        token: &ClaimToken,
        state: State,
        length: Duration,
    ) -> Result<bool, BoxError> {
        self.locked(|log, now| {
            let Some(entry) = log.entries.get(key).filter(|entry| entry.token == token.as_str()) else {
                return Ok(false);
            };
            if entry.state != State::Claimed {
                // The call may be repeated, because its response was lost.
                return Ok(entry.state == state);
            }
            let entry = Entry {
                state,
                until: now + length,
                ..entry.clone()
            };
            log.write(key, entry)?;
            Ok(true)
        })
    }
}

impl Log {
    /// Reads the lines that other processes have added.
    fn read_new(&mut self) -> io::Result<()> {
        let mut new = Vec::new();
        self.file.seek(SeekFrom::Start(self.read))?;
        self.file.read_to_end(&mut new)?;
        for line in new.split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") {
                // Its process died while it wrote the line, so the operation has not happened.
                self.file.set_len(self.read)?;
                break;
            }
            let Line { key, entry } = serde_json::from_slice(line)?;
            self.entries.insert(key, entry);
            self.read += line.len() as u64;
        }
        Ok(())
    }

    fn write(&mut self, key: &str, entry: Entry) -> Result<(), BoxError> {
        let line = Line {
            key: key.to_owned(),
            entry,
        };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        self.file.write_all(&bytes)?;
        self.read += bytes.len() as u64;
        self.entries.insert(line.key, line.entry);
        Ok(())
    }
}

impl IdempotencyStore for FileStore {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        Box::pin(async move { self.claim(key.as_str(), lease) })
    }

    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move { self.change(key.as_str(), token, State::Claimed, lease) })
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move { self.change(key.as_str(), token, State::Done, self.retention) })
    }

    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move { self.change(key.as_str(), token, State::Dead, self.retention) })
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.change(key.as_str(), token, State::Released, self.retention)?;
            Ok(())
        })
    }
}
