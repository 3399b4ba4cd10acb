//! Values that must not reach a log line.

use std::fmt;

/// Holds a secret; `Debug` and logs show only that there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// Wraps a secret.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret itself; the call site answers for where it goes.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// For serde's `with`: a secret that crosses a pipe between two processes of this registry in clear, because the kernel
/// vouches for both. Nothing else may use it.
pub mod revealed {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Secret;

    /// Writes the secret itself.
    ///
    /// # Errors
    /// What the serializer ends with.
    pub fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.reveal())
    }

    /// Reads it.
    ///
    /// # Errors
    /// What the deserializer ends with.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}
