//! The handle that callers hold, and how the store is opened and closed.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use stagedoor_domain::audit::Entry;

use crate::audit::{Bell, Chain, Happened, Lines, append, open_key, start_scribe};
use crate::connection::{check_version, configure_writer, open_reader, open_writer, prepare_file};
use crate::error::{OpenError, StoreError};
use crate::health::Health;
use crate::in_line::Disk;
use crate::readers::{LOOK_UPS, Readers};
use crate::schema::{MIGRATIONS, migrate, refuse_older};
use crate::writer::{Kind, Writer};

/// Four with a thread, those of [`Store::look_up`], and one for the file of the audit log.
const READERS: usize = 4 + LOOK_UPS + 1;

/// Everything that is remembered. Cheap to clone; the last clone to go finishes what waits and
/// closes the database.
#[derive(Clone)]
pub struct Store {
    running: Arc<Running>,
    /// What the next write is recorded as.
    record: Option<Arc<Entry>>,
}

/// What records are made with. Jobs hold it, and not what runs them.
struct Book {
    chain: Chain,
    /// Calls for the lines of what was recorded.
    bell: Arc<Bell>,
}

struct Running {
    health: Health,
    book: Arc<Book>,
    // Options only so that `drop` can close them before it waits for the threads.
    writer: Option<Writer>,
    readers: Option<Readers>,
    /// Instead of readers, where there are no threads.
    disk: Option<Disk>,
    writer_thread: Option<JoinHandle<Connection>>,
    scribe: Option<JoinHandle<()>>,
    reader_threads: Vec<JoinHandle<()>>,
}

impl Store {
    /// Opens the database in this folder; makes both when they are missing, and upgrades an older
    /// database after a backup beside it. Blocks: call it before the server listens.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_after(dir, |_, _| Ok(()))
    }

    /// The same beside a server that may be at work: an older database is refused, because that
    /// server might not know what it is upgraded to.
    pub fn open_beside(dir: &Path) -> Result<Self, OpenError> {
        Self::open_after(dir, refuse_older)
    }

    fn open_after(
        dir: &Path,
        check: impl FnOnce(&Connection, &Path) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        check_version()?;
        let path = prepare_file(dir)?;
        let failed = |error| OpenError::of(&path, error);
        let mut db = open_writer(&path).map_err(failed)?;
        check(&db, &path)?;
        migrate(&mut db, &path, MIGRATIONS)?;
        configure_writer(&db).map_err(failed)?;
        let chain = open_key(dir, &db)?;
        let readers = (0..READERS)
            .map(|_| open_reader(&path))
            .collect::<rusqlite::Result<Vec<_>>>()
            .map_err(failed)?;
        Running::start(dir, db, readers, chain)
            .map(Self::of)
            .map_err(|source| OpenError::File {
                path: path.clone(),
                source,
            })
    }

    fn of(running: Running) -> Self {
        Self {
            running: Arc::new(running),
            record: None,
        }
    }

    pub(crate) fn recording(&self, entry: Entry) -> Self {
        Self {
            running: Arc::clone(&self.running),
            record: Some(Arc::new(entry)),
        }
    }

    /// Runs `work` in the next transaction; answers when it is on the disk.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Happened + Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.write_as(Kind::Several, work).await
    }

    /// The same for work that changes one row with one statement.
    pub(crate) async fn write_row<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Happened + Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.write_as(Kind::OneRow, work).await
    }

    async fn write_as<T, F>(&self, kind: Kind, work: F) -> Result<T, StoreError>
    where
        T: Happened + Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let result = match (&self.running.writer, &self.record) {
            (Some(writer), None) => writer.write(kind, work).await,
            (Some(writer), Some(entry)) => {
                let (book, entry) = (Arc::clone(&self.running.book), Arc::clone(entry));
                let work = move |db: &Connection| {
                    let done = work(db)?;
                    if done.happened() {
                        append(db, &book.chain, &entry, done.number())?;
                        book.bell.note();
                    } else if let Some(why) = done.refusal() {
                        let refused = (*entry).clone().refused().with("why", why);
                        append(db, &book.chain, &refused, None)?;
                        book.bell.note();
                    }
                    Ok(done)
                };
                writer.write(kind.recorded(), work).await
            }
            (None, _) => Err(StoreError::broken(crate::error::Stopped)),
        };
        self.running.health.note(&result);
        result
    }

    /// The same for work that records by itself what it does.
    pub(crate) async fn write_to_chain<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Happened + Send + 'static,
        F: Fn(&Connection, &Chain) -> rusqlite::Result<T> + Send + 'static,
    {
        let book = Arc::clone(&self.running.book);
        self.write(move |db| {
            let done = work(db, &book.chain)?;
            if done.happened() {
                book.bell.note();
            }
            Ok(done)
        })
        .await
    }

    pub(crate) fn health(&self) -> &Health {
        &self.running.health
    }

    /// Asks on a reader thread; sees every write that was answered before.
    pub(crate) async fn read<T, F>(&self, ask: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        match (&self.running.readers, &self.running.disk) {
            (Some(readers), _) => readers.read(ask).await,
            (None, Some(disk)) => ask(&disk.lock()).map_err(StoreError::from),
            (None, None) => Err(StoreError::broken(crate::error::Stopped)),
        }
    }

    /// A look-up by a key, which is over sooner than the way to another thread and back: asked on
    /// the caller's thread, unless the connections for that are taken.
    pub(crate) async fn look_up<T, F>(&self, ask: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let here = self.running.readers.as_ref();
        match here.and_then(|readers| readers.here(&ask)) {
            Some(found) => found,
            None => self.read(ask).await,
        }
    }

    /// Without threads: see [`crate::in_line`].
    pub(crate) fn without_threads(writer: Writer, disk: Disk) -> Self {
        let running = Running {
            health: Health::default(),
            book: Arc::new(Book {
                chain: Disk::chain(),
                bell: Arc::default(),
            }),
            scribe: None,
            writer: Some(writer),
            disk: Some(disk),
            readers: None,
            writer_thread: None,
            reader_threads: Vec::new(),
        };
        Self::of(running)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Running {
    fn start(
        dir: &Path,
        db: Connection,
        mut connections: Vec<Connection>,
        chain: Chain,
    ) -> std::io::Result<Self> {
        let bell = Arc::<Bell>::default();
        let scribe = connections
            .pop()
            .map(|db| start_scribe(Lines::of(dir, chain.clone()), db, Arc::clone(&bell)))
            .transpose()?;
        let (readers, reader_threads) = Readers::start(connections)?;
        let calls = Arc::clone(&bell);
        let (writer, writer_thread) = Writer::start(db, move || calls.after_commit())?;
        Ok(Self {
            health: Health::of(dir.to_owned()),
            book: Arc::new(Book { chain, bell }),
            scribe,
            writer: Some(writer),
            readers: Some(readers),
            disk: None,
            writer_thread: Some(writer_thread),
            reader_threads,
        })
    }
}

impl Drop for Running {
    /// Readers first, and the file of the audit log after the last write: the last connection to
    /// close must be the one that can empty the log.
    fn drop(&mut self) {
        drop(self.readers.take());
        for thread in self.reader_threads.drain(..) {
            let _ = thread.join();
        }
        drop(self.writer.take());
        let last = self.writer_thread.take().map(JoinHandle::join);
        self.book.bell.end();
        if let Some(thread) = self.scribe.take() {
            let _ = thread.join();
        }
        drop(last);
    }
}
