//! Every engine that this processor runs, against the plain definition.

use sha2::{Digest, Sha256};

use super::{Engine, Job, bytes_of, stretch, stretch_many};

fn job(number: usize) -> Job {
    let byte = u8::try_from(number).unwrap();
    Job::new(
        &Sha256::digest([byte, 1]).into(),
        Sha256::digest([byte, 2])[..16].try_into().unwrap(),
    )
}

/// Hash, first hash, salt and counter, hashed again and again.
fn by_definition(job: &Job, rounds: u32) -> [u8; 32] {
    (0..rounds).fold([0; 32], |last, round| {
        Sha256::new()
            .chain_update(last)
            .chain_update(job.first.as_slice())
            .chain_update(job.salt)
            .chain_update(u64::from(round).to_le_bytes())
            .finalize()
            .into()
    })
}

#[test]
fn every_engine_gives_every_lane_what_the_definition_says() {
    for engine in Engine::ALL.into_iter().filter(|engine| engine.is_available()) {
        for (count, rounds) in (0..37)
            .map(|count| (count, 3))
            .chain([(1, 70_000), (3, 300), (17, 70_000)])
        {
            let jobs: Vec<Job> = (0..count).map(job).collect();
            let words = engine.run(&jobs, rounds).unwrap();
            assert_eq!(words.len(), count);
            for (index, (job, words)) in jobs.iter().zip(&words).enumerate() {
                assert_eq!(
                    *bytes_of(words),
                    by_definition(job, rounds),
                    "{engine:?} lane {index} of {count}"
                );
            }
        }
    }
}

#[test]
fn many_stretched_together_are_as_each_alone() {
    let jobs: Vec<Job> = (0..9).map(job).collect();
    let together = stretch_many(&jobs);
    for index in [0, 5, 8] {
        assert_eq!(
            together[index],
            stretch(&jobs[index].first, &jobs[index].salt),
            "lane {index}"
        );
    }
    assert_eq!(*together[3], by_definition(&jobs[3], super::ROUNDS));
}
