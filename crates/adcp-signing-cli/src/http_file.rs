//! HTTP message files: a request line, field lines, an empty line, the body to the last byte.

use adcp_signing::json::{format_name, without_bom};
use base64ct::{Base64, Encoding as _};

use crate::{
    failure::Failure,
    shapes::{Headers, Message, shorten},
};

/// Reads a message file. Lines before the request line may be empty or start with `#`; lines end
/// with LF or CRLF. A target that is a path is completed with `https` and the `Host` field. A body
/// has the length of the `Content-Length` field, where there is one.
pub(crate) fn parse(bytes: &[u8]) -> Result<Message, Failure> {
    if let Some(format) = format_name(bytes) {
        return Err(Failure::invalid(format!(
            "this is {format}, not a message file such as `POST https://host/path HTTP/1.1` and what \
             follows"
        )));
    }
    let mut rest = without_bom(bytes);
    let mut number = 0_usize;
    let mut next = || {
        number += 1;
        let at = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, after) = rest.split_at_checked(at)?;
        rest = after.get(1..).unwrap_or_default();
        Some((number, line.strip_suffix(b"\r").unwrap_or(line)))
    };
    let (at, request_line) = loop {
        match next() {
            Some((_, line)) if line.is_empty() || line.starts_with(b"#") => {}
            Some(line) => break line,
            None if bytes.contains(&b'\r') => {
                return Err(broken(1, "lines end with CR alone; end them with LF or CRLF"));
            }
            None => {
                return Err(broken(
                    1,
                    "there is no request line such as `POST https://host/path HTTP/1.1`",
                ));
            }
        }
    };
    let request_line = text(at, request_line)?;
    let (method, target) =
        request_target(request_line).ok_or_else(|| broken(at, not_a_request_line(request_line)))?;
    let mut headers = Vec::new();
    // A message without a body may end with its last field line.
    while let Some((at, line)) = next().filter(|(_, line)| !line.is_empty()) {
        let line = text(at, line)?;
        let (name, value) = line.split_once(':').ok_or_else(|| broken(at, not_a_field(line)))?;
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(broken(at, not_a_field(line)));
        }
        headers.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
    check_framing(&headers, rest)?;
    let url = absolute(target, &headers)?;
    let (body, body_b64) = match std::str::from_utf8(rest) {
        Ok("") => (None, None),
        Ok(body) => (Some(body.to_owned()), None),
        Err(_) => (None, Some(Base64::encode_string(rest))),
    };
    Ok(Message { method: method.to_owned(), url, headers: Headers(headers), body, body_b64 })
}

/// The message with these field lines as a file, which reads back as exactly that: a line end in a
/// field would make more fields of it, or a body.
pub(crate) fn write(message: &Message, headers: &Headers, body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut file = format!("{} {} HTTP/1.1\n", message.method, message.url).into_bytes();
    for (name, value) in &headers.0 {
        file.extend_from_slice(format!("{name}: {value}\n").as_bytes());
    }
    file.push(b'\n');
    file.extend_from_slice(body);
    let same = parse(&file).is_ok_and(|read| {
        let fields = |(name, value): &(String, String)| {
            (name.clone(), value.trim_matches([' ', '\t']).to_owned())
        };
        read.method == message.method
            && read.url == message.url
            && read.headers.0.iter().eq(headers.0.iter().map(fields).collect::<Vec<_>>().iter())
            && read.body_bytes().is_ok_and(|read| read == body)
    });
    if same {
        Ok(file)
    } else {
        Err(Failure::invalid(
            "the method, the URL or a field cannot be written in a message file: use --json",
        ))
    }
}

fn request_target(line: &str) -> Option<(&str, &str)> {
    let (method, rest) = line.split_once(' ')?;
    let (target, version) = rest.rsplit_once(' ').unwrap_or((rest, "HTTP/1.1"));
    let is_method = !method.is_empty() && method.bytes().all(is_token_byte);
    let whole = is_method && !target.is_empty() && !target.contains(' ');
    (whole && version.starts_with("HTTP/")).then_some((method, target))
}

/// A byte of a token (RFC 9110 §5.6.2), as methods and field names are.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

const PSEUDO_HEADERS: &str = "HTTP/2 pseudo-headers such as :method and :authority are not read; \
    write the request line `METHOD https://host/path HTTP/1.1` in their place";
const CURL: &str = "remove the `> ` that curl writes before each line";

/// What a line is in place of a request line.
fn not_a_request_line(line: &str) -> &'static str {
    if line.starts_with(':') {
        PSEUDO_HEADERS
    } else if line.starts_with("HTTP/") {
        "this is a response, and requests are read"
    } else if line.starts_with("> ") {
        CURL
    } else {
        "the request line is not `METHOD target HTTP/1.1`"
    }
}

/// What a line is in place of a field line.
fn not_a_field(line: &str) -> &'static str {
    if line.starts_with(':') {
        PSEUDO_HEADERS
    } else if line.starts_with("> ") {
        CURL
    } else if line.starts_with(['{', '[']) {
        "an empty line has to stand between the fields and the body"
    } else if line.starts_with([' ', '\t']) {
        "folded lines are not supported; write the field in one line"
    } else if line.contains(':') {
        "a field name has letters, digits and hyphens, and no spaces before the colon"
    } else {
        "a field line is `Name: value`"
    }
}

/// Refuses a body that is not the one of the fields that frame it: it was cut off, or an editor
/// added a line break.
fn check_framing(headers: &[(String, String)], body: &[u8]) -> Result<(), Failure> {
    let field = |wanted: &str| {
        let mut fields = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        fields.next().map(|(_, value)| value.as_str())
    };
    if let Some(length) = field("content-length")
        && (length.starts_with('+') || length.parse() != Ok(body.len()))
    {
        return Err(Failure::invalid(format!(
            "Content-Length is {:?}, and the body of the message file has {} bytes; restore the body \
             to its last byte, or remove what an editor added",
            shorten(length),
            body.len()
        )));
    }
    let is_chunked = field("transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
    if is_chunked && body.ends_with(b"\r\n0\r\n\r\n") {
        return Err(Failure::invalid(
            "the body of the message file is in chunks (Transfer-Encoding); write the content alone",
        ));
    }
    Ok(())
}

fn absolute(target: &str, headers: &[(String, String)]) -> Result<String, Failure> {
    if !target.starts_with('/') {
        return Ok(target.to_owned());
    }
    let host = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    match host {
        Some((_, host)) => Ok(format!("https://{host}{target}")),
        None => Err(Failure::invalid(
            "the target is a path and there is no Host field; write the whole URL",
        )),
    }
}

fn text(at: usize, line: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(line).map_err(|_| broken(at, "the line is not UTF-8"))
}

fn broken(line: usize, reason: &str) -> Failure {
    Failure::invalid(format!("line {line} of the message file: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_to_the_last_byte_of_its_body() {
        let message =
            parse(b"# a comment\n\nPOST /a?b HTTP/1.1\r\nHost: x.example\r\nA:  1 \r\n\r\n{}\r\n")
                .unwrap();
        assert_eq!(message.method, "POST");
        assert_eq!(message.url, "https://x.example/a?b");
        assert_eq!(
            message.headers.0,
            [("Host".into(), "x.example".into()), ("A".into(), "1".into())]
        );
        assert_eq!(message.body_bytes().unwrap(), b"{}\r\n");
    }

    #[test]
    fn a_body_that_is_not_text_is_kept() {
        let message = parse(b"POST https://x.example/ HTTP/1.1\n\n\xff\x00").unwrap();
        assert_eq!(message.body_bytes().unwrap(), [0xff, 0]);
    }

    #[test]
    fn what_was_read_is_written_back() {
        let file = b"POST https://x.example/a HTTP/1.1\nA: 1\n\nbody";
        let message = parse(file).unwrap();
        let written = write(&message, &message.headers, &message.body_bytes().unwrap());
        assert_eq!(written.unwrap(), file);
    }

    #[test]
    fn what_would_be_read_back_as_another_message_is_not_written() {
        let message = |method: &str, url: &str| Message {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Headers::default(),
            body: None,
            body_b64: None,
        };
        let get = message("GET", "https://x.example/");
        let headers = |name: &str, value: &str| Headers(vec![(name.into(), value.into())]);
        assert!(write(&get, &headers("A", " 1 "), b"body").is_ok());
        for (message, headers) in [
            (&get, headers("A", "1\nB: 2")),
            (&get, headers("A", "1\n\nbody")),
            (&get, headers("A: 1\nB", "2")),
            (&get, headers("A", "1\r")),
            (&get, headers(":authority", "x.example")),
            (&message("GET https://y.example/ HTTP/1.1\nA:", "/"), Headers::default()),
            (&message("GET", "https://x.example/ HTTP/1.1\nA: 1"), Headers::default()),
            (&message("#GET", "https://x.example/"), Headers::default()),
        ] {
            assert!(write(message, &headers, b"body").is_err(), "{message:?} {headers:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_message() {
        let message = parse("\u{feff}POST https://x.example/ HTTP/1.1\n\n".as_bytes()).unwrap();
        assert_eq!(message.method, "POST");
    }

    #[test]
    fn what_is_not_a_message_file_is_named() {
        for (file, cause) in [
            (&b"\xff\xfeP\0O\0"[..], "UTF-16"),
            (b"<html></html>", "HTML"),
            (b"\x1f\x8b\x08\0", "gzip"),
            (b":method: POST\n:path: /\n\n", "line 1 of the message file: HTTP/2 pseudo-headers"),
            (b"POST / HTTP/2\n:authority: x\n\n", "line 2 of the message file: HTTP/2 pseudo"),
            (b"HTTP/1.1 200 OK\n\n", "this is a response"),
            (b"> POST / HTTP/1.1\n\n", "curl"),
            (b"POST / HTTP/1.1\n> Host: x\n\n", "curl"),
            (b"POST / HTTP/1.1\rHost: x\r\r{}", "lines end with CR alone"),
            (b"POST / HTTP/1.1\nHost: x\n{\"a\":1}\n", "line 3 of the message file: an empty line"),
            (b"P@ST / HTTP/1.1\n\n", "the request line is not"),
            (b"POST / HTTP/1.1\nHost : x\n\n", "no spaces before the colon"),
            (b"POST / HTTP/1.1\nHost: x\n y\n\n", "folded lines"),
            (
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                "in chunks",
            ),
        ] {
            let error = parse(file).unwrap_err().to_string();
            assert!(error.contains(cause), "{error}");
        }
    }

    #[test]
    fn a_body_has_the_length_that_is_announced() {
        let file = |length: &str, body: &str| {
            parse(
                format!("POST https://x/ HTTP/1.1\nContent-Length: {length}\n\n{body}").as_bytes(),
            )
        };
        for (length, body) in [("2", "{}"), ("0", "")] {
            assert!(file(length, body).is_ok(), "{length} {body:?}");
        }
        for (length, body) in
            [("2", ""), ("2", "{"), ("2", "{}\n"), ("0", "{}"), ("x", ""), ("+0", "")]
        {
            let error = file(length, body).unwrap_err().to_string();
            assert!(error.contains("Content-Length"), "{error}");
        }
    }

    #[test]
    fn broken_files_say_which_line() {
        for (file, line) in [
            ("", "line 1"),
            ("POST\n\n", "line 1"),
            ("POST https://x/ HTTP/1.1\nno colon\n\n", "line 2"),
            ("POST https://x/ HTTP/1.1\nA: 1\n folded\n\n", "line 3"),
        ] {
            let error = parse(file.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(line), "{file:?}: {error}");
        }
    }
}
