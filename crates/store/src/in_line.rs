//! The store without threads, for simulations: the same jobs, the same transactions and the same
//! SQL, done by a future of the caller on a database in memory that outlives the server.
//!
//! Before each transaction and after it stands a [`Gate`]: there a simulation lets time pass, has
//! the disk refuse, or has the server die.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::backup::Backup;
use tokio::sync::mpsc;

use crate::audit::{Chain, begin_chain};
use crate::connection::{configure_writer, open_writer};
use crate::error::{OpenError, StoreError};
use crate::schema::{MIGRATIONS, migrate};
use crate::store::Store;
use crate::writer::{BoxedJob, LARGEST_BATCH, Writer, answer_all, commit};

const IN_MEMORY: &str = ":memory:";

/// What a gate is waited for with.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

/// What stands between jobs and the disk.
pub trait Gate: Send + Sync {
    /// Resolves when the next transaction may be done, or with why the disk refuses it.
    fn before(&self) -> Opening<'_>;
    /// It is on disk. Who waits for it runs only after this.
    fn after(&self);
}

/// A database that outlives the stores on it, as a disk does. Clones are the same disk.
#[derive(Clone)]
pub struct Disk(Arc<Mutex<Connection>>);

impl Disk {
    /// An empty database with today's schema.
    pub fn blank() -> Result<Self, OpenError> {
        let path = Path::new(IN_MEMORY);
        let mut db = open_writer(path).map_err(failed)?;
        migrate(&mut db, path, MIGRATIONS)?;
        configure_writer(&db).map_err(failed)?;
        begin_chain(&db, &Self::chain()).map_err(failed)?;
        Ok(Self(Arc::new(Mutex::new(db))))
    }

    /// What is in memory only needs no secret.
    pub(crate) fn chain() -> Chain {
        Chain::new(&[0; 32])
    }

    /// Another disk with the same content.
    pub fn copy(&self) -> Result<Self, OpenError> {
        let copied = || {
            let mut db = open_writer(Path::new(IN_MEMORY))?;
            Backup::new(&self.lock(), &mut db)?.step(-1)?;
            configure_writer(&db)?;
            Ok(db)
        };
        Ok(Self(Arc::new(Mutex::new(copied().map_err(failed)?))))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: rusqlite::Error) -> OpenError {
    OpenError::Database {
        path: IN_MEMORY.into(),
        source: error.into(),
    }
}

impl Store {
    /// A store on this disk, and what does its writes. Where that future is dropped, the server has
    /// died: what was committed stays, nothing else does.
    pub fn in_line(
        disk: &Disk,
        gate: Arc<dyn Gate>,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (writer, waiting) = Writer::new();
        let serving = serve(disk.clone(), waiting, gate);
        (Self::without_threads(writer, disk.clone()), serving)
    }
}

/// The loop of the writer thread, with the gate in it.
async fn serve(disk: Disk, mut waiting: mpsc::Receiver<BoxedJob>, gate: Arc<dyn Gate>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, LARGEST_BATCH).await > 0 {
        match gate.before().await {
            Ok(()) => commit(&disk.lock(), &mut batch, |_| ()),
            Err(error) => answer_all(&mut batch, &Err(error)),
        }
        gate.after();
    }
}
