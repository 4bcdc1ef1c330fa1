//! PEM as key files have it: the lax form of RFC 7468 §3, with any text before and after a block.

use base64ct::{Base64, Encoding as _};
use zeroize::Zeroizing;

/// The longest text read: as long as a key file may be, certificates and explanations included.
const MAX_TEXT_LEN: usize = 64 * 1024;
/// The longest label that an error shows.
const MAX_LABEL_LEN: usize = 40;
const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// Why a text does not give the one PEM block that is wanted. Shows labels, never a byte of a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// The text is longer than 64 KiB.
    #[error("the text is {length} bytes long, more than the {MAX_TEXT_LEN} bytes allowed")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// No line starts a block.
    #[error("there is no line `-----BEGIN {wanted}-----` (RFC 7468)")]
    NoBlock {
        /// The label that is wanted.
        wanted: &'static str,
    },
    /// A block is started in the middle of a line.
    #[error(
        "line {line} has other text before `-----BEGIN`; remove it, and any quotes around the block"
    )]
    WithinLine {
        /// The line, from 1.
        line: usize,
    },
    /// The line breaks are written as a backslash and an `n`, as in JSON or in an environment file.
    #[error("the line breaks are written as the two characters `\\n`; write real line breaks")]
    EscapedLineBreaks,
    /// A block has no end, or one with another label.
    #[error("the block that starts in line {line} has no `-----END` line with the same label")]
    NoEnd {
        /// The line of `-----BEGIN`, from 1.
        line: usize,
    },
    /// The text has blocks, and none is the wanted one.
    #[error("the PEM block is {found}, not `{wanted}`; {cure}")]
    Label {
        /// The label that is wanted.
        wanted: &'static str,
        /// The label that was found, in backticks.
        found: String,
        /// What to do.
        cure: &'static str,
    },
    /// Several blocks have the wanted label.
    #[error("there are {count} PEM blocks `{wanted}`; keep one")]
    Several {
        /// The label that is wanted.
        wanted: &'static str,
        /// How many there are.
        count: usize,
    },
    /// The block has a character that is neither Base64 nor white space.
    #[error("line {line} has a character that is not Base64")]
    Character {
        /// The line, from 1.
        line: usize,
    },
    /// The Base64 is cut off or has stray bits.
    #[error("the Base64 of the PEM block is cut off or not canonical; copy the whole block again")]
    Base64,
}

/// What is wanted: a half of a key, or certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    PublicKey,
    PrivateKey,
    Certificate,
}

impl Wanted {
    /// The label of RFC 7468 §5, §10 and §13.
    const fn label(self) -> &'static str {
        match self {
            Self::PublicKey => "PUBLIC KEY",
            Self::PrivateKey => "PRIVATE KEY",
            Self::Certificate => "CERTIFICATE",
        }
    }
}

/// One block.
struct Block<'a> {
    label: &'a str,
    /// Everything between the two boundaries.
    body: &'a str,
    /// The line of the first boundary, from 1.
    line: usize,
}

/// The DER of the only block with the label of the wanted half. Blocks with other labels, such as
/// parameters or certificates, and any other text may stand next to it.
pub(crate) fn decode_key(text: &str, half: Wanted) -> Result<Zeroizing<Vec<u8>>, PemError> {
    let wanted = half.label();
    if text.len() > MAX_TEXT_LEN {
        return Err(PemError::TooLong { length: text.len() });
    }
    let blocks = blocks(text)?;
    let mut fitting = blocks.iter().filter(|block| block.label == wanted);
    match (fitting.next(), fitting.count()) {
        (Some(block), 0) => decode(block),
        (Some(_), others) => Err(PemError::Several { wanted, count: others.saturating_add(1) }),
        (None, _) => Err(missing(text, &blocks, half)),
    }
}

/// The DER of each certificate, in the order of the blocks. Blocks with other labels and any other
/// text may stand next to them, as in the bundles of operating systems.
pub(crate) fn decode_certificates(text: &str) -> Result<Vec<Vec<u8>>, PemError> {
    let wanted = Wanted::Certificate;
    let blocks = blocks(text)?;
    let fitting = blocks.iter().filter(|block| block.label == wanted.label());
    let certificates: Vec<_> =
        fitting.map(|block| decode(block).map(|der| der.to_vec())).collect::<Result<_, _>>()?;
    match certificates.is_empty() {
        true => Err(missing(text, &blocks, wanted)),
        false => Ok(certificates),
    }
}

/// All blocks that start at the start of a line.
fn blocks(text: &str) -> Result<Vec<Block<'_>>, PemError> {
    let mut blocks = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    loop {
        let start = rest.trim_start_matches([' ', '\t', '\x0b', '\x0c']);
        if let Some((label, after)) = boundary(start) {
            if after.trim_start().starts_with("\\n") {
                return Err(PemError::EscapedLineBreaks);
            }
            let end = format!("{DASHES}END {label}{DASHES}");
            let (body, after) = after.split_once(end.as_str()).ok_or(PemError::NoEnd { line })?;
            if body.contains(DASHES) {
                return Err(PemError::NoEnd { line });
            }
            blocks.push(Block { label, body, line });
            line += line_breaks(body);
            rest = after;
        }
        // The line breaks in CR, LF or both.
        let Some(at) = rest.find(['\r', '\n']) else { return Ok(blocks) };
        let after = rest.get(at..).unwrap_or_default();
        let line_end = if after.starts_with("\r\n") { 2 } else { 1 };
        rest = after.get(line_end..).unwrap_or_default();
        line += 1;
    }
}

/// The label of a `-----BEGIN` boundary, and the text after it.
fn boundary(text: &str) -> Option<(&str, &str)> {
    let (label, after) = text.strip_prefix(BEGIN)?.split_once(DASHES)?;
    (!label.contains(['\r', '\n'])).then_some((label, after))
}

fn line_breaks(text: &str) -> usize {
    let carriage_returns = text.matches('\r').count();
    carriage_returns + text.matches('\n').count() - text.matches("\r\n").count()
}

fn decode(block: &Block<'_>) -> Result<Zeroizing<Vec<u8>>, PemError> {
    if let Some(at) = block.body.find(|character: char| !is_base64_or_space(character)) {
        let before = block.body.get(..at).unwrap_or_default();
        return Err(PemError::Character { line: block.line + line_breaks(before) });
    }
    // Room for all of it: a text that grows leaves copies of the secret behind.
    let mut digits = Zeroizing::new(Vec::with_capacity(block.body.len()));
    digits.extend(block.body.bytes().filter(|byte| !is_space(*byte)));
    let mut der = Zeroizing::new(vec![0; digits.len()]);
    let len = match Base64::decode(digits.as_slice(), &mut der) {
        Ok(decoded) => decoded.len(),
        Err(_) => return Err(PemError::Base64),
    };
    der.truncate(len);
    Ok(der)
}

/// White space of RFC 7468 §3.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

fn is_base64_or_space(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '+' | '/' | '=')
        || u8::try_from(character).is_ok_and(is_space)
}

/// Why there is no block with the wanted label.
#[cold]
fn missing(text: &str, blocks: &[Block<'_>], half: Wanted) -> PemError {
    let wanted = half.label();
    // `openssl ecparam -genkey` writes the parameters first, and the key is what matters.
    let key = blocks.iter().find(|block| !block.label.ends_with(" PARAMETERS"));
    match (key.or_else(|| blocks.first()), text.find(BEGIN)) {
        (Some(block), _) => {
            PemError::Label { wanted, found: shown(block.label), cure: cure(block.label, half) }
        }
        (None, Some(at)) => {
            let before = text.get(..at).unwrap_or_default();
            PemError::WithinLine { line: 1 + line_breaks(before) }
        }
        (None, None) => PemError::NoBlock { wanted },
    }
}

/// A label as an error shows it. What no label of a standard looks like may be anything.
fn shown(label: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ';
    if (1..=MAX_LABEL_LEN).contains(&label.len()) && label.bytes().all(is_plain) {
        format!("`{label}`")
    } else {
        "of an unknown kind".to_owned()
    }
}

/// What to do about a block with another label.
fn cure(label: &str, wanted: Wanted) -> &'static str {
    match (wanted, label) {
        (Wanted::PublicKey | Wanted::PrivateKey, label) if label.ends_with(" PARAMETERS") => {
            "it has the parameters of a key and no key: name the file of the key"
        }
        (Wanted::Certificate, _) => "name the file of the certificates to trust, in PEM",
        (_, "OPENSSH PRIVATE KEY") => {
            "keys of OpenSSH are not read: make a key for signing with `openssl genpkey -algorithm \
             ed25519 -out KEY.pem`"
        }
        (Wanted::PrivateKey, label) if label.ends_with("PRIVATE KEY") => {
            "convert it to unencrypted PKCS#8 with `openssl pkcs8 -topk8 -nocrypt -in OLD.pem -out \
             NEW.pem`"
        }
        (Wanted::PrivateKey, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") => {
            "it is public: name the file of the private key"
        }
        (Wanted::PrivateKey, label)
            if label.ends_with("PUBLIC KEY") || label.ends_with("CERTIFICATE") =>
        {
            "it is public: name the file of the private key"
        }
        (Wanted::PublicKey, label) if label.ends_with("PRIVATE KEY") => {
            "it is private: take its public half with `openssl pkey -in PRIVATE.pem -pubout -out \
             PUBLIC.pem`"
        }
        (Wanted::PublicKey, label) if label.ends_with("CERTIFICATE") => {
            "take its public key with `openssl x509 -in CERTIFICATE.pem -noout -pubkey`"
        }
        (Wanted::PublicKey, "RSA PUBLIC KEY") => {
            "convert it with `openssl rsa -RSAPublicKey_in -in OLD.pem -pubout -out NEW.pem`"
        }
        (Wanted::PrivateKey, _) => "name the file of the private key, in unencrypted PKCS#8",
        (Wanted::PublicKey, _) => "name the file of the public key, a SubjectPublicKeyInfo",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any bytes, as PEM in one canonical block.
    const BLOCK: &str = "-----BEGIN PUBLIC KEY-----\nAAECAwQFBgc=\n-----END PUBLIC KEY-----\n";
    const BYTES: [u8; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

    fn public(text: &str) -> Result<Vec<u8>, PemError> {
        decode_key(text, Wanted::PublicKey).map(|der| der.to_vec())
    }

    #[test]
    fn a_block_is_read_whatever_stands_around_it_and_however_it_is_wrapped() {
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let parameters = "-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n";
        for text in [
            BLOCK.to_owned(),
            BLOCK.trim_end().to_owned(),
            format!("\u{feff}{BLOCK}"),
            format!("{BLOCK}\n\n \t\r\n"),
            format!("\n\n{BLOCK}"),
            format!("Bag Attributes\n    friendlyName: a\n{BLOCK}the end"),
            format!("\u{feff}# a comment\r\n{BLOCK}"),
            BLOCK.replace('\n', "\r\n"),
            BLOCK.replace('\n', "\r"),
            BLOCK.replace('\n', " \n"),
            BLOCK.replace('\n', "\n\n"),
            BLOCK.replace('\n', "\n  "),
            BLOCK.replace("AwQF", "\nAw\t\nQF\x0b\x0c"),
            BLOCK.replace('\n', " "),
            BLOCK.replace('\n', ""),
            format!("{certificate}{BLOCK}"),
            format!("{parameters}{BLOCK}{certificate}"),
        ] {
            assert_eq!(public(&text).unwrap(), BYTES, "{text:?}");
        }
    }

    #[test]
    fn a_text_without_the_wanted_block_is_named_for_what_it_is() {
        let wanted = "PUBLIC KEY";
        for (text, error) in [
            (String::new(), PemError::NoBlock { wanted }),
            ("{}".to_owned(), PemError::NoBlock { wanted }),
            (BLOCK.replace("-----BEGIN", "----BEGIN"), PemError::NoBlock { wanted }),
            (format!("\n\"{BLOCK}\""), PemError::WithinLine { line: 2 }),
            (format!("KEY={BLOCK}"), PemError::WithinLine { line: 1 }),
            (BLOCK.replace('\n', "\\n"), PemError::EscapedLineBreaks),
            (BLOCK.replace("END PUBLIC", "END PRIVATE"), PemError::NoEnd { line: 1 }),
            (format!("a\r\nb\r{}", BLOCK.replace("END", "FIN")), PemError::NoEnd { line: 3 }),
            (
                format!("{}{BLOCK}", BLOCK.replace("-----END PUBLIC KEY-----\n", "")),
                PemError::NoEnd { line: 1 },
            ),
            (format!("{BLOCK}{BLOCK}"), PemError::Several { wanted, count: 2 }),
            (BLOCK.replace("AAEC", "Proc-Type: 4\nAAEC"), PemError::Character { line: 2 }),
            (BLOCK.replace("AwQF", "\r\n_wQF"), PemError::Character { line: 3 }),
            (BLOCK.replace("Bgc=", "é"), PemError::Character { line: 2 }),
            (BLOCK.replace("Bgc=", "Bgc"), PemError::Base64),
            (BLOCK.replace("Bgc=", "Bgd="), PemError::Base64),
            (BLOCK.replace("Bgc=", "B=gc"), PemError::Base64),
            ("x".repeat(MAX_TEXT_LEN + 1), PemError::TooLong { length: MAX_TEXT_LEN + 1 }),
        ] {
            assert_eq!(public(&text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn certificates_are_read_one_after_the_other_and_nothing_else_is_one() {
        let certificate = BLOCK.replace("PUBLIC KEY", "CERTIFICATE");
        let other = certificate.replace("AAEC", "BBEC");
        let several = format!("# a bundle\n{BLOCK}{certificate}# next\n{other}");
        let read = decode_certificates(&several).unwrap();
        assert_eq!((read.len(), &*read[0]), (2, &BYTES[..]));
        let wanted = "CERTIFICATE";
        for (text, error) in [
            (String::new(), PemError::NoBlock { wanted }),
            ("no PEM".to_owned(), PemError::NoBlock { wanted }),
            (certificate.replace('\n', "\\n"), PemError::EscapedLineBreaks),
            (certificate.replace("END", "FIN"), PemError::NoEnd { line: 1 }),
            // One that is damaged is not passed over: it may be the one that counts.
            (
                format!("{certificate}{}", other.replace("BBEC", "_BEC")),
                PemError::Character { line: 5 },
            ),
        ] {
            assert_eq!(decode_certificates(&text), Err(error), "{text:?}");
        }
        let key = decode_certificates(BLOCK).unwrap_err().to_string();
        assert!(key.contains("is `PUBLIC KEY`, not `CERTIFICATE`; name the file of"), "{key}");
    }

    #[test]
    fn another_label_is_shown_with_what_to_do() {
        let relabeled = |label: &str| BLOCK.replace("PUBLIC KEY", label);
        let refused =
            |label: &str, half| decode_key(&relabeled(label), half).unwrap_err().to_string();
        for (label, half, cure) in [
            ("EC PRIVATE KEY", Wanted::PrivateKey, "openssl pkcs8 -topk8 -nocrypt"),
            ("RSA PRIVATE KEY", Wanted::PrivateKey, "openssl pkcs8 -topk8 -nocrypt"),
            ("ENCRYPTED PRIVATE KEY", Wanted::PrivateKey, "openssl pkcs8 -topk8 -nocrypt"),
            ("OPENSSH PRIVATE KEY", Wanted::PrivateKey, "openssl genpkey"),
            ("OPENSSH PRIVATE KEY", Wanted::PublicKey, "openssl genpkey"),
            ("EC PARAMETERS", Wanted::PrivateKey, "no key"),
            ("PUBLIC KEY", Wanted::PrivateKey, "name the file of the private key"),
            ("RSA PUBLIC KEY", Wanted::PrivateKey, "name the file of the private key"),
            ("CERTIFICATE", Wanted::PrivateKey, "name the file of the private key"),
            ("TRUSTED CERTIFICATE", Wanted::PrivateKey, "name the file of the private key"),
            ("CERTIFICATE REQUEST", Wanted::PrivateKey, "name the file of the private key"),
            ("PGP MESSAGE", Wanted::PrivateKey, "unencrypted PKCS#8"),
            ("PRIVATE KEY", Wanted::PublicKey, "openssl pkey -in PRIVATE.pem -pubout"),
            ("EC PRIVATE KEY", Wanted::PublicKey, "openssl pkey -in PRIVATE.pem -pubout"),
            ("CERTIFICATE", Wanted::PublicKey, "openssl x509"),
            ("RSA PUBLIC KEY", Wanted::PublicKey, "openssl rsa -RSAPublicKey_in"),
            ("CERTIFICATE REQUEST", Wanted::PublicKey, "SubjectPublicKeyInfo"),
        ] {
            let error = refused(label, half);
            assert!(error.contains(&format!("is `{label}`, not `")), "{error}");
            assert!(error.contains(cure), "{error}");
        }
        for label in ["secret", "", &"A".repeat(MAX_LABEL_LEN + 1)] {
            let error = refused(label, Wanted::PrivateKey);
            assert!(error.contains("of an unknown kind"), "{error}");
        }
        let key_after_parameters = relabeled("EC PARAMETERS") + &relabeled("EC PRIVATE KEY");
        let error = decode_key(&key_after_parameters, Wanted::PrivateKey).unwrap_err().to_string();
        assert!(error.contains("is `EC PRIVATE KEY`"), "{error}");
    }
}
