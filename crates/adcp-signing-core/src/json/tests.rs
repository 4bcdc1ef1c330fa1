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
    let members: Vec<_> = (0..100_000).map(|index| format!("\"{index}\":0")).collect();
    assert_eq!(check_no_duplicate_keys(format!("{{{}}}", members.join(",")).as_bytes()), Ok(()));
    let keys = duplicates(&format!("{{{},\"99999\":1,\"5\":1}}", members.join(",")));
    assert_eq!(keys.to_string(), "5, 99999");
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
        (b"\xef\xbb\xbf{}", 0, "byte order mark"),
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
fn nesting_is_read_to_the_bound_and_no_further() {
    let nest = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(check_no_duplicate_keys(nest(MAX_DEPTH).as_bytes()), Ok(()));
    assert_eq!(
        check_no_duplicate_keys(nest(MAX_DEPTH + 1).as_bytes()),
        Err(StrictJsonError::TooDeep { offset: MAX_DEPTH })
    );
    let objects = format!("{}0{}", "{\"a\":".repeat(MAX_DEPTH), "}".repeat(MAX_DEPTH));
    assert_eq!(check_no_duplicate_keys(objects.as_bytes()), Ok(()));
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// `serde_json` is the oracle for the grammar; it does not see duplicates.
    #[test]
    fn the_grammar_is_the_one_serde_json_reads(body in json_like()) {
        let oracle = serde_json::from_str::<serde_json::Value>(&body);
        let accepted = !matches!(check_no_duplicate_keys(body.as_bytes()), Err(StrictJsonError::Invalid { .. }));
        prop_assert_eq!(accepted, oracle.is_ok());
        prop_assert_eq!(Document::parse(body.as_bytes()).is_ok(), oracle.is_ok());
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
        let oracle = serde_json::from_slice::<serde_json::Value>(&body).is_ok();
        prop_assert_eq!(Document::parse(&body).is_ok(), oracle);
    }
}
