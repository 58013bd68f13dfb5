//! Policies, and what is in force, from files.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use domain::policy::document::Document;
use domain::policy::resolve::{PolicySource, Targeting};
use domain::policy::targeting::{Collection, Collections, Deployment, PolicyId};
use serde::Deserialize;

use crate::policy::file;

/// What is in force, as it is written in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    policies: Vec<PolicyFile>,
    #[serde(default)]
    collections: Vec<Collection>,
    #[serde(default)]
    deployments: Vec<Deployment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    id: PolicyId,
    /// Beside the file that names it.
    file: PathBuf,
}

/// Reads a policy document. Its short name is `id`, or else made of the file's name.
pub(super) fn policy(path: &Path, id: Option<&str>) -> Result<PolicySource> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let id: PolicyId = match id {
        Some(id) => id.parse()?,
        None => short_name(&stem)
            .parse()
            .with_context(|| format!("naming the policy after {}; --as names it otherwise", path.display()))?,
    };
    let document = document(path)?;
    Ok(PolicySource {
        name: if document.name.is_empty() {
            stem.into_owned()
        } else {
            document.name
        },
        assignments: document.assignments,
        id,
    })
}

/// Reads what is in force, and checks that it fits together.
pub(super) fn targeting(path: &Path) -> Result<Targeting> {
    let text = file::text(path)?;
    let written: Written = toml::from_str(&text).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut policies = Vec::with_capacity(written.policies.len());
    for PolicyFile { id, file } in written.policies {
        policies.push(policy(&folder.join(file), Some(id.as_str()))?);
    }
    let wrong = |error| anyhow!("{}: {error}", path.display());
    let collections = Collections::new(written.collections).map_err(|errors| wrong(all_of(&errors)))?;
    Targeting::new(collections, policies, written.deployments).map_err(|errors| wrong(all_of(&errors)))
}

/// All errors, each on a line.
pub(super) fn all_of<E: Display>(errors: &[E]) -> anyhow::Error {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    anyhow!("{}", lines.join("\n"))
}

/// Rules between settings are not asked for: what one policy leaves out may come from another.
fn document(path: &Path) -> Result<Document> {
    let parsed = Document::parse(&file::text(path)?).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(|fault| file::told(path, "", fault)).collect();
        all_of(&lines)
    })?;
    Ok(parsed.document)
}

/// Lower case, with a dash for whatever is not allowed.
fn short_name(text: &str) -> String {
    let letters = text.chars().map(|c| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | '-' | '_' | '.') => c,
        _ => '-',
    });
    letters.take(64).collect()
}
