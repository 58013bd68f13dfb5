//! What the batching writer gains: escrows one after another against escrows that arrive together, in the same run on the
//! same disk. Each is durable when it is acknowledged, either way.

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use domain::ids::{DeviceId, ProtectorId, VolumeId};
use domain::time::Timestamp;
use store::model::{KeyName, NewDevice, NewEscrow, NewToken, SealedBytes, SecretHash};
use store::{Devices, Keys, SqliteStore, Tokens};
use tokio::runtime::Runtime;
use uuid::Uuid;

const ESCROWS: u32 = 256;

fn escrows(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on a disk");
    let store = Arc::new(SqliteStore::open(&folder.path().join("bench.db")).expect("a store"));
    let device = runtime.block_on(enrol(&store));
    let mut next = 0;
    let mut batch = move || {
        next += 1;
        (0..ESCROWS)
            .map(|number| escrow(device, next << 16 | number))
            .collect::<Vec<_>>()
    };

    let mut group = criterion.benchmark_group("256 escrows");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(u64::from(ESCROWS)));
    group.bench_function("one by one", |bencher| {
        bencher.iter_batched(
            &mut batch,
            |escrows| {
                runtime.block_on(async {
                    for escrow in escrows {
                        store.escrow(escrow, Vec::new()).await.expect("stored");
                    }
                });
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("together", |bencher| {
        bencher.iter_batched(
            &mut batch,
            |escrows| {
                runtime.block_on(async {
                    let mut tasks = tokio::task::JoinSet::new();
                    for escrow in escrows {
                        let store = Arc::clone(&store);
                        tasks.spawn(async move { store.escrow(escrow, Vec::new()).await });
                    }
                    while let Some(answer) = tasks.join_next().await {
                        answer.expect("no panic").expect("stored");
                    }
                });
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

async fn enrol(store: &SqliteStore) -> DeviceId {
    let hash = SecretHash::of(b"bench");
    let token = NewToken {
        hash,
        note: String::new(),
        created_at: Timestamp(0),
        created_by: "system".into(),
        expires_at: None,
        uses: None,
    };
    store.add_token(token, Vec::new()).await.expect("stored");
    let device = NewDevice {
        id: DeviceId(Uuid::from_u128(1)),
        hostname: "bench".into(),
        hardware_id: "bench".into(),
        enrolled_at: Timestamp(0),
    };
    store.enrol(device, hash, Vec::new()).await.expect("stored").id
}

/// Each on a volume of its own, with 200 sealed bytes and no evidence, so that the disk's syncs are what is compared.
fn escrow(device: DeviceId, number: u32) -> NewEscrow {
    NewEscrow {
        name: KeyName {
            device,
            volume: VolumeId(Uuid::from_u128(u128::from(number))),
            protector: ProtectorId(Uuid::from_u128(u128::from(number) << 96)),
        },
        sealed: SealedBytes {
            key_version: 1,
            bytes: vec![7; 200],
        },
        evidence: Vec::new(),
        at: Timestamp(0),
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    escrows(&mut criterion);
    criterion.final_summary();
}
