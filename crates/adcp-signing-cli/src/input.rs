//! Reading files and standard input, bounded.

use std::{
    fs::File,
    io::{Read, stdin},
    path::Path,
};

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

/// The text of a file.
pub(crate) fn read_text(path: Option<&Path>) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|_| Failure::invalid("the input is not UTF-8"))
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
