//! Where an HTTP/1.1 message ends (RFC 9112 §6): just enough to tell one request, or one answer,
//! from the next.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest message taken: key services talk in kilobytes.
const MAX_MESSAGE_LEN: usize = 4 * 1024 * 1024;
const READ_LEN: usize = 16 * 1024;

/// One message as it came.
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    /// How many of the bytes are start line and header, with the empty line after them.
    pub(crate) head_len: usize,
}

/// What ends the body.
enum End {
    Length(usize),
    Chunked,
    Close,
}

/// Reads messages one after another off one connection.
#[derive(Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    /// The next request, or `None` where the client closed instead.
    pub(crate) async fn request(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Option<Message>> {
        if self.buffer.is_empty() && !self.fill(from).await? {
            return Ok(None);
        }
        self.message(from, |head| body_end(head).unwrap_or(End::Length(0))).await.map(Some)
    }

    /// The next answer, to a request that was or was not `HEAD`. Interim answers are skipped.
    pub(crate) async fn answer(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to_head: bool,
    ) -> io::Result<Message> {
        loop {
            let message = self
                .message(from, |head| match status(head) {
                    Some(100..=199 | 204 | 304) => End::Length(0),
                    _ if to_head => End::Length(0),
                    _ => body_end(head).unwrap_or(End::Close),
                })
                .await?;
            if !matches!(status(&message.bytes), Some(100..=199)) {
                return Ok(message);
            }
        }
    }

    async fn message(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        end: impl Fn(&[u8]) -> End,
    ) -> io::Result<Message> {
        let head_len = loop {
            match find(&self.buffer, b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.fill_or_fail(from).await?,
            }
        };
        let head = self.buffer.get(..head_len).unwrap_or_default();
        let len = match end(head) {
            End::Length(len) => head_len.saturating_add(len),
            End::Chunked => loop {
                match chunked_len(self.buffer.get(head_len..).unwrap_or_default())? {
                    Some(len) => break head_len.saturating_add(len),
                    None => self.fill_or_fail(from).await?,
                }
            },
            End::Close => {
                while self.fill(from).await? {}
                self.buffer.len()
            }
        };
        while self.buffer.len() < len {
            self.fill_or_fail(from).await?;
        }
        let rest = self.buffer.split_off(len);
        Ok(Message { bytes: std::mem::replace(&mut self.buffer, rest), head_len })
    }

    async fn fill_or_fail(&mut self, from: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        if self.fill(from).await? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Whether anything came.
    async fn fill(&mut self, from: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        if self.buffer.len() > MAX_MESSAGE_LEN {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the message is too long for the fault proxy",
            ));
        }
        self.buffer.reserve(READ_LEN);
        Ok(from.read_buf(&mut self.buffer).await? > 0)
    }
}

/// The request with another `Host`.
#[cfg(feature = "tls")]
pub(crate) fn with_host(request: &Message, host: &str) -> Vec<u8> {
    let (head, body) =
        request.bytes.split_at_checked(request.head_len).unwrap_or((&request.bytes, &[]));
    let head = String::from_utf8_lossy(head);
    let is_host = |line: &str| {
        line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case("host"))
    };
    let lines: Vec<_> = head
        .split("\r\n")
        .map(|line| if is_host(line) { format!("host: {host}") } else { line.to_owned() })
        .collect();
    [lines.join("\r\n").as_bytes(), body].concat()
}

/// Whether the request's method is `HEAD`.
pub(crate) fn is_head(request: &[u8]) -> bool {
    request.starts_with(b"HEAD ")
}

/// Whether the sender closes the connection after this message.
pub(crate) fn closes(head: &[u8]) -> bool {
    field(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

fn body_end(head: &[u8]) -> Option<End> {
    if field(head, "transfer-encoding")
        .is_some_and(|value| value.to_ascii_lowercase().ends_with("chunked"))
    {
        return Some(End::Chunked);
    }
    field(head, "content-length").and_then(|value| value.parse().ok()).map(End::Length)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.get(..find(head, b"\r\n")?)?).ok()?;
    line.split(' ').nth(1)?.parse().ok()
}

/// The value of the first field of this name.
fn field(head: &[u8], name: &str) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    head.split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
}

/// The length of a chunked body (RFC 9112 §7.1) with its trailer, or `None` where its end has not
/// come yet.
fn chunked_len(body: &[u8]) -> io::Result<Option<usize>> {
    let mut at = 0_usize;
    loop {
        let rest = body.get(at..).unwrap_or_default();
        let Some(line_len) = find(rest, b"\r\n") else { return Ok(None) };
        let line = String::from_utf8_lossy(rest.get(..line_len).unwrap_or_default());
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a chunk has no size"))?;
        if size == 0 {
            // The trailer, if any, ends with the empty line that would otherwise follow at once.
            return Ok(find(rest, b"\r\n\r\n").map(|end| at + end + 4));
        }
        at = at.saturating_add(line_len + 4).saturating_add(size);
        if at > MAX_MESSAGE_LEN {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a chunk is too long for the fault proxy",
            ));
        }
        if at > body.len() {
            return Ok(None);
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_told_apart() {
        let wire = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz\
            PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\nt: v\r\n\r\n\
            HEAD /d HTTP/1.1\r\n\r\n";
        // However the bytes are dealt out.
        for piece in [1, 7, 4096] {
            let mut from = tokio_pieces(wire, piece);
            let mut reader = Reader::default();
            let mut lens = Vec::new();
            while let Some(message) = reader.request(&mut from).await.unwrap() {
                lens.push((message.head_len, message.bytes.len()));
            }
            assert_eq!(lens, [(28, 28), (39, 42), (47, 92), (20, 20)], "{piece}");
        }
    }

    #[tokio::test]
    async fn answers_end_as_their_status_and_fields_say() {
        let cases: [(&[u8], bool, usize); 5] = [
            (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiREST", false, 40),
            (b"HTTP/1.1 204 No Content\r\n\r\nREST", false, 27),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nREST", true, 38),
            (b"HTTP/1.1 200 OK\r\n\r\nup to the end", false, 32),
            (
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nREST",
                false,
                38,
            ),
        ];
        for (wire, to_head, len) in cases {
            let answer = Reader::default().answer(&mut &*wire, to_head).await.unwrap();
            assert_eq!(answer.bytes.len(), len, "{}", String::from_utf8_lossy(wire));
        }
    }

    #[tokio::test]
    async fn a_message_that_stops_short_is_an_error() {
        for wire in ["GET / HT", "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nshort"] {
            let error = Reader::default().request(&mut wire.as_bytes()).await.err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{wire}");
        }
        let broken = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nnot-hex\r\n";
        let error = Reader::default().request(&mut broken.as_bytes()).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    fn tokio_pieces(wire: &[u8], piece: usize) -> impl AsyncRead + Unpin {
        wire.chunks(piece)
            .fold(Box::new(tokio::io::empty()) as Box<dyn AsyncRead + Unpin>, |before, chunk| {
                Box::new(before.chain(io::Cursor::new(chunk.to_vec())))
            })
    }
}
