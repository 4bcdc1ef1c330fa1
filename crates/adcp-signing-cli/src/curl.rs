//! A signed message as a curl command.

use crate::{
    failure::Failure,
    shapes::{Headers, Message},
};

/// The command that sends a message as it was signed: the URL is not tidied, no field is added that
/// the message has, and the body is sent byte by byte.
pub(crate) fn command(
    message: &Message,
    headers: &Headers,
    body: &[u8],
) -> Result<String, Failure> {
    let refused = |what: &str| {
        Failure::invalid(format!(
            "{what} cannot be written in a command; write the message with --format http or json"
        ))
    };
    let body = std::str::from_utf8(body).map_err(|_| refused("a body that is not UTF-8"))?;
    let mut words = vec!["curl --globoff --path-as-is".to_owned()];
    // Without a body, curl waits for that of the answer to HEAD unless it is told.
    match message.method.as_str() {
        "HEAD" if body.is_empty() => words.push("--head".to_owned()),
        method => words.push(format!("--request {}", quoted(method))),
    }
    for (name, value) in &headers.0 {
        let name = if name == ":authority" { "Host" } else { name.as_str() };
        // Curl counts the body itself, and makes the other pseudo-header fields of the URL. A field
        // without a value is written with a semicolon.
        let is_of_curl = name.starts_with(':') || name.eq_ignore_ascii_case("content-length");
        match (is_of_curl, value.is_empty()) {
            (true, _) => {}
            (false, true) => words.push(format!("--header {}", quoted(&format!("{name};")))),
            (false, false) => {
                words.push(format!("--header {}", quoted(&format!("{name}: {value}"))));
            }
        }
    }
    if !body.is_empty() {
        words.push(format!("--data-raw {}", quoted(body)));
    }
    words.push(quoted(&message.url));
    if words.iter().any(|word| word.contains('\0')) {
        return Err(refused("a zero byte"));
    }
    Ok(format!("{}\n", words.join(" \\\n  ")))
}

/// A word of a POSIX shell, whatever is in it.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
