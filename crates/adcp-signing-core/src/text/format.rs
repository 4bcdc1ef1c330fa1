//! Names data of a known format that came in place of another one, so that a refusal can say so.

/// UTF-8's byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// Fewer digits of hex or Base64 than this may be a word or a number.
const MIN_DIGITS: usize = 32;

/// A format that is told by its first bytes, or by its alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Utf16,
    Gzip,
    Zlib,
    Zstandard,
    Zip,
    Html,
    Xml,
    Pem,
    SshPublicKey,
    PuttyKey,
    Pkcs12,
    PrivateKeyDer,
    Der,
    Base64OfPem,
    Base64OfJson,
    Base64OfDer,
    Hex,
}

impl Format {
    /// The format of some data, where it is one that is often taken for another.
    pub(crate) fn of(data: &[u8]) -> Option<Self> {
        match data {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(Self::Utf16),
            [0x1f, 0x8b, ..] => return Some(Self::Gzip),
            [0x78, 0x01 | 0x9c | 0xda, ..] => return Some(Self::Zlib),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => return Some(Self::Zstandard),
            [b'P', b'K', 0x03, 0x04, ..] => return Some(Self::Zip),
            [0x30, rest @ ..] => match der_content(rest) {
                Some([0x02, 0x01, 0x03, ..]) => return Some(Self::Pkcs12),
                // The versions of PKCS#8 and PKCS#1, and that of SEC 1.
                Some([0x02, 0x01, 0x00 | 0x01, ..]) => return Some(Self::PrivateKeyDer),
                Some(_) => return Some(Self::Der),
                None => {}
            },
            _ => {}
        }
        let text = without_bom(data).trim_ascii();
        let starts_with = |prefix: &str| {
            text.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        let key_type = ["ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-"];
        if starts_with("<?xml") {
            Some(Self::Xml)
        } else if starts_with("<") {
            Some(Self::Html)
        } else if key_type.into_iter().any(starts_with) {
            Some(Self::SshPublicKey)
        } else if starts_with("PuTTY-User-Key-File-") {
            Some(Self::PuttyKey)
        } else if starts_with("-----BEGIN ") {
            Some(Self::Pem)
        } else if is_hex(text) {
            Some(Self::Hex)
        } else if is_base64(text) {
            Self::of_base64(text)
        } else {
            None
        }
    }

    /// What some Base64 stands for, from its first characters: it may be secret, and is not decoded.
    fn of_base64(text: &[u8]) -> Option<Self> {
        match text {
            [b'L', b'S', b'0', b't', b'L', b'S', b'1', b'C', ..] => Some(Self::Base64OfPem),
            [b'e', b'y', b'J' | b'A' | b'I' | b'K' | b'N', ..] => Some(Self::Base64OfJson),
            // The tag of a sequence, and a length in one byte or in up to 15 bytes after it.
            [b'M', b'A'..=b'I', ..] => Some(Self::Base64OfDer),
            _ => None,
        }
    }

    /// The format's name, to follow "is".
    pub(crate) const fn name(self) -> &'static str {
        self.name_and_refusal().0
    }

    /// That a document should be JSON and is this.
    pub(crate) const fn not_json(self) -> &'static str {
        self.name_and_refusal().1
    }

    const fn name_and_refusal(self) -> (&'static str, &'static str) {
        macro_rules! named {
            ($name:literal) => {
                ($name, concat!("the document is ", $name, ", not JSON"))
            };
        }
        match self {
            Self::Utf16 => named!("UTF-16 text"),
            Self::Gzip => named!("compressed (gzip)"),
            Self::Zlib => named!("compressed (zlib)"),
            Self::Zstandard => named!("compressed (Zstandard)"),
            Self::Zip => named!("a ZIP archive"),
            Self::Html => named!("HTML"),
            Self::Xml => named!("XML"),
            Self::Pem => named!("PEM"),
            Self::SshPublicKey => named!("an SSH public key"),
            Self::PuttyKey => named!("a PuTTY key"),
            Self::Pkcs12 => named!("PKCS#12"),
            Self::PrivateKeyDer => named!("a private key in DER"),
            Self::Der => named!("DER"),
            Self::Base64OfPem => named!("the Base64 of PEM"),
            Self::Base64OfJson => named!("the Base64 of JSON"),
            Self::Base64OfDer => named!("the Base64 of DER"),
            Self::Hex => named!("hex digits"),
        }
    }
}

/// The data without a UTF-8 byte order mark at its start.
pub(crate) fn without_bom(data: &[u8]) -> &[u8] {
    data.strip_prefix(BOM).unwrap_or(data)
}

/// The content of a DER sequence, from the bytes after its tag: a length, and as many bytes.
fn der_content(rest: &[u8]) -> Option<&[u8]> {
    let (length, content) = match rest {
        [length @ 0..=0x7f, content @ ..] => (usize::from(*length), content),
        [0x81, length, content @ ..] => (usize::from(*length), content),
        [0x82, high, low, content @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), content)
        }
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

fn is_hex(text: &[u8]) -> bool {
    let mut digits = 0_usize;
    let all = text.iter().all(|byte| {
        digits += usize::from(byte.is_ascii_hexdigit());
        byte.is_ascii_hexdigit() || byte.is_ascii_whitespace() || *byte == b':'
    });
    all && digits >= MIN_DIGITS && digits.is_multiple_of(2)
}

fn is_base64(text: &[u8]) -> bool {
    text.len() >= MIN_DIGITS
        && text.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || byte.is_ascii_whitespace()
                || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'.')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_named_by_its_start_or_its_alphabet() {
        let hex = "0f".repeat(32);
        let colons = vec!["0F"; 32].join(":");
        let der_128 = [&[0x30, 0x81, 0x80][..], &[0; 128]].concat();
        let der_256 = [&[0x30, 0x82, 0x01, 0x00][..], &[0; 256]].concat();
        for (data, format) in [
            (&b"\xff\xfe{\0}\0"[..], Some(Format::Utf16)),
            (b"\xfe\xff\0{\0}", Some(Format::Utf16)),
            (b"\x1f\x8b\x08", Some(Format::Gzip)),
            (b"\x78\x9c\xab", Some(Format::Zlib)),
            (b"\x28\xb5\x2f\xfd\0", Some(Format::Zstandard)),
            (b"PK\x03\x04", Some(Format::Zip)),
            (b"\n<!DOCTYPE html>", Some(Format::Html)),
            (b"\xef\xbb\xbf<html>", Some(Format::Html)),
            (b"<?XML version=\"1.0\"?>", Some(Format::Xml)),
            (b"ssh-ed25519 AAAA", Some(Format::SshPublicKey)),
            (b"ecdsa-sha2-nistp256 AAAA", Some(Format::SshPublicKey)),
            (b"PuTTY-User-Key-File-3: ssh-ed25519", Some(Format::PuttyKey)),
            (b" -----BEGIN PRIVATE KEY-----", Some(Format::Pem)),
            (b"\x30\x03\x02\x01\x05", Some(Format::Der)),
            (b"\x30\x03\x02\x01\x03", Some(Format::Pkcs12)),
            (b"\x30\x03\x02\x01\x00", Some(Format::PrivateKeyDer)),
            (b"\x30\x03\x02\x01\x01", Some(Format::PrivateKeyDer)),
            (&der_128, Some(Format::Der)),
            (&der_256, Some(Format::Der)),
            (hex.as_bytes(), Some(Format::Hex)),
            (colons.as_bytes(), Some(Format::Hex)),
            (b"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCg==", Some(Format::Base64OfPem)),
            (b"eyJrdHkiOiJPS1AiLCJjcnYiOiJFZDI1NTE5In0=\n", Some(Format::Base64OfJson)),
            (b"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp", Some(Format::Base64OfDer)),
            (b"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0w", Some(Format::Base64OfDer)),
            (b"MJGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0w", None),
            (b"MC4CAQAwBQYDK2Vw", None),
            (b"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp?", None),
            (b"\x30\x03\x02\x01", None),
            (b"0: not DER", None),
            (b"xenon", None),
            (b"cafe", None),
            (b"{\"a\":1}", None),
            (b"", None),
        ] {
            assert_eq!(Format::of(data), format, "{data:?}");
        }
    }
}
