//! What happens when the machine starts.

use fve::Context;

use super::LinuxProvider;
use super::slot::Memory;
use super::volume::is_suspended;
use crate::provider::Result;

impl LinuxProvider {
    /// Another start of the machine: counts a suspension down, and the TPM is asked again.
    ///
    /// # Errors
    /// When the operating system volume cannot be changed. Nothing is lost by that: it counts one start less.
    pub fn boot(&mut self) -> Result<()> {
        for slot in &self.slots {
            *slot.memory() = Memory::default();
        }
        self.count_down()
    }

    pub(super) fn start(&mut self, boot_id: &str) -> Result<()> {
        if self.store.last_boot()?.as_deref() == Some(boot_id) {
            return Ok(());
        }
        if let Err(error) = self.count_down() {
            tracing::error!(%error, "counting a suspension down");
        }
        self.store.set_last_boot(boot_id)
    }

    /// The last restart of a suspension ends it: TPM protectors are sealed to the measurements of this start.
    fn count_down(&self) -> Result<()> {
        let Some(os) = self.os_volume() else { return Ok(()) };
        let Some(count) = os.suspension_left()? else {
            return Ok(());
        };
        match count {
            0 => Ok(()),
            1 => os.enable_protectors(),
            _ => os.change(|volume, ctx: &mut Context<'_>| {
                if is_suspended(volume)? {
                    volume.set_suspend_count(ctx, Some(count - 1))?;
                }
                Ok(())
            }),
        }
    }
}
