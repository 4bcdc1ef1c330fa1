//! The structured fields parser against the `sfv` crate, which implements RFC 8941 to the letter.
//!
//! Both must agree on every value but for the differences that `the_documented_differences` lists.

use adcp_signing_core::rfc9421::structured_fields::{
    Alphabet, BareItem, Dictionary, Item, List, MemberValue, ParseError, ParseErrorKind,
    WriteError, push_dictionary, push_item, push_list,
};
use proptest::prelude::*;
use sfv::{FieldType as _, Parser, Version};

/// What a parser made of a value: its canonical form, or nothing.
#[derive(Debug, PartialEq)]
enum Reading {
    Canonical(String),
    Refused,
    /// This crate's doing: a value that RFC 8941 admits, or one it would read less strictly.
    Stricter(ParseErrorKind),
    /// Read, but with a byte sequence that is no padded standard base64, so there is no canonical
    /// form.
    OtherBase64,
    /// Read, but not to be written: never right.
    Unwritable(WriteError),
}

fn reading<T>(
    parsed: Result<T, ParseError>,
    write: impl Fn(&mut String, &T) -> Result<(), WriteError>,
) -> Reading {
    match parsed {
        Ok(value) => {
            let mut out = String::new();
            match write(&mut out, &value) {
                Ok(()) => Reading::Canonical(out),
                Err(WriteError::ByteSequence(_)) => Reading::OtherBase64,
                Err(error) => Reading::Unwritable(error),
            }
        }
        Err(error) => match error.kind {
            kind @ (ParseErrorKind::DuplicateKey(_)
            | ParseErrorKind::DuplicateParameter(_)
            | ParseErrorKind::TooLong { .. }
            | ParseErrorKind::TooManyItems
            | ParseErrorKind::TooManyMembers
            | ParseErrorKind::TooManyParameters) => Reading::Stricter(kind),
            _ => Reading::Refused,
        },
    }
}

fn parser(text: &[u8]) -> Parser<'_> {
    Parser::new(text).with_version(Version::Rfc8941)
}

fn ours_and_theirs(text: &[u8]) -> [(&'static str, Reading, Option<String>); 3] {
    let dictionary = parser(text).parse::<sfv::Dictionary>();
    let list = parser(text).parse::<sfv::List>();
    let item = parser(text).parse::<sfv::Item>();
    [
        (
            "dictionary",
            reading(Dictionary::parse(text), push_dictionary),
            dictionary.ok().map(|value| value.serialize().unwrap_or_default()),
        ),
        (
            "list",
            reading(List::parse(text), push_list),
            list.ok().map(|value| value.serialize().unwrap_or_default()),
        ),
        ("item", reading(Item::parse(text), push_item), item.ok().map(|value| value.serialize())),
    ]
}

fn agree(text: &[u8]) -> Result<(), TestCaseError> {
    for (what, ours, theirs) in ours_and_theirs(text) {
        match ours {
            Reading::Canonical(ours) => prop_assert_eq!(Some(ours), theirs, "{}", what),
            Reading::Refused => prop_assert_eq!(None, theirs, "{}", what),
            Reading::Unwritable(error) => prop_assert!(false, "{what}: {error}"),
            Reading::Stricter(_) | Reading::OtherBase64 => {}
        }
    }
    Ok(())
}

fn bare_item() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,16}",
        "-?[0-9]{1,13}\\.[0-9]{0,4}",
        "\"([ !#-\\[\\]-~]|\\\\[\"\\\\]){0,6}\"",
        "[A-Za-z*][A-Za-z0-9:/!#$%&'*+.^_`|~-]{0,6}",
        "\\?[01]",
        proptest::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| {
            let mut text = String::new();
            adcp_signing_core::rfc9421::structured_fields::push_byte_sequence(
                &mut text,
                &bytes,
                Alphabet::Standard,
            );
            text
        }),
    ]
}

fn item() -> impl Strategy<Value = String> {
    let parameter = ("; {0,2}[a-d*][a-b0-9_.*-]{0,2}", proptest::option::of(bare_item()))
        .prop_map(|(name, value)| value.map_or(name.clone(), |value| format!("{name}={value}")));
    (bare_item(), proptest::collection::vec(parameter, 0..3))
        .prop_map(|(bare, parameters)| format!("{bare}{}", parameters.concat()))
}

fn value() -> impl Strategy<Value = String> {
    let inner_list = proptest::collection::vec(item(), 0..4)
        .prop_map(|items| format!("( {}  )", items.join(" ")));
    prop_oneof![3 => item(), 1 => inner_list]
}

fn field() -> impl Strategy<Value = String> {
    let member = ("[a-f*][a-b0-9_.*-]{0,2}", proptest::option::of(value()))
        .prop_map(|(key, value)| value.map_or(key.clone(), |value| format!("{key}={value}")));
    let separator = "[ \t]{0,2},[ \t]{0,2}";
    let dictionary = (proptest::collection::vec(member, 0..4), separator);
    let list = (proptest::collection::vec(value(), 0..4), separator);
    prop_oneof![
        dictionary.prop_map(|(members, separator)| members.join(&separator)),
        list.prop_map(|(members, separator)| members.join(&separator)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn well_formed_values_are_read_alike(text in field()) {
        agree(text.as_bytes())?;
    }

    #[test]
    fn values_with_one_byte_changed_are_read_alike(
        text in field(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![4 => b' '..=b'~', 1 => any::<u8>()],
        edit in 0..3,
    ) {
        let mut text = text.into_bytes();
        let at = at.index(text.len() + 1);
        match edit {
            0 => text.insert(at, byte),
            1 if at < text.len() => text[at] = byte,
            _ if at < text.len() => { text.remove(at); }
            _ => {}
        }
        agree(&text)?;
    }

    #[test]
    fn noise_is_read_alike(text in proptest::collection::vec(
        prop_oneof![8 => prop::sample::select(&b"ab1=;,() \t\"\\:?.-*A/"[..]), 1 => any::<u8>()], 0..24,
    )) {
        agree(&text)?;
    }

    #[test]
    fn byte_sequences_decode_alike(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut text = String::new();
        adcp_signing_core::rfc9421::structured_fields::push_byte_sequence(&mut text, &bytes, Alphabet::Standard);
        let item = Item::parse(text.as_bytes()).unwrap();
        let BareItem::ByteSequence(ours) = item.bare else { panic!("{text}") };
        let theirs = parser(text.as_bytes()).parse::<sfv::Item>().unwrap();
        prop_assert_eq!(Some(&ours.decode(Alphabet::Standard).unwrap()[..]), theirs.bare_item.as_byte_sequence());
    }
}

/// Everything on which this crate and RFC 8941 part, each with what `sfv` makes of it.
#[test]
fn the_documented_differences() {
    use Reading::{OtherBase64, Stricter};

    let key = |key: &str| Stricter(ParseErrorKind::DuplicateKey(key.into()));
    let parameter = |name: &str| Stricter(ParseErrorKind::DuplicateParameter(name.into()));
    let many = |count: usize, text: &dyn Fn(usize) -> String| {
        (0..count).map(text).collect::<Vec<_>>().join(", ")
    };
    let members = many(33, &|n| format!("k{n}"));
    let items = format!("a=({})", "x ".repeat(33));
    let parameters = format!("a{}", many(33, &|n| format!(";p{n}")).replace(", ", ""));
    let long = format!("a=\"{}\"", "x".repeat(8192));

    let cases: [(&str, Reading, bool); 11] = [
        ("a=1, b, a=2", key("a"), true),
        ("a=1;x=1;x=2", parameter("x"), true),
        ("a=(b;x;x)", parameter("x"), true),
        ("a=:AA:", OtherBase64, true),   // no padding
        ("a=:AB==:", OtherBase64, true), // stray bits
        ("a=:_-8:", OtherBase64, false), // base64url
        ("a=:=:", OtherBase64, false),
        (&members, Stricter(ParseErrorKind::TooManyMembers), true),
        (&items, Stricter(ParseErrorKind::TooManyItems), true),
        (&parameters, Stricter(ParseErrorKind::TooManyParameters), true),
        (&long, Stricter(ParseErrorKind::TooLong { actual: 8196 }), true),
    ];
    for (text, ours, sfv_reads_it) in cases {
        let [(_, found, theirs), ..] = ours_and_theirs(text.as_bytes());
        assert_eq!(found, ours, "{text:.60}");
        assert_eq!(theirs.is_some(), sfv_reads_it, "{text:.60}");
    }
}

#[test]
fn the_received_text_of_each_member_parses_to_the_same_value() {
    let text = b"a=(\"x\";y  z);q=1 ,b;w, c=:AA==:;v=?0";
    for member in Dictionary::parse(text).unwrap().iter() {
        let reparsed = List::parse(member.raw.as_bytes());
        match &member.value {
            MemberValue::Item(item) if item.bare == BareItem::Boolean(true) => {
                assert_eq!(member.raw, ";w")
            }
            value => assert_eq!(reparsed.unwrap().members, std::slice::from_ref(value)),
        }
    }
}
