//! The agent's configuration file (TOML). It holds no secret: the enrolment token has a file of its own.
//!
//! ```toml
//! server = "https://claviger.example:8443"
//! ca_file = "/etc/claviger/ca.pem"
//! state_dir = "/var/lib/claviger"
//! enrolment_token_file = "/etc/claviger/token"   # may be removed once enrolled
//! tpm = "/dev/tpmrm0"                            # or     "unix:/run/swtpm/sock"; absent: no TPM
//!
//! ask_user = true                                # encryption waits for the user's word, while policy allows
//!
//! [[volume]]
//! path = "/dev/sda3"
//! letter = "C:"
//! kind = "os"                                    # os, fixed, removable
//! ```
//!
//! How often the device asks is not configured here: the server says.

use std::path::{Path, PathBuf};

use domain::volume::VolumeKind;
use serde::Deserialize;

/// What the agent must know before it can ask the server for the rest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Base address of the server, `https://host[:port]`.
    pub server: String,
    /// PEM file with the certificate authority that must have issued the server's certificate. No other is trusted.
    pub ca_file: PathBuf,
    /// Where identity and status are kept. Losing it loses nothing: the device enrols again when it has a token.
    pub state_dir: PathBuf,
    /// File with the enrolment token; only read while there is no identity.
    #[serde(default)]
    pub enrolment_token_file: Option<PathBuf>,
    /// Address of the TPM; the platform's volume provider knows its forms.
    #[serde(default)]
    pub tpm: Option<String>,
    /// Somebody is there to be asked (`claviger-agent status` and `answer`): encryption of a drive in plain text then waits
    /// for their word, as long as policy lets them put it off. Without, it begins at once.
    #[serde(default)]
    pub ask_user: bool,
    /// The volumes to look after, where the platform cannot list them by itself.
    #[serde(default, rename = "volume")]
    pub volumes: Vec<VolumeConfig>,
    /// Facts about the machine that are said instead of those the system shows.
    #[serde(default)]
    pub facts: FactOverrides,
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeConfig {
    /// Block device or image file.
    pub path: PathBuf,
    /// Drive letter or mount point to show.
    #[serde(default)]
    pub letter: Option<String>,
    /// What it is for.
    pub kind: VolumeKind,
}

/// Facts to say instead of those that the system shows: for images, tests and demonstrations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FactOverrides {
    /// Computer name.
    pub hostname: Option<String>,
    /// Operating system, in words.
    pub os: Option<String>,
    /// Its version.
    pub os_version: Option<String>,
    /// Maker of the machine.
    pub manufacturer: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Serial number or SMBIOS UUID.
    pub hardware_id: Option<String>,
    /// A laptop or the like.
    pub portable: Option<bool>,
    /// A virtual machine.
    pub virtual_machine: Option<bool>,
    /// People who signed in; none: read from the system.
    pub users: Option<Vec<String>>,
    /// How far the clock is ahead of UTC, in minutes; none: as `/etc/localtime` says.
    pub utc_offset_minutes: Option<i16>,
}

/// What is wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("the configuration {path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML of the expected shape; the message names line and field.
    #[error("the configuration is malformed: {0}")]
    Malformed(#[from] toml::de::Error),
    /// A field has a value that cannot work.
    #[error("the configuration's field `{field}` {problem}")]
    Field {
        /// Dotted name of the field, with the index of a list's element.
        field: String,
        /// What is wrong and what is allowed.
        problem: String,
    },
}

impl Config {
    /// Reads and checks a configuration file. Relative paths count from the file's folder.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file or the field.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let mut config = Self::parse(&text)?;
        let base = path.parent().unwrap_or(Path::new(""));
        config.ca_file = base.join(&config.ca_file);
        config.state_dir = base.join(&config.state_dir);
        config.enrolment_token_file = config.enrolment_token_file.map(|file| base.join(file));
        for volume in &mut config.volumes {
            volume.path = base.join(&volume.path);
        }
        config.check_volumes()?;
        Ok(config)
    }

    /// Parses and checks the text of a configuration; paths stay as they are.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`] or [`ConfigError::Field`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_server(&self.server)?;
        for (field, path) in [("ca_file", &self.ca_file), ("state_dir", &self.state_dir)] {
            if path.as_os_str().is_empty() {
                return Err(field_error(field, "is empty; a path is needed"));
            }
        }
        if self.tpm.as_ref().is_some_and(|tpm| tpm.trim().is_empty()) {
            return Err(field_error("tpm", "is empty; leave it out when there is no TPM"));
        }
        self.check_volumes()?;
        self.check_facts()
    }

    fn check_volumes(&self) -> Result<(), ConfigError> {
        if self.volumes.len() > protocol::limits::MAX_VOLUMES {
            let problem = format!("lists more than {} volumes", protocol::limits::MAX_VOLUMES);
            return Err(field_error("volume", problem));
        }
        for (index, volume) in self.volumes.iter().enumerate() {
            if volume.path.as_os_str().is_empty() {
                return Err(field_error(
                    format!("volume[{index}].path"),
                    "is empty; a path is needed",
                ));
            }
            if self.volumes[..index].iter().any(|other| other.path == volume.path) {
                return Err(field_error(format!("volume[{index}].path"), "names a volume twice"));
            }
            // The path is the volume's name in reports.
            check_text(&format!("volume[{index}].path"), &volume.path.to_string_lossy())?;
            if let Some(letter) = &volume.letter {
                check_text(&format!("volume[{index}].letter"), letter)?;
                if self.volumes[..index]
                    .iter()
                    .any(|other| other.letter.as_ref() == Some(letter))
                {
                    return Err(field_error(format!("volume[{index}].letter"), "is used twice"));
                }
            }
        }
        let mut systems = self
            .volumes
            .iter()
            .enumerate()
            .filter(|(_, v)| v.kind == VolumeKind::Os);
        if let Some((index, _)) = systems.nth(1) {
            let problem = "names a second operating system volume; only one can be running";
            return Err(field_error(format!("volume[{index}].kind"), problem));
        }
        Ok(())
    }

    fn check_facts(&self) -> Result<(), ConfigError> {
        let facts = &self.facts;
        for (field, value) in [
            ("facts.hostname", &facts.hostname),
            ("facts.os", &facts.os),
            ("facts.os_version", &facts.os_version),
            ("facts.manufacturer", &facts.manufacturer),
            ("facts.model", &facts.model),
            ("facts.hardware_id", &facts.hardware_id),
        ] {
            if let Some(value) = value {
                check_text(field, value)?;
            }
        }
        let most = protocol::limits::MAX_UTC_OFFSET;
        if facts
            .utc_offset_minutes
            .is_some_and(|offset| offset.unsigned_abs() > most)
        {
            let problem = format!("must be -{most} to {most}");
            return Err(field_error("facts.utc_offset_minutes", problem));
        }
        let users = facts.users.as_deref().unwrap_or_default();
        if users.len() > protocol::limits::MAX_USERS {
            let problem = format!("lists more than {} people", protocol::limits::MAX_USERS);
            return Err(field_error("facts.users", problem));
        }
        for (index, user) in users.iter().enumerate() {
            check_text(&format!("facts.users[{index}]"), user)?;
        }
        Ok(())
    }
}

fn check_server(server: &str) -> Result<(), ConfigError> {
    let url = reqwest::Url::parse(server)
        .map_err(|e| field_error("server", format!("is not an address like https://host:8443 ({e})")))?;
    if url.scheme() != "https" {
        return Err(field_error("server", "must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(field_error("server", "must not hold a name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() || url.path() != "/" {
        return Err(field_error(
            "server",
            "must end after host and port; paths are the agent's own",
        ));
    }
    Ok(())
}

fn check_text(field: &str, text: &str) -> Result<(), ConfigError> {
    if text.trim().is_empty() || text.len() > protocol::limits::MAX_TEXT || text.chars().any(char::is_control) {
        let problem = format!("must have 1 to {} bytes of printable text", protocol::limits::MAX_TEXT);
        return Err(field_error(field, problem));
    }
    Ok(())
}

fn field_error(field: impl Into<String>, problem: impl Into<String>) -> ConfigError {
    ConfigError::Field {
        field: field.into(),
        problem: problem.into(),
    }
}
