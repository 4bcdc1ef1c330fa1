//! Reading files and standard input, bounded.

use std::{
    fs::File,
    io::{Read, stdin},
    path::Path,
};

use adcp_signing::json;

use crate::failure::Failure;

/// The largest input that is read whole, in bytes.
const MAX_INPUT: u64 = 16 << 20;

/// The bytes of a file, or of standard input for `-` or nothing.
pub(crate) fn read(path: Option<&Path>) -> Result<Vec<u8>, Failure> {
    match path {
        None => read_bounded(stdin().lock(), "standard input"),
        Some(path) if path == Path::new("-") => read_bounded(stdin().lock(), "standard input"),
        Some(path) => {
            let shown = path.display().to_string();
            let file =
                File::open(path).map_err(|error| Failure::invalid(format!("{shown}: {error}")))?;
            read_bounded(file, &shown)
        }
    }
}

/// Some bytes as text, without the byte order mark that editors and shells put before it.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Failure> {
    str::from_utf8(json::without_bom(bytes)).map_err(|_| {
        Failure::invalid(match json::format_name(bytes) {
            Some(format) => format!("the input is {format}, not UTF-8 text"),
            None => "the input is not UTF-8 text".to_owned(),
        })
    })
}

/// Explains why a text is not the JSON that it should be. A text of another format has no place
/// where it goes wrong.
pub(crate) fn not_json(text: &[u8], error: &serde_json::Error) -> String {
    match json::format_name(text) {
        _ if error.is_data() => error.to_string(),
        Some(format) => format!("not JSON: it is {format}"),
        None => format!("not JSON: {error}"),
    }
}

fn read_bounded(from: impl Read, what: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    from.take(MAX_INPUT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::invalid(format!("{what}: {error}")))?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(Failure::invalid(format!("{what} is longer than {MAX_INPUT} bytes")));
    }
    Ok(bytes)
}
