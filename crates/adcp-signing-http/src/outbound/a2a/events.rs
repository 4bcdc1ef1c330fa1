//! `Events`: the data of server-sent events (HTML Standard §9.2.6), each within a bound.

use std::collections::VecDeque;

use a2a::A2AError;

use super::refused::invalid;

/// Reads events from the chunks of a body.
#[derive(Debug)]
pub(super) struct Events {
    limit: usize,
    line: Vec<u8>,
    /// The data of the event that is being read, without its last line end.
    data: Option<Vec<u8>>,
    /// How many bytes of the event were read.
    size: usize,
    /// The last byte was a carriage return, which a line feed may follow.
    returned: bool,
}

impl Events {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, line: Vec::new(), data: None, size: 0, returned: false }
    }

    /// Adds the data of the events that end in the chunk.
    pub(super) fn read(
        &mut self,
        chunk: &[u8],
        ready: &mut VecDeque<String>,
    ) -> Result<(), A2AError> {
        for byte in chunk {
            let follows = std::mem::replace(&mut self.returned, *byte == b'\r');
            match byte {
                b'\n' if follows => {}
                b'\n' | b'\r' => ready.extend(self.end_line()?),
                _ => {
                    self.size = self.size.saturating_add(1);
                    if self.size > self.limit {
                        let limit = self.limit;
                        let detail =
                            format!("an event has more than {limit} bytes; raise the limit");
                        return Err(invalid(&detail));
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(())
    }

    /// The end of the body. Whatever was not finished was cut off.
    pub(super) fn end(&self) -> Result<(), A2AError> {
        if self.line.is_empty() && self.data.is_none() {
            return Ok(());
        }
        Err(invalid("the stream ended within an event"))
    }

    /// The data of the event, where the line ends it.
    fn end_line(&mut self) -> Result<Option<String>, A2AError> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            self.size = 0;
            let data = self.data.take().map(String::from_utf8).transpose();
            return data.map_err(|_| invalid("an event is not UTF-8"));
        }
        if let Some(data) = line.strip_prefix(b"data") {
            let data = match data {
                [] => data,
                [b':', b' ', data @ ..] | [b':', data @ ..] => data,
                // Another field, whose name begins alike.
                _ => return Ok(None),
            };
            match &mut self.data {
                None => self.data = Some(data.to_vec()),
                Some(known) => {
                    known.push(b'\n');
                    known.extend_from_slice(data);
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(events: &mut Events, text: &str, pieces: usize) -> Result<Vec<String>, A2AError> {
        let mut ready = VecDeque::new();
        for piece in text.as_bytes().chunks(pieces) {
            events.read(piece, &mut ready)?;
        }
        Ok(ready.into())
    }

    #[test]
    fn events_end_at_an_empty_line_however_the_body_is_cut() {
        let text =
            "id: 1\ndata: a\n\n: alive\n\ndata:b\r\ndata: c\r\n\r\ndata\rdata:  d\r\rdatum: e\n\n";
        for pieces in 1..text.len() {
            let mut events = Events::new(100);
            assert_eq!(read(&mut events, text, pieces).unwrap(), ["a", "b\nc", "\n d"]);
            events.end().unwrap();
        }
    }

    #[test]
    fn an_event_is_bounded_and_each_anew() {
        let mut events = Events::new(10);
        assert_eq!(read(&mut events, &"data: 1234\n\n".repeat(9), 5).unwrap().len(), 9);
        for text in ["data: 12345", "data: 1\ndata", ": 1\n: 2\n: 3\n: 4", "12345678901"] {
            let error = read(&mut Events::new(10), text, 3).unwrap_err();
            assert!(error.message.contains("more than 10 bytes"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_cut_off_or_is_not_text_is_an_error() {
        for text in ["data: a", "data: a\n"] {
            let mut events = Events::new(100);
            assert!(read(&mut events, text, 9).unwrap().is_empty());
            assert!(events.end().unwrap_err().message.contains("ended within an event"));
        }
        let mut ready = VecDeque::new();
        let error = Events::new(100).read(b"data: \xff\n\n", &mut ready).unwrap_err();
        assert!(error.message.contains("UTF-8"), "{error}");
    }
}
