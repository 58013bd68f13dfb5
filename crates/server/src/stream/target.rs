//! Where the audit goes: a file of targets, read once at the start.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

/// One receiver of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Under which the place reached is remembered; stays the same when host or form change.
    pub name: String,
    /// How it is reached.
    pub way: Way,
    /// Authorities, PEM, that vouch for the receiver; without it those of the system.
    pub ca: Option<PathBuf>,
}

/// How a receiver is reached.
#[derive(Clone, PartialEq, Eq)]
pub enum Way {
    /// JSON by POST. The address may hold a token: it is never shown.
    WebHook(Url),
    /// Syslog messages.
    Syslog {
        /// How they travel.
        transport: Transport,
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// What they look like.
        form: Form,
    },
}

/// How syslog messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram each (RFC 5426): nobody learns of those that are lost.
    Udp,
    /// With their lengths before them (RFC 6587).
    Tcp,
    /// The same, over TLS (RFC 5425).
    Tls,
}

/// What a syslog message looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Structured data.
    #[default]
    Rfc5424,
    /// Common Event Format behind a syslog header.
    Cef,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Without path, query and user of an address.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WebHook(url) => {
                write!(f, "https://{}", url.host_str().unwrap_or_default())?;
                url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
            }
            Self::Syslog {
                transport, host, port, ..
            } => {
                let scheme = match transport {
                    Transport::Udp => "udp",
                    Transport::Tcp => "tcp",
                    Transport::Tls => "tls",
                };
                write!(f, "syslog+{scheme}://{host}:{port}")
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    stream: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    to: toml::Spanned<String>,
    form: Option<Form>,
    ca: Option<PathBuf>,
}

/// Reads a file of targets.
///
/// ```toml
/// [[stream]]
/// name = "siem"
/// to = "syslog+tls://siem.example:6514"   # or syslog+tcp://, syslog+udp://, https://
/// form = "cef"                            # syslog only; "rfc5424" without it
/// ca = "/etc/claviger/siem-ca.pem"        # without it the system's authorities
/// ```
///
/// # Errors
/// What is wrong, and where. Addresses are not repeated: they may hold tokens.
pub fn parse(text: &str) -> Result<Vec<Target>, String> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        format!("line {line}: {}", error.message())
    })?;
    let mut targets: Vec<Target> = Vec::new();
    for written in file.stream {
        let line = line_of(text, written.to.span().start);
        let target = target(written).map_err(|words| format!("line {line}: {words}"))?;
        if targets.iter().any(|other| other.name == target.name) {
            return Err(format!(
                "line {line}: there are two streams of the name {:?}",
                target.name
            ));
        }
        targets.push(target);
    }
    Ok(targets)
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn target(written: Written) -> Result<Target, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if written.name.is_empty() || written.name.len() > 64 || !written.name.chars().all(allowed) {
        return Err("name: 1 to 64 letters, digits, dots, dashes or underscores".to_owned());
    }
    let url = Url::parse(written.to.get_ref()).map_err(|error| format!("to: not an address: {error}"))?;
    let transport = match url.scheme() {
        "https" => None,
        "syslog+tls" => Some(Transport::Tls),
        "syslog+tcp" => Some(Transport::Tcp),
        "syslog+udp" => Some(Transport::Udp),
        "http" => return Err("to: a web hook must be https://".to_owned()),
        _ => return Err("to: must begin with https://, syslog+tls://, syslog+tcp:// or syslog+udp://".to_owned()),
    };
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or("to: the host is missing")?.to_owned();
    let Some(transport) = transport else {
        if written.form.is_some() {
            return Err("form: is for syslog; a web hook gets JSON".to_owned());
        }
        return Ok(Target {
            name: written.name,
            way: Way::WebHook(url),
            ca: written.ca,
        });
    };
    if !matches!(url.path(), "" | "/") || url.query().is_some() || !url.username().is_empty() {
        return Err("to: a syslog address is scheme, host and port only".to_owned());
    }
    if written.ca.is_some() && transport != Transport::Tls {
        return Err("ca: is for https:// and syslog+tls://".to_owned());
    }
    let usual = if transport == Transport::Tls { 6514 } else { 514 };
    Ok(Target {
        name: written.name,
        way: Way::Syslog {
            transport,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(usual),
            form: written.form.unwrap_or_default(),
        },
        ca: written.ca,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(to: &str, more: &str) -> String {
        parse(&format!("# audit\n[[stream]]\nname = \"a\"\nto = \"{to}\"\n{more}\n")).unwrap_err()
    }

    #[test]
    fn targets_are_read_with_their_usual_ports() {
        let text = "[[stream]]\nname = \"siem\"\nto = \"syslog+tls://siem.example\"\nform = \"cef\"\nca = \"/x.pem\"\n\
                    [[stream]]\nname = \"hook\"\nto = \"https://u.example:8443/T0KEN?key=T0KEN\"\n\
                    [[stream]]\nname = \"old\"\nto = \"syslog+udp://[::1]:5514\"\n";
        let targets = parse(text).unwrap();
        let shown: Vec<String> = targets.iter().map(|t| t.way.to_string()).collect();
        assert_eq!(
            shown,
            [
                "syslog+tls://siem.example:6514",
                "https://u.example:8443",
                "syslog+udp://::1:5514"
            ]
        );
        assert!(!format!("{targets:?}").contains("T0KEN"));
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_cannot_be_reached_is_refused_with_its_line_and_without_its_address() {
        for (to, more, words) in [
            ("http://h/SECRET", "", "line 4: to: a web hook must be https://"),
            (
                "ftp://h",
                "",
                "line 4: to: must begin with https://, syslog+tls://, syslog+tcp:// or syslog+udp://",
            ),
            ("syslog+tcp://", "", "line 4: to: the host is missing"),
            (
                "syslog+tcp://h/path",
                "",
                "line 4: to: a syslog address is scheme, host and port only",
            ),
            (
                "syslog+tcp://h",
                "ca = \"x\"",
                "line 4: ca: is for https:// and syslog+tls://",
            ),
            (
                "https://h",
                "form = \"cef\"",
                "line 4: form: is for syslog; a web hook gets JSON",
            ),
            (
                "no address SECRET",
                "",
                "line 4: to: not an address: relative URL without a base",
            ),
        ] {
            let refused = refusal(to, more);
            assert_eq!(refused, words);
            assert!(!refused.contains("SECRET"));
        }
        assert!(refusal("https://h", "forms = 1").starts_with("line 5: unknown field `forms`"));
        let twice = "[[stream]]\nname = \"a\"\nto = \"https://h\"\n".repeat(2);
        assert_eq!(
            parse(&twice).unwrap_err(),
            "line 6: there are two streams of the name \"a\""
        );
    }
}
