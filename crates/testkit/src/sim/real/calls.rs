//! Calls to the real server: messages of devices over the router, people's wishes by the services.

use std::rc::Rc;

use anyhow::{Context as _, Result};
use domain::access::Role;
use domain::ids::{DeviceId, VolumeId};
use domain::ledger::ProofState;
use domain::time::Timestamp;
use fve::RecoveryPassword;
use protocol::messages::{CheckInRequest, EnrolRequest, EscrowRequest, ExemptionWish, digest};
use protocol::sealing::{Binding, seal};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::Serialize;
use server::services::{policy, recovery, requests, targeting};
use server::session::CurrentUser;
use server::tls::PeerIdentity;
use store::model::{KeyName, NewPolicy};
use zeroize::Zeroizing;

use super::super::choice::PolicyChoice;
use super::super::device::person;
use super::super::world::{Body, Request};
use super::gate::Later;
use super::ground::{TOKEN, in_time};
use super::{Heard, Mirror};

/// What somebody wants of the server.
pub(in super::super) enum Call {
    Message(Rc<Request>),
    /// By the help desk, or a person by self-service.
    Disclose(KeyName, Option<u8>),
    Rotate(DeviceId, Option<VolumeId>),
    Report(DeviceId),
    Retire(DeviceId, bool),
    /// The worker found this of a version (counted from 0).
    Proof(KeyName, usize, ProofState),
    Policy(PolicyChoice),
    /// An exemption is asked for in a person's name.
    Wish(u8),
    /// It is granted, or taken back.
    Decide(u64, bool),
}

impl Mirror {
    pub(super) fn future_of(&mut self, call: &Call) -> Result<Later<Heard>> {
        let server = &self.opened()?.server;
        let state = server.state().clone();
        let admin = server.person("admin", Role::Administrator);
        Ok(match call {
            Call::Message(request) => return self.message(request),
            Call::Disclose(name, asker) => {
                let user = match asker {
                    None => server.person("help", Role::HelpDeskAdministrator),
                    Some(n) => server.person(&person(*n), Role::SelfService),
                };
                disclosure(state, user, *name, asker.is_some())
            }
            Call::Rotate(device, volume) => {
                let (device, volume) = (*device, *volume);
                Box::pin(async move { Heard::of(requests::rotate(&state, &admin, device, volume, "simulation").await) })
            }
            Call::Report(device) => {
                let device = *device;
                Box::pin(async move { Heard::of(requests::report(&state, &admin, device).await) })
            }
            Call::Retire(device, retired) => {
                let (device, retired) = (*device, *retired);
                Box::pin(async move { Heard::of(requests::set_retired(&state, &admin, device, retired).await) })
            }
            Call::Proof(name, version, proof) => {
                let (name, version) = (*name, u32::try_from(version + 1)?);
                let outcome = match proof {
                    ProofState::Failed => Err("it does not open the volume".to_owned()),
                    _ => Ok(()),
                };
                let server = server.clone();
                Box::pin(async move { Heard::of(server.record_proof(name, version, outcome).await) })
            }
            Call::Policy(choice) => {
                let wanted = choice.policy();
                self.digest_of(*choice)?;
                Box::pin(async move { Heard::of(policy::update_as(&state, "user:admin", wanted, "").await) })
            }
            Call::Wish(n) => {
                let name = person(*n);
                Box::pin(
                    async move { Heard::of(targeting::request_exemption(&state, &admin, &name, "simulation").await) },
                )
            }
            Call::Decide(id, granted) => {
                let (id, verb) = match granted {
                    true => (*id, targeting::Verb::Approve(None)),
                    false => (*id, targeting::Verb::Revoke),
                };
                Box::pin(async move { Heard::of(targeting::decide(&state, &admin, id, verb, "").await) })
            }
        })
    }

    fn message(&mut self, request: &Request) -> Result<Later<Heard>> {
        match &request.body {
            Body::Enrol { hardware } => {
                let message = EnrolRequest {
                    token: TOKEN.to_owned(),
                    certificate_request: self.ground.certificate_request.clone(),
                    hostname: format!("PC-{}", request.device),
                    hardware_id: hardware.clone(),
                };
                self.post("enrol", None, &message)
            }
            Body::CheckIn {
                identity,
                sequence,
                seen,
                with_inventory,
                policy,
                blocked,
                done,
                wishes,
            } => {
                let message = CheckInRequest {
                    sequence: *sequence,
                    inventory_digest: digest(&**seen)?,
                    inventory: with_inventory.then(|| (**seen).clone()),
                    policy_digest: policy.map(|choice| self.digest_of(choice)).transpose()?,
                    blocked: blocked.clone(),
                    last_error: None,
                    done: done.clone(),
                    exemption_wishes: wishes.iter().map(|n| wish(*n)).collect(),
                };
                self.post("check-in", Some(*identity), &message)
            }
            Body::Escrow { name, secret, seal } => {
                let message = self.escrow(*name, *secret, *seal)?;
                self.post("escrow", Some(name.device), &message)
            }
        }
    }

    fn escrow(&mut self, name: KeyName, secret: u64, number: u64) -> Result<EscrowRequest> {
        let binding = Binding {
            device: name.device,
            volume: name.volume,
            protector: name.protector,
        };
        let mut rng = ChaCha20Rng::seed_from_u64(number);
        let password = password(secret);
        let sealed_password = seal(&self.ground.recovery_key, &binding, password.as_bytes(), &mut rng)?;
        self.sealed.insert(number, serde_json::to_vec(&sealed_password)?);
        Ok(EscrowRequest {
            volume: name.volume,
            protector: name.protector,
            sealed_password,
            metadata: self.ground.evidence.of(name.volume, name.protector),
        })
    }

    fn post(&self, path: &str, device: Option<DeviceId>, message: &impl Serialize) -> Result<Later<Heard>> {
        let peer = device.map(|device| PeerIdentity {
            device,
            fingerprint: [0; 32],
            not_after: Timestamp(i64::MAX),
        });
        let path = format!("{}/{path}", server::device_api::PREFIX);
        let answer = self.opened()?.server.post(&path, peer, serde_json::to_vec(message)?);
        Ok(Box::pin(async move {
            match answer.await {
                Ok(answer) => Heard::Message(answer),
                Err(error) => Heard::refused(&error),
            }
        }))
    }

    /// The policy that a schedule begins with, as no part of it.
    pub(super) fn put_first_policy(&mut self, choice: PolicyChoice) -> Result<()> {
        let digest = self.digest_of(choice)?;
        let first = NewPolicy {
            policy: choice.policy(),
            digest,
            at: super::super::world::START,
            by: "system".to_owned(),
            note: String::new(),
        };
        let store = &self.opened()?.gate.inner;
        in_time(store.put_policy(first, Vec::new())).context("the first policy")?;
        Ok(())
    }
}

fn disclosure(state: server::AppState, user: CurrentUser, name: KeyName, own: bool) -> Later<Heard> {
    Box::pin(async move {
        let why = recovery::Why {
            reason: "simulation".to_owned(),
            ..recovery::Why::default()
        };
        let told = match own {
            true => recovery::disclose_own(&state, &user, name, &why).await,
            false => recovery::disclose(&state, &user, name, &why).await,
        };
        match told {
            Ok(told) => Heard::Told(told.password),
            Err(error) => Heard::refused(&error),
        }
    })
}

fn wish(n: u8) -> ExemptionWish {
    ExemptionWish {
        user: person(n),
        reason: "simulation".to_owned(),
    }
}

/// The 48 digits that a virtual secret stands for.
pub(super) fn password(secret: u64) -> Zeroizing<String> {
    RecoveryPassword::from_bytes(u128::from(secret).to_le_bytes()).expose()
}
