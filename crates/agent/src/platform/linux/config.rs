//! The provider's settings, from the agent's configuration.

use std::str::FromStr;

use super::tpm::TpmAddress;
use super::{LinuxConfig, VolumeConfig, kernel_boot_id};
use crate::config::Config;
use crate::provider::{Code, ProviderError, Result};

/// What Windows takes when policy does not say how long a PIN must be.
const MINIMUM_PIN: u8 = 6;

impl LinuxConfig {
    /// Takes the volumes, the TPM and the state directory from the agent's configuration, and the boot from the kernel. The
    /// provider keeps its own files in a directory beside the agent's.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] when the TPM's address is of no known form.
    pub fn from_agent(config: &Config) -> Result<Self> {
        let tpm = config.tpm.as_deref().map(TpmAddress::from_str).transpose();
        let boot_id =
            kernel_boot_id().map_err(|error| ProviderError::new(Code::ReadFault, format!("boot id: {error}")))?;
        Ok(Self {
            volumes: config.volumes.iter().map(VolumeConfig::from).collect(),
            tpm: tpm.map_err(|problem| ProviderError::new(Code::InvalidArgument, problem))?,
            state_dir: config.state_dir.join("volumes"),
            minimum_pin: MINIMUM_PIN,
            boot_id,
            pin: None,
        })
    }
}

impl From<&crate::config::VolumeConfig> for VolumeConfig {
    fn from(volume: &crate::config::VolumeConfig) -> Self {
        Self {
            path: volume.path.clone(),
            letter: volume.letter.clone(),
            kind: volume.kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_configuration_names_volumes_and_tpm() {
        let config = |tpm: &str| {
            let text = format!(
                "server = \"https://s\"\nca_file = \"/c\"\nstate_dir = \"/s\"\ntpm = \"{tpm}\"\n\
                 [[volume]]\npath = \"/v\"\nletter = \"C:\"\nkind = \"os\"\n"
            );
            LinuxConfig::from_agent(&Config::parse(&text).unwrap())
        };
        let linux = config("swtpm:/run/t").unwrap();
        assert_eq!(linux.tpm, Some(TpmAddress::Unix("/run/t".into())));
        assert_eq!(linux.volumes.len(), 1);
        assert_eq!(linux.state_dir, std::path::Path::new("/s/volumes"));
        assert!(!linux.boot_id.is_empty());
        assert_eq!(config("tpm0").unwrap_err().code, Code::InvalidArgument);
    }
}
