//! The figures that an administrator sees first.

use domain::access::Permission;
use domain::audit::AuditEntry;
use domain::compliance::Verdict;
use store::model::{AuditQuery, DeviceQuery, DeviceRow, Direction, Paging, Summary};

use crate::error::Result;
use crate::session::CurrentUser;
use crate::state::AppState;

const LINES: u32 = 10;

/// Figures, and what needs somebody.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Counts, kept with each change.
    pub summary: Summary,
    /// Devices with an exposed key, at most ten.
    pub exposed: Vec<DeviceRow>,
    /// Non-compliant devices, at most ten.
    pub non_compliant: Vec<DeviceRow>,
    /// Devices with a key in use that is not proven, or that failed the proof, at most ten.
    pub in_doubt: Vec<DeviceRow>,
    /// Devices with a hardware id that another has too, at most ten.
    pub duplicates: Vec<DeviceRow>,
    /// The newest entries of the audit, at most ten.
    pub activity: Vec<AuditEntry>,
}

/// The overview of the devices in the scope. Needs [`Permission::ReadReports`].
///
/// # Errors
/// 403; when the store fails.
pub async fn overview(state: &AppState, user: &CurrentUser) -> Result<Overview> {
    user.demand(Permission::ReadReports)?;
    let some = |query: DeviceQuery| async move {
        let query = DeviceQuery {
            paging: Paging::page(1, LINES),
            within: user.within(),
            ..query
        };
        state.store.devices(query).await.map(|page| page.items)
    };
    let newest = AuditQuery {
        direction: Direction::Descending,
        paging: Paging::page(1, LINES),
        within: user.within(),
        ..AuditQuery::default()
    };
    Ok(Overview {
        summary: state.store.summary(&user.within()).await?,
        exposed: some(DeviceQuery {
            exposed: true,
            ..DeviceQuery::default()
        })
        .await?,
        non_compliant: some(DeviceQuery {
            verdict: Some(Verdict::NonCompliant),
            ..DeviceQuery::default()
        })
        .await?,
        in_doubt: some(DeviceQuery {
            unproven: true,
            ..DeviceQuery::default()
        })
        .await?,
        duplicates: some(DeviceQuery {
            duplicate_hardware: true,
            ..DeviceQuery::default()
        })
        .await?,
        activity: state.store.search_audit(newest).await?.items,
    })
}
