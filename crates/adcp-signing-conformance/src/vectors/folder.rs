//! Finds vector files and hands each to the runner of its kind.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use adcp_signing_core::profile::{ContractVersion, MessageKind, WireVersion};
use serde_json::Value;

use super::{
    Report, VectorError, canonicalization, codes, format::Vector, hmac, message, methods, policy,
};

/// The largest vector file that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;
/// How deep folders are followed.
const MAX_DEPTH: usize = 16;

/// One vector file and what its place says about it.
pub(super) struct Suite {
    path: PathBuf,
    json: Value,
    place: Place,
}

/// What a file's folders say: the contract, the keys beside it, and the kind of message.
pub(super) struct Place {
    pub(super) contract: ContractVersion,
    pub(super) keys: Vec<Value>,
    pub(super) webhook: bool,
    pub(super) a2a: bool,
}

impl Suite {
    /// Every JSON file below `folder` that is not a key file, sorted by path.
    pub(super) fn discover(
        folder: &Path,
        contract: Option<&ContractVersion>,
    ) -> Result<Vec<Self>, VectorError> {
        let mut files = Vec::new();
        if folder.is_file() {
            files.push(folder.to_owned())
        } else {
            walk(folder, 0, &mut files)?
        }
        files.sort();
        let mut keys_by_folder = BTreeMap::new();
        let mut suites = Vec::new();
        for path in files {
            let json = read(&path)?;
            if path.file_name().is_some_and(|name| name == "keys.json") {
                continue;
            }
            let absolute = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            let place = Place {
                contract: contract.cloned().unwrap_or_else(|| contract_of(&absolute)),
                keys: keys_beside(&absolute, &mut keys_by_folder)?,
                webhook: has_folder(&absolute, "webhook-signing"),
                a2a: has_folder(&absolute, "a2a"),
            };
            suites.push(Self { path, json, place });
        }
        Ok(suites)
    }

    /// Runs the file's cases into the report.
    pub(super) fn run(self, report: &mut Report) -> Result<(), VectorError> {
        let Self { path, json, place } = self;
        let contract = place.contract.to_string();
        let cases: Vec<(String, Result<(), String>)> = if json.get("expected_outcome").is_some() {
            message::run(&vector(json, &path)?, &place)
        } else if json.get("algorithm").is_some_and(|algorithm| algorithm == "HMAC-SHA256") {
            hmac::run(&json)
        } else if json.get("valid_declarations").is_some() {
            methods::run(&json)
        } else if json.pointer("/cases/0/input_url").is_some() {
            canonicalization::run(&json, &place)
        } else if json.pointer("/cases/0/endpoint_profile").is_some() {
            policy::run(&json, &place)
        } else if json.get("enumMetadata").is_some() {
            codes::run(&json)
        } else {
            report.skip(
                &path,
                &contract,
                "not a vector of message signing: this file belongs to the trust chain",
            );
            return Ok(());
        };
        for (name, outcome) in cases {
            report.add(&path, &name, &contract, outcome);
        }
        Ok(())
    }
}

impl Suite {
    /// Delivers the file's messages, where it is a message vector.
    pub(super) fn deliver(
        self,
        report: &mut Report,
        receive: &message::Receive<'_>,
    ) -> Result<(), VectorError> {
        let Self { path, json, place } = self;
        if json.get("expected_outcome").is_none() {
            return Ok(());
        }
        let contract = place.contract.to_string();
        match message::deliver(&vector(json, &path)?, &place, receive) {
            (name, Ok(outcome)) => report.add(&path, &name, &contract, outcome),
            (_, Err(reason)) => report.skip(&path, &contract, &reason),
        }
        Ok(())
    }
}

fn vector(json: Value, path: &Path) -> Result<Vector, VectorError> {
    serde_json::from_value(json)
        .map_err(|error| VectorError::Format { path: path.to_owned(), reason: error.to_string() })
}

impl Place {
    /// The kind of message in this place.
    pub(super) fn kind(&self) -> MessageKind {
        if self.webhook { MessageKind::Webhook } else { MessageKind::Request }
    }
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), VectorError> {
    let io = |source| VectorError::Io { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() && depth < MAX_DEPTH {
            walk(&path, depth.saturating_add(1), files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Value, VectorError> {
    let io = |source| VectorError::Io { path: path.to_owned(), source };
    let format = |reason: String| VectorError::Format { path: path.to_owned(), reason };
    let size = fs::metadata(path).map_err(io)?.len();
    if size > MAX_FILE {
        return Err(format(format!("{size} bytes are more than the {MAX_FILE} a vector may have")));
    }
    serde_json::from_slice(&fs::read(path).map_err(io)?).map_err(|error| format(error.to_string()))
}

/// The nearest folder above the file whose name is a version, `adcp-` in front or not.
fn contract_of(path: &Path) -> ContractVersion {
    path.ancestors()
        .filter_map(|folder| folder.file_name()?.to_str())
        .find_map(|name| name.strip_prefix("adcp-").unwrap_or(name).parse().ok())
        .unwrap_or_else(|| WireVersion::V3_2.newest_contract())
}

/// The keys of the nearest `keys.json` at or above the file's folder.
fn keys_beside(
    path: &Path,
    known: &mut BTreeMap<PathBuf, Vec<Value>>,
) -> Result<Vec<Value>, VectorError> {
    for folder in path.ancestors().skip(1).take(MAX_DEPTH) {
        if let Some(keys) = known.get(folder) {
            return Ok(keys.clone());
        }
        let file = folder.join("keys.json");
        if file.is_file() {
            let json = read(&file)?;
            let keys = json.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
            known.insert(folder.to_owned(), keys.clone());
            return Ok(keys);
        }
    }
    Ok(Vec::new())
}

fn has_folder(path: &Path, name: &str) -> bool {
    path.components().any(|component| matches!(component, Component::Normal(part) if part == name))
}
