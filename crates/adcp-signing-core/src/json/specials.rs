//! Finds the quotes, backslashes and control characters of a text, 64 bytes at a time.

/// The special bytes of one block of a text.
///
/// A bit mask finds the next one without a loop over bytes, whose end the processor would
/// mispredict at nearly every string.
#[derive(Clone, Copy)]
pub(super) struct Specials {
    /// Where the block starts: a multiple of its length.
    start: usize,
    /// A bit for each byte of the block, the first one lowest.
    mask: u64,
}

const BLOCK: usize = 64;

impl Specials {
    /// The special bytes of the block at `start`. Bytes beyond the end of the text count as special.
    pub(super) fn of_block(text: &[u8], start: usize) -> Self {
        let rest = text.get(start..).unwrap_or(&[]);
        let mask = match rest.first_chunk() {
            Some(block) => mask(block),
            None => {
                let mut block = [0; BLOCK];
                block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                mask(&block)
            }
        };
        Self { start, mask }
    }

    /// The first special byte of `text` at `from` or after it, else the end of the text.
    #[inline(always)]
    pub(super) fn next(&mut self, text: &[u8], from: usize) -> usize {
        let mut from = from;
        loop {
            let start = from - from % BLOCK;
            if start != self.start {
                *self = Self::of_block(text, start);
            }
            let ahead = self.mask >> (from % BLOCK);
            if ahead != 0 {
                return from + ahead.trailing_zeros() as usize;
            }
            from = start + BLOCK;
        }
    }
}

fn mask(block: &[u8; BLOCK]) -> u64 {
    // The compiler vectorizes this.
    let is_special = block.map(|byte| u8::from((byte < b' ') | (byte == b'"') | (byte == b'\\')));
    let (eights, _) = is_special.as_chunks();
    // Each part is shifted to its own place, so that none waits for the one before.
    eights.iter().zip((0..).step_by(8)).fold(0, |mask, (eight, at)| {
        // Gathers the lowest bits of the eight bytes in the highest byte.
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask | gathered << at
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn the_next_special_byte_is_the_first_quote_backslash_or_control_character(
            text in prop::collection::vec(prop_oneof![60 => any::<u8>().prop_map(|byte| byte | b' '), 1 => any::<u8>()], 0..300),
            froms in prop::collection::vec(0..301_usize, 1..10),
        ) {
            let mut specials = Specials::of_block(&text, 0);
            for from in froms {
                let from = from.min(text.len());
                let special = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < b' ';
                let expected = text[from..].iter().position(special).map_or(text.len(), |at| from + at);
                prop_assert_eq!(specials.next(&text, from), expected);
            }
        }
    }
}
