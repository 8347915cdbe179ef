//! The gate before the disk.

use std::sync::Arc;

use stagedoor_domain::time::Clock;
use stagedoor_store::StoreError;
use stagedoor_store::in_line::{Gate, Opening};

use super::world::World;

pub struct DiskGate {
    pub world: Arc<World>,
    pub life: u32,
}

impl Gate for DiskGate {
    fn before(&self) -> Opening<'_> {
        Box::pin(async {
            self.world.pause(self.life, 3).await;
            self.world.step("a write");
            self.world.die_if_dead(self.life).await;
            if self.world.monotonic() < self.world.state().disk_is_full_until {
                self.world.note(format_args!("the disk is full"));
                return Err(StoreError::Full);
            }
            Ok(())
        })
    }

    fn after(&self) {
        self.world.judge_secrets();
        self.world.step("a write that was done");
    }
}

/// No gate at all.
pub struct Open;

impl Gate for Open {
    fn before(&self) -> Opening<'_> {
        Box::pin(async { Ok(()) })
    }

    fn after(&self) {}
}
