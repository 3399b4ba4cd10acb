//! The `Authorization` header: `Basic` (RFC 7617) and `Bearer` (RFC 6750).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::AccessError;
use crate::base::Secret;

/// Some scripts leave the padding out; nothing is ambiguous without it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What an `Authorization` header shows.
#[derive(Debug)]
pub enum Credentials<'h> {
    /// A name and a password.
    Basic {
        /// The account's name.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// A bearer token.
    Bearer(Secret<&'h str>),
}

impl<'h> Credentials<'h> {
    /// Reads the value of an `Authorization` header. The scheme's case does not matter; the name ends at the first
    /// colon; both parts are UTF-8.
    ///
    /// # Errors
    /// [`AccessError::Malformed`] for any other scheme or form.
    pub fn parse(header: &'h str) -> Result<Self, AccessError> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            return Ok(Self::Bearer(Secret::new(rest)));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return parse_basic(rest).ok_or_else(|| {
                AccessError::Malformed("the Basic credentials are not base64 of UTF-8 \"name:password\"".into())
            });
        }
        Err(AccessError::Malformed("the Authorization header is neither \"Basic …\" nor \"Bearer …\"".into()))
    }
}

fn parse_basic(encoded: &str) -> Option<Credentials<'static>> {
    let text = String::from_utf8(BASE64.decode(encoded).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(Credentials::Basic { username: username.to_owned(), password: Secret::new(password.to_owned()) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn basic(header: &str) -> Option<(String, String)> {
        match Credentials::parse(header) {
            Ok(Credentials::Basic { username, password }) => Some((username, password.reveal().clone())),
            _ => None,
        }
    }

    proptest! {
        /// Any name without a colon and any password, with colons or not, come back as they were.
        #[test]
        fn names_and_passwords_come_back(name in "[^:]*", password in ".*", scheme in "[Bb][Aa][Ss][Ii][Cc]", padded: bool) {
            let mut encoded = BASE64.encode(format!("{name}:{password}"));
            if !padded {
                encoded = encoded.trim_end_matches('=').to_owned();
            }
            prop_assert_eq!(basic(&format!("{scheme} {encoded}")), Some((name, password)));
        }

        /// Whatever is sent is read or refused, and a refusal does not repeat it.
        #[test]
        fn anything_is_read_or_refused(header in ".*") {
            if let Err(error) = Credentials::parse(&header) {
                prop_assert!(matches!(error, AccessError::Malformed(_)));
                prop_assert!(header.len() < 8 || !error.to_string().contains(&header));
            }
        }

        #[test]
        fn any_bytes_in_base64_are_read_or_refused(bytes: Vec<u8>) {
            let read = basic(&format!("Basic {}", BASE64.encode(&bytes)));
            prop_assert_eq!(read.is_some(), std::str::from_utf8(&bytes).is_ok_and(|text| text.contains(':')));
        }
    }

    #[test]
    fn other_schemes_and_empty_credentials_are_refused() {
        for header in ["", "Basic", "Bearer", "Bearer ", "Digest username=alice", "Basic !!!", "Basic YWxpY2U="] {
            assert!(matches!(Credentials::parse(header), Err(AccessError::Malformed(_))), "{header}");
        }
    }
}
