//! `claviger-agent status`.

use agent::config::Config;
use anyhow::Result;

use crate::terminal::{say, word};

pub(super) fn show(config: &Config, json: bool) -> Result<()> {
    let status = agent::status(config)?;
    if json {
        say(&serde_json::to_string_pretty(&status)?);
        return Ok(());
    }
    say(&format!("server    {}", status.server));
    say(&format!(
        "device    {}",
        status
            .device
            .map_or_else(|| "not enrolled".to_owned(), |d| d.to_string())
    ));
    say(&format!("verdict   {}", word(&status.verdict)));
    if let Some(error) = &status.last_error {
        say(&format!("error     {error}"));
    }
    for volume in &status.volumes {
        let name = volume.letter.as_deref().unwrap_or(&volume.device);
        say(&format!(
            "{name:<9} {} {:.2} %, protection {}, {}",
            word(&volume.conversion),
            f64::from(volume.encrypted_basis_points) / 100.0,
            word(&volume.protection),
            word(&volume.verdict),
        ));
        for key in &volume.recovery_keys {
            let state = key.state.as_ref().map_or_else(|| "not escrowed".to_owned(), word);
            let proof = key
                .proof
                .as_ref()
                .map_or_else(String::new, |p| format!(", {}", word(p)));
            say(&format!("          recovery key {} {state}{proof}", key.protector));
        }
    }
    if let Some(prompt) = &status.prompt {
        super::answer::show(prompt);
    }
    for blocked in &status.blocked {
        say(&format!("blocked   {}: {}", blocked.device, blocked.reason));
    }
    Ok(())
}
