//! Keys whose private halves are published: whoever trusts one trusts everybody.

use adcp_signing_core::PublicKey;

/// RFC 7638 thumbprints of the test keys of the AdCP vectors, of our own vectors and of the RFCs, in
/// order.
const THUMBPRINTS: &[&str] = &[
    "0XL8P7Fzf4FOIzvMbfG5KGFjJ61q_tMK0AoKY7sWW-E",
    "3eGq4Kr63h2gUSD1CmszeL25ipsyVfVR5ZJwzk-c4_8",
    "JoUQQAQt8Exl8R1HSPNa-GICLG89uMxP3nABQ9XengI",
    "O-0pctemIOWm_AYxtgvFbtLK-snekisKoA5LwmDN_sQ",
    "UzIDv8saQJiAhqGpwv_q3rYCRiDqkoR_6ISmmHffTC0",
    "VbjmCr1Rugb6JZT95LajB8EWtT2ADskIh_W8DehP0gc",
    "YYhIoEIzEuDUDimdho_KDwciVx8epx0X10UtdpCCKgg",
    "bcteWFViCCvEAhy3CCli7kmuTR7Z9APtp6tcnvSker8",
    "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",
    "fnsWWDh1NG4GRKrXB_NMA5yIMjG73NM7MnTjOyJXVhA",
    "gAI4WdqLIGYcGs0k6BzQacqjUgkO_7HfFk9VOoEG7Sk",
    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    "kYxXVm3IzZuXqYpEcHzUfSHiaCLt1XU9tWDtwBK9YlI",
    "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U",
    "p9JiJRE0pHb2CveuE43NuGmu1dcrfoKbXGlveRq2wPY",
    "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U",
    "ydQXMtvbsOsZyFir-Y7A8t7fKEM1gbKPvyFkdpu4fvI",
];

/// Whether the private half of the key is published.
pub(crate) fn is_published_test_key(key: &PublicKey) -> bool {
    THUMBPRINTS.binary_search(&&*key.thumbprint()).is_ok()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use adcp_signing_core::JwkSet;
    use serde_json::{Value, json};

    use super::*;

    /// Of RFC 7515 A.3, 7517 A.1, 8037 A.2 (which is test 1 of RFC 8032 §7.1) and 9421 B.1.
    const OF_RFCS: &[u8] = br#"{"keys":[
        {"kty":"EC","crv":"P-256","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        {"kty":"EC","crv":"P-256","alg":"ES256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
        {"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty":"EC","crv":"P-256","alg":"ES256","x":"qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA","y":"Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"},
        {"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}
    ]}"#;

    /// All JWKs in a JSON value, at any depth.
    fn keys_in(value: Value, found: &mut Vec<Value>) {
        match value {
            Value::Array(elements) => elements.into_iter().for_each(|one| keys_in(one, found)),
            Value::Object(members) if members.contains_key("kty") => found.push(members.into()),
            Value::Object(members) => members.into_values().for_each(|one| keys_in(one, found)),
            _ => (),
        }
    }

    fn keys_under(folder: &Path, found: &mut Vec<Value>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                keys_under(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                keys_in(serde_json::from_slice(&fs::read(path).unwrap()).unwrap(), found);
            }
        }
    }

    #[test]
    fn every_test_key_of_the_vectors_and_of_the_rfcs_is_known_as_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors");
        let mut found = Vec::new();
        keys_under(&folder, &mut found);
        keys_in(serde_json::from_slice(OF_RFCS).unwrap(), &mut found);
        let keys: Vec<_> = found
            .into_iter()
            .flat_map(|jwk| {
                let set = json!({ "keys": [jwk] }).to_string();
                JwkSet::parse(set.as_bytes()).map(|set| set.keys().to_vec()).unwrap_or_default()
            })
            .filter_map(|jwk| jwk.public_key().ok())
            .collect();
        let expected: BTreeSet<_> = keys.iter().map(PublicKey::thumbprint).collect();
        assert_eq!(THUMBPRINTS, expected.iter().collect::<Vec<_>>());
        assert!(keys.iter().all(is_published_test_key));
    }
}
