//! One JSON object a line in, one a line out, each as soon as it is ready.

use std::io::{BufRead, Read as _, Write};

use adcp_signing::json;
use serde_json::Value;

use crate::{failure::Failure, output};

/// The longest line that is read, in bytes.
const MAX_LINE: usize = 16 << 20;

/// Answers every line in order. A line that cannot be read gets an answer that says so, and the run
/// goes on.
pub(crate) async fn run(
    mut input: impl BufRead,
    mut to: impl Write,
    mut answer: impl AsyncFnMut(&str) -> Result<Value, Failure>,
) -> Result<(), Failure> {
    let broken = |error: std::io::Error| Failure::invalid(format!("the stream broke off: {error}"));
    while let Some(line) = next_line(&mut input).map_err(broken)? {
        let reply = match line {
            Line::Text(text) if text.trim().is_empty() => continue,
            Line::Text(text) => answer(&text).await.unwrap_or_else(|failure| failure.to_json()),
            Line::Unreadable(reason) => Failure::invalid(reason).to_json(),
        };
        match writeln!(to, "{}", output::json(&reply)).and_then(|()| to.flush()) {
            // The reader has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            outcome => outcome.map_err(broken)?,
        }
    }
    Ok(())
}

enum Line {
    Text(String),
    Unreadable(String),
}

fn next_line(input: &mut impl BufRead) -> std::io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    let limit = MAX_LINE as u64 + 1;
    if input.by_ref().take(limit).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() > MAX_LINE && !bytes.ends_with(b"\n") {
        input.skip_until(b'\n')?;
        return Ok(Some(Line::Unreadable(format!("the line is longer than {MAX_LINE} bytes"))));
    }
    Ok(Some(match String::from_utf8(bytes) {
        Ok(text) => Line::Text(text),
        Err(error) => Line::Unreadable(match json::format_name(error.as_bytes()) {
            Some(format) => format!("the line is {format}, not UTF-8 text"),
            None => "the line is not UTF-8".to_owned(),
        }),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_that_cannot_be_read_is_answered_and_the_run_goes_on() {
        let input: &[u8] = b"{\"n\":1}\n\n\xff\nnot json\n{\"n\":2}";
        let mut output = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime
            .block_on(run(input, &mut output, async |line: &str| {
                let value: Value = serde_json::from_str(line)
                    .map_err(|error| Failure::invalid(error.to_string()))?;
                Ok(json!({"ok": true, "n": value["n"]}))
            }))
            .unwrap();
        let lines: Vec<Value> = String::from_utf8(output)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let summary: Vec<_> =
            lines.iter().map(|line| (line["ok"].as_bool(), line["n"].as_i64())).collect();
        assert_eq!(
            summary,
            [
                (Some(true), Some(1)),
                (Some(false), None),
                (Some(false), None),
                (Some(true), Some(2))
            ]
        );
        assert_eq!(lines[1]["error_code"], "invalid_input");
    }
}
