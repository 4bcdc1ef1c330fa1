//! The keys in a file, so that a server that was killed comes back with them.

use std::{fs, io, path::Path, sync::Arc};

use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Value, json};

use super::{
    algorithm::{Algorithm, VersionKey},
    store::{Key, Rings, State, Version},
};

/// Writes the file anew. Whoever reads it finds the old one or the new one.
pub(super) fn write(file: &Path, rings: &Rings) -> io::Result<()> {
    let next = file.with_extension("next");
    fs::write(&next, rings_json(rings)?.to_string())?;
    fs::rename(next, file)
}

/// Reads the file; one that is not there holds nothing.
pub(super) fn read(file: &Path) -> io::Result<Rings> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text)
            .ok()
            .and_then(|json| rings_of(&json))
            .ok_or_else(malformed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Rings::new()),
        Err(error) => Err(error),
    }
}

fn rings_json(rings: &Rings) -> io::Result<Value> {
    let mut object = Map::new();
    for (name, keys) in rings {
        let keys = keys.iter().map(|(id, key)| Ok((id.clone(), key_json(key)?)));
        object.insert(name.clone(), keys.collect::<io::Result<Map<_, _>>>()?.into());
    }
    Ok(object.into())
}

fn key_json(key: &Key) -> io::Result<Value> {
    let version = |version: &Version| {
        let pair = version
            .pair
            .as_ref()
            .map(|pair| pair.to_pkcs8())
            .transpose()
            .map_err(io::Error::other)?;
        Ok(
            json!({"state": version.state.wire().0, "pkcs8": pair.map(|der| Base64::encode_string(&der))}),
        )
    };
    let versions = key.versions.iter().map(version).collect::<io::Result<Vec<_>>>()?;
    Ok(json!({"algorithm": key.algorithm.wire().0, "versions": versions}))
}

fn rings_of(json: &Value) -> Option<Rings> {
    let ring = |(name, keys): (&String, &Value)| {
        let keys = keys.as_object()?.iter().map(|(id, key)| Some((id.clone(), key_of(key)?)));
        Some((name.clone(), keys.collect::<Option<_>>()?))
    };
    json.as_object()?.iter().map(ring).collect()
}

fn key_of(json: &Value) -> Option<Key> {
    let algorithm = Algorithm::from_wire(&json["algorithm"])?;
    let version = |json: &Value| {
        let name = json["state"].as_str()?;
        let state = State::ALL.into_iter().find(|state| state.wire().0 == name)?;
        let pair = match &json["pkcs8"] {
            Value::Null => None,
            der => {
                let der = Base64::decode_vec(der.as_str()?).ok()?;
                Some(Arc::new(VersionKey::from_pkcs8(algorithm, &der).ok()?))
            }
        };
        Some(Version { state, pair })
    };
    Some(Key {
        algorithm,
        versions: json["versions"].as_array()?.iter().map(version).collect::<Option<_>>()?,
    })
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the file of keys is not one that this program wrote",
    )
}
