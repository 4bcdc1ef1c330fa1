//! `Challenge`: the code in a `WWW-Authenticate: Signature` field, as a sender reads it.

use std::fmt;

use super::{ErrorCode, Fault, MessageKind, Recovery};

/// The longest code that is read. The longest that AdCP has takes 44 characters.
const MAX_CODE_CHARS: usize = 64;

/// Why a counterparty refused a signature: the `error` parameter of its `WWW-Authenticate:
/// Signature` challenge (AdCP transport error taxonomy).
///
/// ```
/// use adcp_signing_core::profile::{Challenge, Recovery};
///
/// let challenge = Challenge::parse(r#"Signature error="request_signature_key_unknown""#).unwrap();
/// assert_eq!(challenge.code(), "request_signature_key_unknown");
/// assert_eq!(challenge.recovery(), Some(Recovery::Correctable));
/// assert_eq!(Challenge::parse(r#"Bearer realm="ads", error="invalid_token""#), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    code: String,
}

impl Challenge {
    /// Reads the value of one `WWW-Authenticate` field. None where no challenge of the scheme
    /// `Signature` in it has a code.
    ///
    /// Other schemes before and after it, and other parameters (a realm, say), are tolerated. A
    /// code is up to 64 lower-case letters, digits and `_`, so it can be logged as it is.
    pub fn parse(www_authenticate: &str) -> Option<Self> {
        let mut is_signature = false;
        for element in elements(www_authenticate) {
            let mut param = element;
            // A scheme comes with the first of its parameters, or alone.
            let (word, rest) = element.split_once([' ', '\t']).unwrap_or((element, ""));
            if !word.contains('=') && !rest.trim_start().starts_with('=') {
                is_signature = word.eq_ignore_ascii_case("signature");
                param = rest.trim();
            }
            let Some((name, value)) = param.split_once('=') else { continue };
            if is_signature && name.trim().eq_ignore_ascii_case("error") {
                let value = value.trim();
                let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                let code = quoted.unwrap_or(value);
                return is_code(code).then(|| Self { code: code.to_owned() });
            }
        }
        None
    }

    /// The code. A newer counterparty may send one that this version does not know.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The code, where this version knows it.
    pub fn known(&self) -> Option<ErrorCode> {
        [MessageKind::Request, MessageKind::Webhook].into_iter().find_map(|kind| {
            let mut codes = Fault::ALL.iter().map(|fault| ErrorCode::new(kind, *fault));
            codes.find(|code| code.as_str() == self.code)
        })
    }

    /// What the sender should do. Every `webhook_*` code ends its delivery, known or not. None for
    /// another code that this version does not know: treat it as terminal, and tell an operator.
    pub fn recovery(&self) -> Option<Recovery> {
        if self.code.starts_with("webhook_") {
            return Some(Recovery::Terminal);
        }
        self.known().map(ErrorCode::recovery)
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)
    }
}

/// The comma-separated elements, without commas in quoted strings.
fn elements(value: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    value
        .split(move |c| {
            match (is_escaped, c) {
                (true, _) => is_escaped = false,
                (false, '\\') => is_escaped = is_quoted,
                (false, '"') => is_quoted = !is_quoted,
                (false, _) => {}
            }
            c == ',' && !is_quoted
        })
        .map(str::trim)
}

fn is_code(text: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=MAX_CODE_CHARS).contains(&text.len()) && text.bytes().all(is_char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_the_signature_scheme_is_found_among_others() {
        for (value, code) in [
            (r#"Signature error="request_signature_required""#, Some("request_signature_required")),
            ("signature error=request_signature_invalid", Some("request_signature_invalid")),
            (r#"Signature realm="a, b=\", c", error = "webhook_x""#, Some("webhook_x")),
            (r#"Bearer realm="x", Signature error="a_code""#, Some("a_code")),
            (r#"Signature error="a_code", Bearer error="invalid_token""#, Some("a_code")),
            (r#"Negotiate, Signature error="a_code""#, Some("a_code")),
            (r#"Bearer error="invalid_token""#, None),
            (r#"Signature realm="x", Bearer error="invalid_token""#, None),
            (r#"Bearer realm="Signature error=a_code""#, None),
            ("Signature", None),
            ("", None),
            ("Signature error=\"A-Code\"", None),
            ("Signature error=\"\"", None),
            ("Signature error=\"caf\u{e9}\"", None),
        ] {
            let challenge = Challenge::parse(value);
            assert_eq!(challenge.as_ref().map(Challenge::code), code, "{value}");
        }
        let long = |chars| Challenge::parse(&format!("Signature error={}", "a".repeat(chars)));
        assert!(long(64).is_some() && long(65).is_none());
    }

    #[test]
    fn every_code_of_the_taxonomies_is_known_and_keeps_its_recovery() {
        for kind in [MessageKind::Request, MessageKind::Webhook] {
            for fault in Fault::ALL {
                // Never raised for requests, where it shares the code of another fault.
                if (kind, *fault) == (MessageKind::Request, Fault::ModeMismatch) {
                    continue;
                }
                let code = ErrorCode::new(kind, *fault);
                let challenge = Challenge::parse(&code.www_authenticate()).unwrap();
                assert_eq!(challenge.known().map(ErrorCode::as_str), Some(code.as_str()));
                assert_eq!(challenge.recovery(), Some(code.recovery()), "{challenge}");
            }
        }
        let unknown = |code| Challenge::parse(&format!("Signature error={code}")).unwrap();
        assert_eq!(unknown("request_signature_new").recovery(), None);
        assert_eq!(unknown("webhook_signature_new").recovery(), Some(Recovery::Terminal));
    }
}
