//! `GetPublicKey` and `AsymmetricSign`, and the checks that the service makes.

use base64ct::{Base64, Base64Url, Encoding as _};
use serde_json::{Map, Value, json};

use super::{
    algorithm::{Refused, ToSign},
    status::{Answer, Status},
    store::{Enums, SOFTWARE, Store, VersionName},
};

/// The longest `data` taken.
const MAX_DATA_LEN: usize = 64 * 1024;

pub(super) fn public_key(store: &Store, name: &VersionName, enums: Enums) -> Answer {
    let (algorithm, pair) = store.enabled(name)?;
    let pem = pair.public_key_pem().map_err(|_| Status::internal())?;
    Ok(json!({
        "pemCrc32c": checksum(pem.as_bytes()).to_string(),
        "pem": pem,
        "algorithm": enums.write(algorithm.wire()),
        "name": name.full(),
        "protectionLevel": enums.write(SOFTWARE),
    }))
}

pub(super) fn asymmetric_sign(
    store: &Store,
    name: &VersionName,
    body: &Value,
    enums: Enums,
) -> Answer {
    let (_, pair) = store.enabled(name)?;
    let input = to_sign(body)?;
    let (bytes, field, given, verified) = match &input {
        ToSign::Data(data) => (data, "data_crc32c", &body["dataCrc32c"], "verifiedDataCrc32c"),
        ToSign::Digest(_, digest) => {
            (digest, "digest_crc32c", &body["digestCrc32c"], "verifiedDigestCrc32c")
        }
    };
    let mut reply = Map::new();
    if !given.is_null() {
        if int64(given) != Some(checksum(bytes)) {
            let message = "The checksum does not match what was received.";
            return Err(Status::invalid_field(field, message));
        }
        reply.insert(verified.to_owned(), true.into());
    }
    let signature = pair.sign(&input).map_err(|refused| match refused {
        Refused::Input(why) => Status::invalid_argument(why),
        Refused::Internal => Status::internal(),
    })?;
    reply.insert("signature".to_owned(), Base64::encode_string(&signature).into());
    reply.insert("signatureCrc32c".to_owned(), checksum(&signature).to_string().into());
    reply.insert("name".to_owned(), name.full().into());
    reply.insert("protectionLevel".to_owned(), enums.write(SOFTWARE));
    Ok(Value::Object(reply))
}

/// Data or a digest, not both. Empty data is no data, as in every protocol buffer.
fn to_sign(body: &Value) -> Result<ToSign, Status> {
    let data = bytes(&body["data"])?.filter(|data| !data.is_empty());
    let digest = body["digest"].as_object().filter(|digest| !digest.is_empty());
    match (data, digest) {
        (Some(data), None) if data.len() <= MAX_DATA_LEN => Ok(ToSign::Data(data)),
        (Some(_), None) => Err(Status::invalid_argument("The data is too long.")),
        (None, Some(digest)) => match digest.iter().collect::<Vec<_>>().as_slice() {
            [(field, value)] => {
                let bytes =
                    bytes(value)?.ok_or_else(|| Status::invalid_argument("The digest is null."))?;
                Ok(ToSign::Digest((*field).clone(), bytes))
            }
            _ => Err(Status::invalid_argument("The digest has more than one type.")),
        },
        _ => Err(Status::invalid_argument("Exactly one of data and digest is required.")),
    }
}

/// `bytes` in JSON: Base64, of either alphabet.
fn bytes(value: &Value) -> Result<Option<Vec<u8>>, Status> {
    let malformed = || Status::invalid_argument("Invalid value: Base64 decoding failed.");
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Base64::decode_vec(text)
            .or_else(|_| Base64Url::decode_vec(text))
            .map(Some)
            .map_err(|_| malformed()),
        _ => Err(malformed()),
    }
}

/// `Int64Value` in JSON: a text, or a number.
fn int64(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn checksum(bytes: &[u8]) -> i64 {
    i64::from(crc32c::crc32c(bytes))
}
