use proptest::prelude::*;

use super::*;

fn duplicates(body: &str) -> DuplicateKeys {
    match check_no_duplicate_keys(body.as_bytes()) {
        Err(StrictJsonError::Duplicate(keys)) => keys,
        other => panic!("{other:?}"),
    }
}

#[test]
fn documents_without_duplicates_pass() {
    for body in [
        r#"{"a":{"a":{"a":[{"a":1},{"a":2}]}},"A":1,"":0}"#,
        r#" [ 1 , -0.5e+10 , true , false , null , "é😀\ud83d\ude00\"\\\/\b\f\n\r\t" ] "#,
        "0",
        "\"\"",
        "{}",
        "[]",
    ] {
        assert_eq!(check_no_duplicate_keys(body.as_bytes()), Ok(()), "{body}");
    }
}

#[test]
fn duplicates_are_found_after_unescaping_at_every_depth() {
    for (body, name) in [
        (r#"{"a":1,"a":1}"#, "a"),
        (r#"{"skill":1,"sk\u0069ll":2}"#, "skill"),
        (r#"{"x":[[{"b":1,"c":{},"b":null}]]}"#, "b"),
        (r#"{"a":{"b":1},"c":[{"d":1}],"a":2}"#, "a"),
        (r#"{"\ud83d\ude00":1,"😀":2}"#, "😀"),
        (r#"{"":1,"":2}"#, ""),
        (r#"{"a\/b":1,"a/b":2}"#, "a/b"),
        (r#"{"a":1,"a":2,"a":3}"#, "a"),
    ] {
        let keys = duplicates(body);
        assert_eq!((keys.names(), keys.count()), (&[name.to_owned()][..], 1), "{body}");
    }
}

#[test]
fn large_objects_are_checked_in_less_than_quadratic_time() {
    let members: Vec<_> = (0..99_998).map(|index| format!("\"{index}\":0")).collect();
    assert_eq!(check_no_duplicate_keys(format!("{{{}}}", members.join(",")).as_bytes()), Ok(()));
    let keys = duplicates(&format!("{{{},\"99997\":1,\"5\":1}}", members.join(",")));
    assert_eq!(keys.to_string(), "5, 99997");
}

#[test]
fn four_names_are_shown_and_the_rest_counted() {
    let body: Vec<_> = (0..7).map(|index| format!("\"k{index}\":0,\"k{index}\":1")).collect();
    let keys = duplicates(&format!("{{{}}}", body.join(",")));
    assert_eq!(keys.count(), 7);
    assert_eq!(keys.to_string(), "k0, k1, k2, k3 <...3 more>");
}

#[test]
fn key_names_are_sanitized_for_logs() {
    for (name, shown) in [
        ("plain", "plain".to_owned()),
        ("", String::new()),
        ("a\nb", "<sanitized:1>".to_owned()),
        ("\u{7f}", "<sanitized:0>".to_owned()),
        ("é\u{9b}x", "<sanitized:2>".to_owned()),
        ("ab\u{200e}", "<sanitized:2>".to_owned()),
        ("ab\u{202a}", "<sanitized:2>".to_owned()),
        ("ab\u{2066}", "<sanitized:2>".to_owned()),
        ("ab\u{2069}", "<sanitized:2>".to_owned()),
        ("ab\u{2028}", "<sanitized:2>".to_owned()),
        ("ab\u{200d}", "<sanitized:2>".to_owned()),
        ("ab\u{feff}", "<sanitized:2>".to_owned()),
        (&"a".repeat(40), "a".repeat(32)),
        (&"a".repeat(32), "a".repeat(32)),
        (&format!("{}é", "a".repeat(31)), "a".repeat(31)),
        (&format!("{}\u{1}", "a".repeat(40)), "<sanitized:40>".to_owned()),
    ] {
        assert_eq!(sanitize_key_name(name), shown, "{name:?}");
    }
    assert_eq!(duplicates(r#"{"a\u001b[31m":1,"a\u001b[31m":2}"#).to_string(), "<sanitized:1>");
}

#[test]
fn what_is_no_strict_json_is_refused_where_it_breaks() {
    for (body, offset, what) in [
        (&b""[..], 0, "the document ends early"),
        (b" ", 1, "the document ends early"),
        (b"\xef\xbb\xbf{}", 0, "a byte order mark (BOM); write the text without it"),
        (b"{\"a\":\"\xff\"}", 6, "not UTF-8"),
        (b"{} x", 3, "content after the document"),
        (b"{}{}", 2, "content after the document"),
        (b"[1,]", 3, "expected a value"),
        (b"[,1]", 1, "expected a value"),
        (b"[1 2]", 3, "expected ',' or the end of the object or array"),
        (b"[1}", 2, "expected ',' or the end of the object or array"),
        (b"{\"a\":1]", 6, "expected ',' or the end of the object or array"),
        (b"{\"a\":1,}", 7, "expected a member name in double quotes"),
        (b"{]", 1, "expected a member name in double quotes"),
        (b"[}", 1, "expected a value"),
        (b"{a:1}", 1, "expected a member name in double quotes"),
        (b"{\"a\"}", 4, "expected ':' after a member name"),
        (b"{\"a\":}", 5, "expected a value"),
        (b"{\"a\":1", 6, "the document ends early"),
        (b"'a'", 0, "expected a value"),
        (b"NaN", 0, "expected a value"),
        (b"nul", 0, "expected a value"),
        (b"truefalse", 4, "content after the document"),
        (b"01", 1, "content after the document"),
        (b"-", 1, "expected a digit"),
        (b"+1", 0, "expected a value"),
        (b".5", 0, "expected a value"),
        (b"1.", 2, "expected a digit"),
        (b"1e+", 3, "expected a digit"),
        (b"\"a", 2, "the string has no end"),
        (b"\"a\\", 2, "unknown escape"),
        (b"\"\\x\"", 1, "unknown escape"),
        (b"\"\\u12g4\"", 1, "malformed \\u escape or lone surrogate"),
        (b"\"\\ud800\"", 1, "malformed \\u escape or lone surrogate"),
        (b"\"\\udc00\"", 1, "malformed \\u escape or lone surrogate"),
        (b"\"\\ud800\\u0041\"", 1, "malformed \\u escape or lone surrogate"),
        (b"\"a\nb\"", 2, "control character in a string"),
        (b"// c\n1", 0, "expected a value"),
        (b"\x0b1", 0, "expected a value"),
    ] {
        assert_eq!(
            check_no_duplicate_keys(body),
            Err(StrictJsonError::Invalid { offset, what }),
            "{body:?}"
        );
    }
}

#[test]
fn nesting_is_read_to_the_limit_and_no_further() {
    let nest = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth| format!("{}0{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    for (limits, limit) in [
        (JsonLimits::default(), 64),
        (JsonLimits::default().with_max_depth(1), 1),
        (JsonLimits::default().with_max_depth(128), 128),
        // Beyond what the scanner can track.
        (JsonLimits::default().with_max_depth(129), 128),
        (JsonLimits::default().with_max_depth(usize::MAX), 128),
    ] {
        let check = |body: &str| check_no_duplicate_keys_within(body.as_bytes(), &limits);
        assert_eq!(check(&nest(limit)), Ok(()));
        assert_eq!(check(&objects(limit)), Ok(()));
        assert_eq!(check(&nest(limit + 1)), Err(StrictJsonError::TooDeep { limit, offset: limit }));
        let offset = 5 * limit;
        assert_eq!(check(&objects(limit + 1)), Err(StrictJsonError::TooDeep { limit, offset }));
    }
    let none = JsonLimits::default().with_max_depth(0);
    assert_eq!(check_no_duplicate_keys_within(b"0", &none), Ok(()));
    assert_eq!(
        check_no_duplicate_keys_within(b"{}", &none),
        Err(StrictJsonError::TooDeep { limit: 0, offset: 0 })
    );
}

#[test]
fn every_member_and_every_element_counts_to_the_limit() {
    let check = |body: &str, limit| {
        let limits = JsonLimits::default().with_max_members(limit);
        let scanned = scan_body(body.as_bytes(), &limits, true).map(|_| ());
        assert_eq!(check_no_duplicate_keys_within(body.as_bytes(), &limits), scanned, "{body}");
        scanned
    };
    for (body, count, last) in [
        ("0", 0, 0),
        ("{}", 0, 0),
        ("[[],{}]", 2, 4),
        ("[1, 2,\t3]", 3, 7),
        (r#"{"a":1,"b":{"c":[2,3]}}"#, 5, 19),
        (r#"{"a":[{"b":1},{ "c":2}]}"#, 5, 16),
    ] {
        assert_eq!(check(body, count), Ok(()), "{body}");
        if let Some(limit) = count.checked_sub(1) {
            let refused = Err(StrictJsonError::TooManyMembers { limit, offset: last });
            assert_eq!(check(body, limit), refused, "{body}");
        }
    }
    let zeros = |count| format!("[{}]", vec!["0"; count].join(","));
    assert_eq!(check_no_duplicate_keys(zeros(100_000).as_bytes()), Ok(()));
    assert_eq!(
        check_no_duplicate_keys(zeros(100_001).as_bytes()),
        Err(StrictJsonError::TooManyMembers { limit: 100_000, offset: 200_001 })
    );
    let unlimited = JsonLimits::default().with_max_members(usize::MAX);
    assert_eq!(unlimited.max_members(), 1 << 30);
    assert_eq!(check_no_duplicate_keys_within(zeros(100_001).as_bytes(), &unlimited), Ok(()));
}

#[test]
fn only_a_document_beyond_the_limits_exceeds_them() {
    let limits = JsonLimits::default().with_max_depth(1).with_max_members(1);
    for (body, exceeds) in [("[[]]", true), ("[1,2]", true), ("[", false), (r#"{"a""#, false)] {
        let error = check_no_duplicate_keys_within(body.as_bytes(), &limits).unwrap_err();
        assert_eq!(error.exceeds_limit(), exceeds, "{body}");
    }
}

#[test]
fn one_pass_gives_the_document_and_its_duplicates() {
    let body = br#"{"a":[1,{"b":null,"b":2}],"c":{"c":"x"}}"#;
    let scanned = scan_body(body, &JsonLimits::default(), true).unwrap();
    assert_eq!(scanned.duplicates.unwrap().names(), ["b"]);
    let document = scanned.document.unwrap();
    let member = document.root().member("c").and_then(|inner| inner.member("c"));
    assert_eq!(member.and_then(Value::as_str).as_deref(), Some("x"));

    let scanned = scan_body(body, &JsonLimits::default(), false).unwrap();
    assert!(scanned.document.is_none() && scanned.duplicates.is_some());
    let scanned = scan_body(b"[0]", &JsonLimits::default(), true).unwrap();
    assert!(scanned.document.is_some() && scanned.duplicates.is_none());

    assert!(matches!(
        Document::without_duplicates(body, &JsonLimits::default()).err(),
        Some(StrictJsonError::Duplicate(_))
    ));
    assert!(Document::without_duplicates(b"[0]", &JsonLimits::default()).is_ok());
}

#[test]
fn a_value_is_read_by_its_type_only() {
    let body = br#"[18446744073709551615,18446744073709551616,-1,1.0,1e2,"7",true,false,null]"#;
    let document = Document::parse(body).unwrap();
    let values: Vec<_> = document.root().elements().collect();
    let numbers: Vec<_> = values.iter().map(|value| value.as_u64()).collect();
    assert_eq!(numbers, [Some(u64::MAX), None, None, None, None, None, None, None, None]);
    let written: Vec<_> = values.iter().filter_map(|value| value.as_number()).collect();
    assert_eq!(written, ["18446744073709551615", "18446744073709551616", "-1", "1.0", "1e2"]);
    let texts: Vec<_> = values.iter().filter_map(|value| value.as_str()).collect();
    assert_eq!(texts, ["7"]);
}

#[test]
fn a_node_of_a_document_is_small() {
    assert_eq!(Document::NODE_BYTES, 24);
}

#[test]
fn a_document_keeps_every_member_in_order() {
    let document = Document::parse(br#"{"a":[1,{"b":null}],"\u0061":"x\n","c":{}}"#).unwrap();
    let members: Vec<_> = document.root().members().collect();
    let names: Vec<_> = members.iter().map(|(name, _)| name.as_ref()).collect();
    assert_eq!(names, ["a", "a", "c"]);
    let kinds: Vec<_> = members.iter().map(|(_, value)| value.kind()).collect();
    assert_eq!(kinds, [Kind::Array, Kind::String, Kind::Object]);
    assert_eq!(members[1].1.as_str().as_deref(), Some("x\n"));
    let elements: Vec<_> = members[0].1.elements().map(Value::kind).collect();
    assert_eq!(elements, [Kind::Number, Kind::Object]);
    assert_eq!(members[2].1.members().count(), 0);
    assert_eq!(members[0].1.members().count() + members[2].1.elements().count(), 0);
}

fn json_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"\\u0061\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "\"",
        "\\",
        "0",
        "-1.5e3",
        "01",
        "1.",
        "true",
        "null",
        "nul",
        " ",
        "\n",
        "\u{1}",
        "é",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn document() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::hash_map(any::<String>(), inner, 0..24)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// Rebuilds what `serde_json` would have read.
fn rebuild(value: Value<'_, '_>) -> serde_json::Value {
    match value.kind() {
        Kind::Object => value
            .members()
            .map(|(name, member)| (name.into_owned(), rebuild(member)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Kind::Array => value.elements().map(rebuild).collect::<Vec<_>>().into(),
        Kind::String => value.as_str().unwrap().into_owned().into(),
        Kind::Number | Kind::Bool | Kind::Null => serde_json::Value::Null,
    }
}

fn without_scalars(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (name, without_scalars(member)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        serde_json::Value::Array(elements) => {
            elements.into_iter().map(without_scalars).collect::<Vec<_>>().into()
        }
        string @ serde_json::Value::String(_) => string,
        _ => serde_json::Value::Null,
    }
}

/// Whether `serde_json` finds the body grammatical. It also refuses a number that is too large for
/// an `f64`, which is no question of grammar: `1e999` is a JSON number. So it is asked about the
/// same body with exponents of one digit.
fn is_grammatical(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(&with_short_exponents(body)).is_ok()
}

fn with_short_exponents(body: &[u8]) -> Vec<u8> {
    let mut short: Vec<u8> = Vec::new();
    let (mut in_string, mut escaped) = (false, false);
    for &byte in body {
        let in_exponent = matches!(
            short.as_slice(),
            [.., b'0'..=b'9', b'e' | b'E', b'0'..=b'9']
                | [.., b'0'..=b'9', b'e' | b'E', b'+' | b'-', b'0'..=b'9']
        );
        if !in_string && in_exponent && byte.is_ascii_digit() {
            continue;
        }
        in_string ^= byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
        short.push(byte);
    }
    short
}

#[test]
fn numbers_beyond_any_float_are_grammatical() {
    for body in ["-1.5e3001", "[1E+999,0]", r#"{"a":1e-99999}"#] {
        assert!(is_grammatical(body.as_bytes()), "{body}");
        assert_eq!(check_no_duplicate_keys(body.as_bytes()), Ok(()), "{body}");
    }
    assert_eq!(with_short_exponents(br#"1e23"\"1e23"4E+56"#), br#"1e2"\"1e23"4E+5"#);
    assert!(!is_grammatical(b"1e") && !is_grammatical(b"1e+"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// `serde_json` is the oracle for the grammar; it does not see duplicates.
    #[test]
    fn the_grammar_is_the_one_serde_json_reads(body in json_like()) {
        let oracle = is_grammatical(body.as_bytes());
        let accepted = !matches!(check_no_duplicate_keys(body.as_bytes()), Err(StrictJsonError::Invalid { .. }));
        prop_assert_eq!(accepted, oracle);
        prop_assert_eq!(Document::parse(body.as_bytes()).is_ok(), oracle);
    }

    #[test]
    fn written_documents_are_read_back_alike(value in document()) {
        let body = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(check_no_duplicate_keys(body.as_bytes()), Ok(()));
        let read = Document::parse(body.as_bytes()).unwrap();
        prop_assert_eq!(rebuild(read.root()), without_scalars(value));
    }

    #[test]
    fn exactly_the_names_that_occur_twice_in_one_object_are_duplicates(
        names in prop::collection::vec(("[a-c]{1,9}", any::<bool>()), 0..40),
        split in 0..40_usize,
    ) {
        let member = |(name, escaped): &(String, bool)| {
            let (first, rest) = name.split_at(1);
            let first = if *escaped { format!("\\u{:04x}", first.as_bytes()[0]) } else { first.to_owned() };
            format!("\"{first}{rest}\":0")
        };
        let (outer, inner) = names.split_at(split.min(names.len()));
        let expected: usize = [outer, inner].iter().map(|object| {
            let mut counts = std::collections::HashMap::new();
            object.iter().for_each(|(name, _)| *counts.entry(name).or_insert(0) += 1);
            counts.values().filter(|count| **count > 1).count()
        }).sum();
        let inner = inner.iter().map(member).collect::<Vec<_>>().join(",");
        let members = outer.iter().map(member).chain([format!("\"inner\":{{{inner}}}")]);
        let body = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        let found = match check_no_duplicate_keys(body.as_bytes()) {
            Err(StrictJsonError::Duplicate(keys)) => keys.count(),
            other => { prop_assert_eq!(other, Ok(())); 0 }
        };
        prop_assert_eq!(found, expected, "{}", body);
    }

    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(Document::parse(&body).is_ok(), is_grammatical(&body));
    }
}
