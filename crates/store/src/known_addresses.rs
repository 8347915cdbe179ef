//! Where an account or a token has worked lately.

use rusqlite::OptionalExtension;
use stagedoor_domain::id::UserId;
use stagedoor_domain::time::Timestamp;

use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// When this subject last worked from this network. A subject is a keyed digest, so the
    /// question costs the same for one that does not exist.
    pub async fn known_address(
        &self,
        subject: [u8; 16],
        network: String,
    ) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str =
            "SELECT last_used FROM known_addresses WHERE subject = ?1 AND network = ?2";
        self.look_up(move |db| {
            db.prepare_cached(SQL)?
                .query_row((subject, &network), |row| row.get(0))
                .optional()
                .map(|last| last.map(Timestamp::from_millis))
        })
        .await
    }

    /// Notes that it works from there, and forgets what a subject used longest ago beyond `most`.
    /// The caller decides how often: once a day is enough.
    pub async fn know_address(
        &self,
        subject: [u8; 16],
        network: String,
        user: UserId,
        now: Timestamp,
        most: u32,
    ) -> Result<(), StoreError> {
        const KEEP: &str = "INSERT OR REPLACE INTO known_addresses \
                            (subject, network, user_id, last_used) VALUES (?1, ?2, ?3, ?4)";
        const TRIM: &str = "DELETE FROM known_addresses WHERE subject = ?1 AND network NOT IN \
             (SELECT network FROM known_addresses WHERE subject = ?1 \
              ORDER BY last_used DESC, network = ?2 DESC LIMIT ?3)";
        self.write(move |db| {
            db.prepare_cached(KEEP)?
                .execute((subject, &network, user.0, now.millis()))?;
            db.prepare_cached(TRIM)?
                .execute((subject, &network, most))
                .map(|_| ())
        })
        .await
    }

    /// Forgets addresses that were not used since; how many. For a timer.
    pub async fn forget_addresses(&self, before: Timestamp) -> Result<usize, StoreError> {
        const SQL: &str = "DELETE FROM known_addresses WHERE last_used < ?1";
        self.write(move |db| db.prepare_cached(SQL)?.execute([before.millis()]))
            .await
    }
}
