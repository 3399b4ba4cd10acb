//! Platforms (image-spec, image-index.md and config.md): what an image runs on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an image runs on, in the words of Go's `GOOS` and `GOARCH`. Written as `linux/arm64/v8`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// The processor's family, such as `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// The operating system, such as `linux`.
    #[serde(default)]
    pub os: String,
    /// The processor's variant, such as `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The operating system's version, which Windows images need.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// What the operating system must be able to do, such as `win32k`.
    #[serde(default, rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
}

impl Platform {
    /// Whether this names a machine at all: builders write `unknown/unknown` where a field must be filled and nothing
    /// runs, as for attestations.
    pub fn is_real(&self) -> bool {
        let is_named = |word: &str| !word.is_empty() && word != "unknown";
        is_named(&self.os) && is_named(&self.architecture)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) if !variant.is_empty() => write!(f, "/{variant}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_reads_and_writes_the_specifications_fields() {
        let full = json!({"architecture": "arm64", "os": "windows", "variant": "v8", "os.version": "10.0.1",
            "os.features": ["win32k"]});
        let platform: Platform = serde_json::from_value(full.clone()).unwrap();
        assert_eq!((platform.to_string().as_str(), platform.is_real()), ("windows/arm64/v8", true));
        assert_eq!(serde_json::to_value(&platform).unwrap(), full);
        let plain: Platform = serde_json::from_value(json!({"architecture": "amd64", "os": "linux"})).unwrap();
        assert_eq!(plain.to_string(), "linux/amd64");
    }

    #[test]
    fn unknown_is_no_machine() {
        for (os, architecture) in [("unknown", "unknown"), ("", ""), ("linux", "unknown"), ("", "amd64")] {
            let platform = Platform { os: os.into(), architecture: architecture.into(), ..Platform::default() };
            assert!(!platform.is_real(), "{platform}");
        }
    }
}
