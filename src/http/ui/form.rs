//! Fields: of a query, and of a form's body.

use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;

use super::errors::Failure;
use crate::http::{BodyError, RequestBody};

/// The most bytes of a form: a README of 25,000 bytes has three times as many when each byte is escaped.
const MAX_FORM: usize = 128 * 1024;

/// The most fields; what is beyond them is not read.
const MAX_FIELDS: usize = 2_000;

/// Names and values in their order.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`.
    pub fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).take(MAX_FIELDS).map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// Reads a form from a request's body.
    ///
    /// # Errors
    /// What is wrong with it, for the page that says so.
    pub async fn read(head: &Parts, body: RequestBody) -> Result<Self, Failure> {
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Failure::Bad("The form did not come as application/x-www-form-urlencoded.".into()));
        }
        match body.read_limited(MAX_FORM).await {
            Ok(text) => Ok(Self::parse(&text)),
            Err(BodyError::TooLarge { limit }) => Err(Failure::TooLarge(limit)),
            Err(BodyError::Sender(_)) => Err(Failure::Bad("The form did not arrive whole; send it again.".into())),
        }
    }

    /// The first value of that name, without the blanks around it; `None` when there is none or it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// The first value of that name as it came: for passwords and texts.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// All values of that name.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether a box of that name is ticked.
    pub fn ticked(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !matches!(value, "0" | "false" | "off"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name() {
        let fields = Fields::parse(b"a=+1+&a=2&b=&c=%F0%9F%A6%80&on=1&off=0&pass=+x");
        assert_eq!(fields.get("a"), Some("1"));
        assert_eq!(fields.all("a").collect::<Vec<_>>(), [" 1 ", "2"]);
        assert_eq!((fields.get("b"), fields.raw("b"), fields.get("z")), (None, Some(""), None));
        assert_eq!(fields.get("c"), Some("\u{1f980}"));
        assert_eq!(fields.raw("pass"), Some(" x"));
        assert!(fields.ticked("on") && !fields.ticked("off") && !fields.ticked("z"));
    }
}
