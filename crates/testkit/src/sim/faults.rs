//! Deliberate faults, each put in at a seam of the simulator, never in product code. A promise that catches none of them
//! would be worth little.

use domain::ids::ProtectorId;
use domain::inventory::Inventory;
use domain::ledger::{KeyRecord, KeyState, StateChange};

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident: $sentence:literal,)*) => {
        /// A deliberate fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault { $($(#[$doc])* #[doc = $sentence] $name,)* }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// In words.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

faults! {
    // Planner
    DeletesBeforeEscrow: "planner: the old password is deleted before the new one is escrowed",
    EncryptsBeforeEscrow: "planner: encryption starts before the password is escrowed",
    ResumesBeforeEscrow: "planner: a suspension ends before the password is escrowed",
    RotationDeletesAll: "planner: a rotation deletes every recovery password",
    RotationDeletesNothing: "planner: a rotation leaves the old password",
    ToldIgnored: "planner: a told password is not replaced",
    TpmLeftBesidePin: "planner: a TPM protector stays beside TPM and PIN",
    EscrowLeftOut: "planner: nothing is escrowed, and encryption starts",
    SuspensionForgotten: "planner: a suspension is never ended",
    OnlyFirstVolume: "planner: only the first volume is looked after",
    StaleLedger: "planner: the ledger of the last cycle is trusted",
    ExemptByOneUser: "planner: a device is exempt when one of its users is",
    // Agent
    SentMeansAcknowledged: "agent: an escrow that was sent counts as acknowledged",
    FailureIgnored: "agent: after a failed escrow the later steps are carried out",
    WrongVolumeEscrowed: "agent: the password is escrowed under another volume",
    WrongPasswordEscrowed: "agent: another password than the volume's is escrowed",
    DoneTooEarly: "agent: a rotation is called done before it is",
    InventoryWithheld: "agent: a changed inventory is not sent",
    // Protocol
    RefusalTaken: "protocol: a refused escrow is taken for an acknowledged one",
    PolicyStaysUnchanged: "protocol: a new policy is answered with \"unchanged\"",
    // Server
    AnsweredBeforeCommit: "server: an escrow is acknowledged before the commit",
    AuditAfterAnswer: "server: the record of a disclosure follows the answer",
    SelfServiceNotAudited: "server: a disclosure by self-service is not recorded",
    SelfServiceTellsOthers: "server: self-service tells keys of others' devices",
    DisclosureNotMarked: "server: a told password stays live",
    ExposedElsewhereForgotten: "server: a told password stays live on another device's record",
    ToldElsewhereForgotten: "server: a told password that another device escrows later is live there",
    OvertakenStored: "server: a check-in that was overtaken is stored",
    ReturnsAsLive: "ledger: a told password that comes back is live",
    SupersededWhenUnseen: "ledger: a password that a locked volume does not list counts as replaced",
    SupersededNeverNoted: "ledger: a replaced password stays in use",
    VanishedStays: "ledger: a password that vanished before its replacement was stored stays in use",
    CloneOverwrites: "ledger: a cloned disk's escrow overwrites the other device's record",
    EscrowOverwritesVersion: "ledger: a second escrow of a protector overwrites the first",
    ReimageForgetsKeys: "ledger: the keys of a re-imaged device are forgotten",
    RetiringDeletesKeys: "ledger: retiring a device deletes its keys",
    DuplicateHardwareOverwrites: "ledger: a device with a known hardware id takes over the record",
    DuplicateHardwareUnseen: "ledger: a hardware id that clashes is not marked",
    // Store
    AcknowledgedBeforeSync: "store: answered after the write, before the sync",
    FailedSyncIgnored: "store: a failed sync counts as done",
    StartsWithoutSync: "store: after a kill, what is found is not synced",
    ReplicaNotWaitedFor: "store: answered before the synchronous replica has it",
    TornCommitAccepted: "store: a torn transaction is taken over without its audit record",
    // Put in behind the real server
    RealEscrowSwallowed: "real server: an escrow is acknowledged and not stored",
    RealFailureTaken: "real server: an escrow whose write failed is acknowledged",
    RealToldUnrecorded: "real server: a key is told without the record of it",
    RealAuditRewritten: "real server: the record of a disclosure is changed afterwards",
    RealStaleInventory: "real server: an older inventory overwrites a newer one",
    RealDoneForgotten: "real server: what a device says to be done stays open",
    RealOvertakenStored: "real server: a check-in that was overtaken is stored",
    RealRetiredServed: "real server: a retired device is served",
    RealDisclosureHidden: "real server: a device is not told that its password was told",
    RealPolicyStays: "real server: a new policy is answered with \"unchanged\"",
    RealExemptionsWithheld: "real server: a device is not told of exemptions",
    RealOthersKeysTold: "real server: self-service tells keys of others' devices",
    RealRestartsOlder: "real server: a restart finds the store as it was one commit before",
}

impl Fault {
    /// The executor's own guards and the plan checker would stop these before harm is done; they are switched off to see
    /// that the promise catches them as well.
    pub(super) fn needs_guards_off(self) -> bool {
        matches!(
            self,
            Self::DeletesBeforeEscrow
                | Self::EncryptsBeforeEscrow
                | Self::ResumesBeforeEscrow
                | Self::RotationDeletesAll
                | Self::EscrowLeftOut
                | Self::FailureIgnored
        )
    }

    /// It is a fault of the real server.
    pub(super) fn is_of_the_real_path(self) -> bool {
        self >= Self::RealEscrowSwallowed
    }

    /// The planner's output is changed, and the plan checker not asked.
    pub(super) fn is_of_the_planner(self) -> bool {
        self <= Self::ExemptByOneUser
    }
}

/// [`Fault::SupersededWhenUnseen`]: what a careless ledger would conclude.
pub(super) fn observe_carelessly(records: &[KeyRecord], inventory: &Inventory) -> Vec<StateChange> {
    let mut changes = Vec::new();
    for record in records {
        let entry = &record.entry;
        let reports = || inventory.volumes.iter().filter(|v| v.volume == Some(entry.volume));
        let carried = |p: ProtectorId| reports().any(|v| v.recovery_passwords().any(|q| q == p));
        let to = match (reports().next().is_some(), carried(entry.protector)) {
            (false, _) => continue,
            (true, true) => record.state_while_present(),
            (true, false) => KeyState::Superseded,
        };
        if (to == KeyState::Superseded) != (entry.state == KeyState::Superseded) {
            changes.push(StateChange {
                volume: entry.volume,
                protector: entry.protector,
                from: entry.state,
                to,
            });
        }
    }
    changes
}
