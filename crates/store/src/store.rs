//! The handle that callers hold, and how the store is opened and closed.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::connection::{check_version, configure_writer, open_reader, open_writer, prepare_file};
use crate::error::{OpenError, StoreError};
use crate::readers::Readers;
use crate::schema::{MIGRATIONS, migrate};
use crate::writer::Writer;

const READERS: usize = 4;

/// Everything that is remembered. Cheap to clone; the last clone to go finishes what waits and
/// closes the database.
#[derive(Clone)]
pub struct Store {
    running: Arc<Running>,
}

struct Running {
    // Options only so that `drop` can close them before it waits for the threads.
    writer: Option<Writer>,
    readers: Option<Readers>,
    writer_thread: Option<JoinHandle<()>>,
    reader_threads: Vec<JoinHandle<()>>,
}

impl Store {
    /// Opens the database in this folder; makes both when they are missing, and upgrades an older
    /// database after a backup beside it. Blocks: call it before the server listens.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        check_version()?;
        let path = prepare_file(dir)?;
        let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => OpenError::Foreign { path: path.clone() },
            _ => OpenError::Database {
                path: path.clone(),
                source: error.into(),
            },
        };
        let mut db = open_writer(&path).map_err(failed)?;
        migrate(&mut db, &path, MIGRATIONS)?;
        configure_writer(&db).map_err(failed)?;
        let readers = (0..READERS)
            .map(|_| open_reader(&path))
            .collect::<rusqlite::Result<Vec<_>>>()
            .map_err(failed)?;
        Running::start(db, readers)
            .map(|running| Self {
                running: Arc::new(running),
            })
            .map_err(|source| OpenError::File {
                path: path.clone(),
                source,
            })
    }

    /// Runs `work` in the next transaction; answers when it is on the disk.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        match &self.running.writer {
            Some(writer) => writer.write(work).await,
            None => Err(StoreError::broken(crate::error::Stopped)),
        }
    }

    /// Asks on a reader thread; sees every write that was answered before.
    pub(crate) async fn read<T, F>(&self, ask: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        match &self.running.readers {
            Some(readers) => readers.read(ask).await,
            None => Err(StoreError::broken(crate::error::Stopped)),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Running {
    fn start(db: Connection, connections: Vec<Connection>) -> std::io::Result<Self> {
        let (readers, reader_threads) = Readers::start(connections)?;
        let (writer, writer_thread) = Writer::start(db)?;
        Ok(Self {
            writer: Some(writer),
            readers: Some(readers),
            writer_thread: Some(writer_thread),
            reader_threads,
        })
    }
}

impl Drop for Running {
    /// Readers first: the last connection to close must be one that can empty the log.
    fn drop(&mut self) {
        drop(self.readers.take());
        for thread in self.reader_threads.drain(..) {
            let _ = thread.join();
        }
        drop(self.writer.take());
        if let Some(thread) = self.writer_thread.take() {
            let _ = thread.join();
        }
    }
}
