//! A server that keeps a ledger in memory and answers as the protocol says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use domain::ids::{DeviceId, ProtectorId, RequestId, VolumeId};
use domain::inventory::Inventory;
use domain::ledger::{KeyState, Ledger, LedgerEntry, ProofState};
use domain::plan::RotateRequest;
use domain::policy::{AutoUnlock, Encryption, Policy};
use domain::time::Timestamp;
use protocol::messages::{
    CheckInRequest, CheckInResponse, EnrolRequest, EnrolResponse, EscrowRequest, EscrowResponse, RenewRequest, Request,
    RequestKind, WaitRequest, WaitResponse,
};
use protocol::sealing::{Binding, RecoveryPrivateKey};
use protocol::validate::read;
use tokio::sync::Notify;
use uuid::Uuid;

use super::authority::Authority;
use super::https::{Handler, Incoming, Reply, handler};

pub const TOKEN: &str = "let-me-in";

/// What the server knows.
pub struct Book {
    pub policy: Policy,
    pub entries: Vec<LedgerEntry>,
    pub passwords: Vec<(ProtectorId, String)>,
    pub inventory: Option<Inventory>,
    pub requests: Vec<Request>,
    pub check_ins: Vec<CheckInRequest>,
    pub maintenance: domain::policy::resolve::Maintenance,
    /// The highest number of a check-in.
    pub sequence: u64,
    pub paths: Vec<String>,
    pub moments: Vec<tokio::time::Instant>,
    pub enrolled: u128,
    pub renew_after: Timestamp,
    pub not_after: i64,
    /// Answers to give instead of the right ones, in order, to requests of a path.
    pub bad: Vec<(&'static str, Reply)>,
    pub next_seconds: u32,
}

impl Book {
    pub fn new() -> Arc<Mutex<Self>> {
        let mut policy = Policy::default();
        policy.os.encryption = Encryption::Require;
        policy.fixed.encryption = Encryption::Require;
        policy.fixed.auto_unlock = AutoUnlock::Require;
        Arc::new(Mutex::new(Self {
            policy,
            entries: Vec::new(),
            passwords: Vec::new(),
            inventory: None,
            requests: Vec::new(),
            check_ins: Vec::new(),
            maintenance: Default::default(),
            sequence: 0,
            paths: Vec::new(),
            moments: Vec::new(),
            enrolled: 0,
            renew_after: Timestamp(i64::MAX),
            not_after: 4_000_000_000,
            bad: Vec::new(),
            next_seconds: 3600,
        }))
    }

    pub fn holds(&self, protector: ProtectorId) -> bool {
        self.entries
            .iter()
            .any(|e| e.protector == protector && e.proof != ProofState::Failed)
    }

    /// Somebody was told this volume's passwords: they are exposed, and the device shall rotate.
    pub fn disclose(&mut self, volume: VolumeId) {
        let live = |e: &&mut LedgerEntry| e.volume == volume && e.state == KeyState::Live;
        let mut protectors = Vec::new();
        for entry in self.entries.iter_mut().filter(live) {
            entry.state = KeyState::Disclosed;
            protectors.push(entry.protector);
        }
        self.requests.push(Request {
            id: RequestId(Uuid::from_u128(self.requests.len() as u128 + 1)),
            kind: RequestKind::Rotate(RotateRequest {
                volume: Some(volume),
                protectors,
            }),
        });
    }

    fn report(&mut self, inventory: Inventory) {
        for volume in &inventory.volumes {
            let present: Vec<_> = volume.recovery_passwords().collect();
            for entry in self.entries.iter_mut().filter(|e| Some(e.volume) == volume.volume) {
                if !present.contains(&entry.protector) {
                    entry.state = KeyState::Superseded;
                }
            }
        }
        self.inventory = Some(inventory);
    }
}

/// The server's other half: its authority and its recovery key.
pub struct Server {
    pub book: Arc<Mutex<Book>>,
    pub authority: Authority,
    pub recovery_key: RecoveryPrivateKey,
    latest_wait: AtomicUsize,
    /// Ends a held request.
    pub call: Notify,
    /// A request was answered.
    pub answered: Notify,
}

impl Server {
    pub fn new(book: &Arc<Mutex<Book>>) -> Arc<Self> {
        Arc::new(Self {
            book: Arc::clone(book),
            authority: Authority::new(),
            recovery_key: RecoveryPrivateKey::derive(1, &[9; 32]),
            latest_wait: AtomicUsize::new(0),
            call: Notify::new(),
            answered: Notify::new(),
        })
    }

    pub fn handler(self: &Arc<Self>) -> Handler {
        let server = Arc::clone(self);
        handler(move |incoming| {
            let server = Arc::clone(&server);
            async move {
                let reply = server.answer(incoming).await;
                server.answered.notify_one();
                reply
            }
        })
    }

    /// Waits until the book says so; looks again after each answer.
    pub async fn until(&self, what: &str, condition: impl Fn(&Book) -> bool) {
        let wait = async {
            while !condition(&self.book.lock().unwrap()) {
                self.answered.notified().await;
            }
        };
        let in_time = tokio::time::timeout(std::time::Duration::from_secs(60), wait).await;
        assert!(
            in_time.is_ok(),
            "{what} did not happen: {:?}",
            self.book.lock().unwrap().paths
        );
    }

    async fn answer(&self, incoming: Incoming) -> Reply {
        let path = incoming.path.strip_prefix("/agent/v1/").unwrap().to_owned();
        {
            let mut book = self.book.lock().unwrap();
            book.paths.push(path.clone());
            book.moments.push(tokio::time::Instant::now());
            self.answered.notify_one();
            if let Some(at) = book.bad.iter().position(|(bad, _)| *bad == path) {
                return book.bad.remove(at).1;
            }
        }
        assert_eq!(incoming.has_certificate, path != "enrol", "{path}");
        match path.as_str() {
            "enrol" => {
                let request: EnrolRequest = read(&incoming.body).unwrap();
                if request.token != TOKEN {
                    let problem = serde_json::json!({"code": "token_unknown", "detail": "This token is not valid."});
                    return Reply::Json(403, problem);
                }
                self.book.lock().unwrap().enrolled += 1;
                self.issue(&request.certificate_request)
            }
            "renew" => {
                let request: RenewRequest = read(&incoming.body).unwrap();
                self.book.lock().unwrap().renew_after = Timestamp(i64::MAX);
                self.issue(&request.certificate_request)
            }
            "check-in" => self.check_in(read(&incoming.body).unwrap()),
            "escrow" => self.escrow(&read(&incoming.body).unwrap()),
            "wait" => {
                read::<WaitRequest>(&incoming.body).unwrap();
                let mine = self.latest_wait.fetch_add(1, Ordering::SeqCst) + 1;
                self.call.notified().await;
                if self.latest_wait.load(Ordering::SeqCst) != mine {
                    // Nobody listens here any more: the call is for a later one.
                    self.call.notify_one();
                    return Reply::Hang;
                }
                json(&WaitResponse { check_in_now: true })
            }
            other => panic!("{other}"),
        }
    }

    fn issue(&self, request: &str) -> Reply {
        let book = self.book.lock().unwrap();
        let device = DeviceId(Uuid::from_u128(book.enrolled));
        json(&EnrolResponse {
            device,
            certificate: self.authority.issue(request, &device.to_string(), book.not_after),
            renew_after: book.renew_after,
            recovery_key: self.recovery_key.public(),
        })
    }

    fn check_in(&self, request: CheckInRequest) -> Reply {
        let mut book = self.book.lock().unwrap();
        let known = |i: &Inventory| protocol::messages::digest(i).unwrap();
        let overtaken = request.sequence < book.sequence;
        book.sequence = book.sequence.max(request.sequence);
        if let Some(inventory) = &request.inventory
            && !overtaken
        {
            assert_eq!(known(inventory), request.inventory_digest);
            book.report(inventory.clone());
        }
        if !overtaken {
            book.requests.retain(|r| !request.done.contains(&r.id));
        }
        let policy_digest = protocol::messages::digest(&book.policy).unwrap();
        let answer = CheckInResponse {
            sequence: book.sequence,
            now: None,
            exemptions: Vec::new(),
            detected: Vec::new(),
            maintenance: book.maintenance.clone(),
            send_inventory: !overtaken && book.inventory.as_ref().map(known) != Some(request.inventory_digest.clone()),
            policy: (request.policy_digest.as_ref() != Some(&policy_digest)).then(|| book.policy.clone()),
            policy_digest,
            ledger: Ledger(book.entries.clone()),
            requests: book.requests.clone(),
            recovery_key: self.recovery_key.public(),
            next_check_in_seconds: book.next_seconds,
        };
        book.check_ins.push(request);
        json(&answer)
    }

    fn escrow(&self, request: &EscrowRequest) -> Reply {
        let mut book = self.book.lock().unwrap();
        let binding = Binding {
            device: DeviceId(Uuid::from_u128(book.enrolled)),
            volume: request.volume,
            protector: request.protector,
        };
        let password = self.recovery_key.open(&request.sealed_password, &binding).unwrap();
        let password = String::from_utf8(password.to_vec()).unwrap();
        let escrowed_at = Timestamp(1);
        if !book.entries.iter().any(|e| e.protector == request.protector) {
            book.passwords.push((request.protector, password));
            book.entries.push(LedgerEntry {
                volume: request.volume,
                protector: request.protector,
                state: KeyState::Live,
                proof: ProofState::Proven,
                escrowed_at,
            });
        }
        json(&EscrowResponse {
            protector: request.protector,
            escrowed_at,
        })
    }
}

pub fn json(value: &impl serde::Serialize) -> Reply {
    Reply::Json(200, serde_json::to_value(value).unwrap())
}
