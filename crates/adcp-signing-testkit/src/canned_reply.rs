//! An HTTP answer that is ready before it is asked for.

/// An HTTP/1.1 answer. `content-length` is added where the caller names none.
///
/// ```
/// use adcp_signing_testkit::CannedReply;
///
/// let reply = CannedReply::new(429).header("retry-after", "7").body(r#"{"errors":["slow down"]}"#);
/// assert!(reply.to_bytes().starts_with(b"HTTP/1.1 429 "));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CannedReply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl CannedReply {
    /// An answer with this status and nothing else.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The answer as it goes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Canned\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_length_is_the_bodys_unless_said_otherwise() {
        let reply = CannedReply::new(503).header("x-a", "b").body("down");
        assert_eq!(
            String::from_utf8(reply.to_bytes()).unwrap(),
            "HTTP/1.1 503 Canned\r\nx-a: b\r\ncontent-length: 4\r\n\r\ndown"
        );
        let short = CannedReply::new(200).header("Content-Length", "9").body("down");
        assert!(
            String::from_utf8(short.to_bytes()).unwrap().contains("Content-Length: 9\r\n\r\ndown")
        );
    }
}
