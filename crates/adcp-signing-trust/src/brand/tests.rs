use adcp_signing_core::UnixSeconds;

use super::*;

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

fn parse(json: &str) -> Result<BrandJson, BrandJsonError> {
    BrandJson::parse(json.as_bytes())
}

fn agent(url: &str) -> AgentUrl {
    url.parse().unwrap()
}

fn find<'b>(
    brand: &'b BrandJson,
    url: &str,
    candidates: Candidates<'_>,
) -> Result<&'b AgentEntry, FindError> {
    brand.find(&agent(url), candidates, None)
}

const HOUSE: &str = r#"{
  "house": {"domain": "nova.example", "name": "Nova", "agents": [
    {"type": "brand", "id": "house", "url": "https://house.nova.example/mcp"},
    {"type": "buying", "id": "shared", "url": "https://shared.nova.example/mcp"}
  ]},
  "brands": [
    {"id": "alpha", "names": [], "url": "https://alpha.example", "agents": [
      {"type": "brand", "id": "a", "url": "https://a.nova.example/mcp",
       "jwks_uri": "https://keys.nova.example/a.json"},
      {"type": "buying", "id": "again", "url": "https://SHARED.nova.example:443/mcp",
       "jwks_uri": "https://shared.nova.example/.well-known/jwks.json"}
    ]},
    {"id": "beta", "names": []},
    {"id": "gamma", "names": [], "agents": []}
  ],
  "authorized_operators": [
    {"domain": "agency.example", "brands": ["*"]},
    {"domain": "past.example", "brands": ["*"], "valid_until": "2026-04-18T16:00:00+02:00"},
    {"domain": "next.example", "brands": ["*"], "valid_from": "2026-04-18T14:00:01Z"},
    {"domain": "today.example", "brands": ["*"], "valid_from": "2026-04-18T14:00:00Z",
     "valid_until": "2026-04-18T14:00:01Z"},
    {"domain": "unclear.example", "brands": ["*"], "valid_until": "next year"},
    {"domain": "unclear-too.example", "brands": ["*"], "valid_from": "last year"}
  ]
}"#;

#[test]
fn an_operator_record_counts_every_collection_and_agreeing_entries_once() {
    let house = parse(HOUSE).unwrap();
    assert_eq!(house.variant(), Variant::HousePortfolio);
    assert_eq!(house.house_domain(), Some("nova.example"));
    assert_eq!(house.agents().len(), 4);
    let ids: Vec<_> = house.brands().map(|brand| (brand.id(), brand.url())).collect();
    assert_eq!(ids[0], (Some("alpha"), Some("https://alpha.example")));
    for (url, id, jwks) in [
        (
            "https://house.nova.example/mcp",
            "house",
            "https://house.nova.example/.well-known/jwks.json",
        ),
        ("https://a.nova.example/mcp", "a", "https://keys.nova.example/a.json"),
        (
            "https://shared.nova.example/mcp",
            "shared",
            "https://shared.nova.example/.well-known/jwks.json",
        ),
    ] {
        let entry = find(&house, url, Candidates::OperatorRecord).unwrap();
        assert_eq!((entry.id(), entry.jwks().unwrap().as_str()), (Some(id), jwks), "{url}");
    }
}

#[test]
fn sibling_collections_of_a_relying_party_record_are_not_merged() {
    let house = parse(HOUSE).unwrap();
    let (own, of_house) = ("https://a.nova.example/mcp", "https://house.nova.example/mcp");
    for (url, candidates, expected) in [
        (own, Candidates::Brand("alpha"), Ok("a")),
        (of_house, Candidates::Brand("alpha"), Err(FindError::NotListed)),
        // Without a list of its own, a brand has that of the house.
        (of_house, Candidates::Brand("beta"), Ok("house")),
        (own, Candidates::Brand("beta"), Err(FindError::NotListed)),
        // An empty list is one.
        (of_house, Candidates::Brand("gamma"), Err(FindError::NotListed)),
        (own, Candidates::Brand("delta"), Err(FindError::NoSuchBrand)),
        (of_house, Candidates::House, Ok("house")),
        (own, Candidates::House, Err(FindError::NotListed)),
        (of_house, Candidates::TopLevel, Err(FindError::NotListed)),
    ] {
        let found = find(&house, url, candidates).map(|entry| entry.id().unwrap());
        assert_eq!(found, expected, "{url} {candidates:?}");
    }
    let flat =
        parse(r#"{"agents":[{"type":"brand","id":"b","url":"https://b.example/"}]}"#).unwrap();
    let url = "https://b.example/";
    assert!(find(&flat, url, Candidates::TopLevel).is_ok());
    assert_eq!(find(&flat, url, Candidates::House).err(), Some(FindError::NotListed));
    assert_eq!(find(&flat, url, Candidates::Brand("b")).err(), Some(FindError::NoSuchBrand));
    let twice =
        parse(r#"{"house":{"domain":"b.example","name":"B"},"brands":[{"id":"b"},{"id":"b"}]}"#);
    assert_eq!(
        find(&twice.unwrap(), url, Candidates::Brand("b")).err(),
        Some(FindError::Ambiguous { count: 2, entries: Vec::new() })
    );
}

#[test]
fn the_role_that_a_surface_needs_selects_among_entries_of_the_agent_alone() {
    let brand = parse(
        r#"{"agents":[
            {"type":"governance","id":"g","url":"https://x.example/mcp"},
            {"type":"brand","id":"b","url":"https://x.example/mcp"},
            {"type":"governance","id":"other","url":"https://y.example/mcp"}]}"#,
    )
    .unwrap();
    let find = |url: &str, kind: AgentType| {
        brand.find(&agent(url), Candidates::TopLevel, Some(&kind)).map(|entry| entry.id().unwrap())
    };
    assert_eq!(find("https://x.example/mcp", AgentType::Governance), Ok("g"));
    assert_eq!(find("https://x.example/mcp", AgentType::Brand), Ok("b"));
    assert_eq!(
        find("https://x.example/mcp", AgentType::Rights),
        Err(FindError::WrongType { needed: AgentType::Rights })
    );
    assert_eq!(find("https://z.example/mcp", AgentType::Governance), Err(FindError::NotListed));
    // Nobody asked for a role: who it is cannot be told.
    let any = brand.find(&agent("https://x.example/mcp"), Candidates::TopLevel, None);
    let Err(FindError::Ambiguous { count: 2, entries }) = any else { panic!("{any:?}") };
    assert_eq!(entries[0].kind, "governance");
}

#[test]
fn entries_that_differ_are_ambiguous_and_never_the_first() {
    let brand = parse(
        r#"{"agents":[
            {"type":"buying","id":"one\u001b","url":"https://x.example/mcp",
             "jwks_uri":"https://x.example/1.json"},
            {"type":"buying","id":"two","url":"https://X.example:443/mcp",
             "jwks_uri":"https://x.example/2.json"}]}"#,
    )
    .unwrap();
    let found = find(&brand, "https://x.example/mcp", Candidates::OperatorRecord);
    let Err(FindError::Ambiguous { count: 2, entries }) = found else { panic!("{found:?}") };
    assert_eq!(entries[0].id.as_deref(), Some("one\u{fffd}"));
    assert_eq!(entries[1].jwks_origin.as_deref(), Some("https://x.example"));
}

#[test]
fn an_entry_with_an_unusable_place_for_keys_is_never_given_the_well_known_one() {
    for jwks_uri in ["http://x.example/jwks.json", "https://10.0.0.1/jwks.json", "", "x"] {
        let json = format!(
            r#"{{"agents":[{{"type":"buying","url":"https://x.example/mcp",
                 "jwks_uri":"{jwks_uri}"}}]}}"#
        );
        let found = parse(&json).unwrap();
        let found = find(&found, "https://x.example/mcp", Candidates::OperatorRecord).err();
        assert_eq!(found, Some(FindError::UnusableJwks), "{jwks_uri}");
    }
}

#[test]
fn an_entry_whose_url_has_no_canonical_form_is_nobody_and_harms_nobody() {
    let brand = parse(
        r#"{"agents":[{"type":"buying","url":"not a url"},
            {"type":"sales","url":"https://x.example/mcp"}]}"#,
    )
    .unwrap();
    assert_eq!(brand.agents()[0].canonical_url(), None);
    assert!(find(&brand, "https://x.example/mcp", Candidates::OperatorRecord).is_ok());
}

#[test]
fn a_redirect_lists_nobody() {
    for (json, variant) in [
        (
            r#"{"authoritative_location":"https://b.example/brand.json"}"#,
            Variant::AuthoritativeLocationRedirect,
        ),
        (r#"{"house":"b.example","region":"DE"}"#, Variant::HouseRedirect),
    ] {
        let brand = parse(json).unwrap();
        assert_eq!(brand.variant(), variant);
        assert!(brand.redirect().is_some());
        for candidates in [Candidates::OperatorRecord, Candidates::TopLevel, Candidates::House] {
            let found = find(&brand, "https://b.example/", candidates).err();
            assert_eq!(found, Some(FindError::Redirects), "{json} {candidates:?}");
        }
    }
}

#[test]
fn a_house_delegates_to_the_operators_whose_time_it_is() {
    let house = parse(HOUSE).unwrap();
    for (domain, expected) in [
        ("agency.example", true),
        ("today.example", true),
        ("past.example", false),
        ("next.example", false),
        ("unclear.example", false),
        ("unclear-too.example", false),
        ("gency.example", false),
        ("AGENCY.example", false),
    ] {
        assert_eq!(house.delegates_to(domain, NOW), expected, "{domain}");
    }
    // Only a House Portfolio has operators.
    let flat = r#"{"agents":[],"authorized_operators":[{"domain":"agency.example"}]}"#;
    assert!(!parse(flat).unwrap().delegates_to("agency.example", NOW));
}

#[test]
fn what_breaks_the_schema_is_refused_with_its_place() {
    for (json, expected) in [
        ("[]", "`$` is not an object"),
        (r#"{"agents":{}}"#, "`agents` is not an array"),
        (r#"{"agents":["x"]}"#, "`agents[0]` is not an object"),
        (r#"{"agents":[{"type":"brand"}]}"#, "`agents[0].url` is missing"),
        (r#"{"agents":[{"url":"https://x.example"}]}"#, "`agents[0].type` is missing"),
        (r#"{"agents":[{"type":"brand","url":1}]}"#, "`agents[0].url` is not a string"),
        (
            r#"{"agents":[{"type":"brand","url":"https://x.example","jwks_uri":null}]}"#,
            "`agents[0].jwks_uri` is not a string",
        ),
        (
            r#"{"agents":[{"type":"brand","url":"https://x.example","id":7}]}"#,
            "`agents[0].id` is not a string",
        ),
        (r#"{"house":7}"#, "`house` is not an object"),
        (r#"{"house":{"name":"B"}}"#, "`house.domain` is missing"),
        (
            r#"{"house":{"domain":"b.example"},"brands":[{"id":"b","agents":[7]}]}"#,
            "`brands[0].agents[0]` is not an object",
        ),
        (
            r#"{"house":{"domain":"b.example"},"authorized_operators":[{}]}"#,
            "`authorized_operators[0].domain` is missing",
        ),
        (r#"{"authoritative_location":7}"#, "`authoritative_location` is not a string"),
    ] {
        let error = parse(json).unwrap_err().to_string();
        assert!(error.contains(expected), "{json}: {error}");
    }
}

#[test]
fn a_document_is_one_variant() {
    for json in [
        "{}",
        r#"{"brands":[]}"#,
        r#"{"agents":[],"brands":[]}"#,
        r#"{"authoritative_location":"https://b.example/","agents":[]}"#,
        r#"{"authoritative_location":"https://b.example/","house":"b.example"}"#,
        r#"{"house":"b.example","agents":[]}"#,
        r#"{"house":"b.example","brands":[]}"#,
        r#"{"house":{"domain":"b.example"},"agents":[]}"#,
    ] {
        assert!(matches!(parse(json), Err(BrandJsonError::Variant(_))), "{json}");
    }
    let canonical = parse(r#"{"id":"b","names":[]}"#).unwrap();
    assert_eq!(canonical.variant(), Variant::BrandCanonical);
    let agents = parse(r#"{"brand_agent":{"url":"https://b.example/","id":"b"}}"#).unwrap();
    assert_eq!((agents.variant(), agents.agents().len()), (Variant::BrandAgent, 0));
}

#[test]
fn a_document_is_read_within_its_bounds() {
    let twice = parse(r#"{"agents":[],"agents":[]}"#);
    assert!(matches!(twice, Err(BrandJsonError::Json(_))), "{twice:?}");
    let escaped = parse(r#"{"agents":[],"\u0061gents":[]}"#);
    assert!(matches!(escaped, Err(BrandJsonError::Json(_))), "{escaped:?}");
    let nested = |depth: usize| {
        format!(r#"{{"agents":[],"x":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1))
    };
    assert!(parse(&nested(32)).is_ok());
    assert!(matches!(parse(&nested(33)), Err(BrandJsonError::Json(_))));

    let padded = |bytes: usize| {
        let json = r#"{"agents":[]}"#;
        json.to_owned() + &" ".repeat(bytes - json.len())
    };
    assert!(parse(&padded(BrandJson::MAX_BYTES)).is_ok());
    let bytes = BrandJson::MAX_BYTES + 1;
    assert_eq!(
        parse(&padded(bytes)).err(),
        Some(BrandJsonError::TooLarge { bytes, max: BrandJson::MAX_BYTES })
    );

    let members = |count: usize| format!(r#"{{"agents":[],"x":[0{}]}}"#, ",0".repeat(count - 3));
    assert!(parse(&members(250_000)).is_ok());
    assert!(matches!(parse(&members(250_001)), Err(BrandJsonError::Json(_))));

    let entry = r#"{"type":"brand","url":"u"}"#;
    let agents = |count: usize| {
        format!(r#"{{"agents":[{entry}{}]}}"#, format!(",{entry}").repeat(count - 1))
    };
    assert_eq!(parse(&agents(10_000)).unwrap().agents().len(), 10_000);
    let house = |list: &str, entry: &str, count: usize| {
        let more = format!(",{entry}").repeat(count - 1);
        format!(r#"{{"house":{{"domain":"b.example"}},"{list}":[{entry}{more}]}}"#)
    };
    for (what, json) in [
        ("agents", agents(10_001)),
        ("brands", house("brands", "{}", 10_001)),
        ("authorized_operators", house("authorized_operators", r#"{"domain":""}"#, 10_001)),
    ] {
        assert_eq!(parse(&json).err(), Some(BrandJsonError::TooMany { what, max: 10_000 }));
    }
}

#[test]
fn no_debug_output_shows_what_a_document_says() {
    let brand =
        parse(r#"{"agents":[{"type":"brand","id":"b","url":"https://x.example/?token=s"}]}"#);
    let shown = format!("{:?}", brand.unwrap().agents());
    assert!(!shown.contains("token"), "{shown}");
}
