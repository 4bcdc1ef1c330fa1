//! As much DER (X.690) as an RSA key in PKCS#1 needs: a SEQUENCE of INTEGERs that are not negative.

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
/// The first length that one byte cannot say.
const LONG: usize = 0x80;

/// The integers, big-endian and without leading zeros.
pub(super) fn integers(sequence: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut rest, b"") = value(SEQUENCE, sequence)? else { return None };
    let mut integers = Vec::new();
    while !rest.is_empty() {
        let (digits, after) = value(INTEGER, rest)?;
        integers.push(without_zeros(digits));
        rest = after;
    }
    Some(integers)
}

/// The sequence of these big-endian integers.
pub(super) fn sequence(integers: &[Vec<u8>]) -> Vec<u8> {
    let encoded: Vec<u8> = integers
        .iter()
        .flat_map(|digits| {
            let digits = without_zeros(digits);
            // A first bit of one would be a sign.
            let sign = digits.first().is_none_or(|first| usize::from(*first) >= LONG).then_some(0);
            tagged(INTEGER, &sign.into_iter().chain(digits).collect::<Vec<_>>())
        })
        .collect();
    tagged(SEQUENCE, &encoded)
}

fn without_zeros(digits: &[u8]) -> Vec<u8> {
    digits.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// The content of the value at the start, and what follows it.
fn value(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(2)?;
    let [found, first] = *head else { return None };
    if found != tag {
        return None;
    }
    let first = usize::from(first);
    let (length, rest) = match first.checked_sub(LONG) {
        None => (first, rest),
        Some(count) => {
            let (digits, rest) = rest.split_at_checked(count)?;
            let length = digits.iter().try_fold(0_usize, |length, digit| {
                Some(length.checked_mul(256)? | usize::from(*digit))
            })?;
            (length, rest)
        }
    };
    rest.split_at_checked(length)
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let digits = without_zeros(&content.len().to_be_bytes());
    let head = match digits.as_slice() {
        [] => vec![tag, 0],
        [short @ 0..=0x7f] => vec![tag, *short],
        // A length has eight bytes at most.
        long => [&[tag, 0x80 | u8::try_from(long.len()).unwrap_or_default()], long].concat(),
    };
    [&head, content].concat()
}
