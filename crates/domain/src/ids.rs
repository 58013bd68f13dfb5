//! Names of things: devices, volumes, protectors.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = Uuid::encode_buffer();
                f.write_str(self.0.hyphenated().encode_upper(&mut buffer))
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            /// Accepts upper and lower case, with and without braces.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().parse().map(Self)
            }
        }
    };
}

id!(
    /// A managed device, as the server named it at enrolment.
    DeviceId
);
id!(
    /// A BitLocker volume: the GUID in its metadata's dataset header (shown by Windows as its identification).
    VolumeId
);
id!(
    /// A key protector: its GUID. For a recovery password this is the **recovery key ID** that the recovery screen shows.
    ProtectorId
);
id!(
    /// A request of the server to a device (rotate now, report now).
    RequestId
);

impl ProtectorId {
    /// The first eight hexadecimal digits, which people at a recovery screen read out.
    #[must_use]
    pub fn short(self) -> String {
        format!("{:08X}", self.0.as_fields().0)
    }
}
