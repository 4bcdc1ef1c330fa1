//! `jwks`: the public JWKS of keys, and changes to one in a file.

use std::{path::Path, process::ExitCode};

use adcp_signing::{Jwk, JwkSet, provider::layers::SigningProviderExt as _};
use serde_json::{Value, json};

use crate::{
    args::{JwksArgs, JwksEdit, KeyUriArgs},
    failure::Failure,
    files, input,
    keys::{self, Access, Attempts},
    lock::Lock,
    output::{self, GOOD, outln, shown},
    shapes::shorten,
};

pub(crate) async fn run(args: &JwksArgs) -> Result<ExitCode, Failure> {
    match &args.edit {
        None => export(args).await?,
        Some(JwksEdit::Add(edit)) => {
            // The key service answers before the file is locked.
            let keys = public(&edit.keys, &edit.uri).await?;
            let _lock = Lock::on(&edit.file).await?;
            let mut set = Document::read(&edit.file)?;
            for key in &keys {
                set.add(key)?;
            }
            set.write(&edit.file)?;
        }
        Some(JwksEdit::Remove(edit)) => {
            let _lock = Lock::on(&edit.file).await?;
            let mut set = Document::read(&edit.file)?;
            for kid in &edit.kids {
                set.remove(kid)?;
            }
            set.write(&edit.file)?;
        }
        Some(JwksEdit::List(edit)) => Document::read(&edit.file)?.print(),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints or writes the public JWKS of the keys that URIs name.
async fn export(args: &JwksArgs) -> Result<(), Failure> {
    if let Some(path) = &args.out {
        files::check_jwks_place(path)?;
    }
    let jwks = text_of(&public(&args.keys, &args.uri).await?);
    match &args.out {
        Some(path) => {
            files::write_jwks(path, &jwks)?;
            wrote(path);
        }
        None => outln!("{jwks}"),
    }
    let place = args.out.as_deref().unwrap_or(Path::new("jwks.json"));
    if let Some(key) = args.keys.first() {
        output::hint(&format!(
            "publish it at your jwks_uri, then: adcp-signing probe {} --jwks {}",
            keys::as_option(key),
            place.display()
        ));
    }
    Ok(())
}

/// Writes the public JWKS of keys of a service.
pub(crate) async fn write(uris: &[String], path: &Path) -> Result<(), Failure> {
    let jwks = text_of(&public(uris, &KeyUriArgs::default()).await?);
    files::write_jwks(path, &jwks)?;
    wrote(path);
    Ok(())
}

/// The public half of a key, which has a name.
struct Named {
    kid: String,
    jwk: Jwk,
}

/// The public halves of the keys that URIs name.
async fn public(uris: &[String], args: &KeyUriArgs) -> Result<Vec<Named>, Failure> {
    let access = Access::new(args);
    let mut keys: Vec<Named> = Vec::with_capacity(uris.len());
    for uri in uris {
        let provider = access.to_public_half_of(uri).open(uri, Attempts::Few).await?;
        let jwk = provider.public_jwk().await;
        let jwk = jwk.map_err(|error| Failure::from(error).while_doing("reading", uri))?;
        let kid = provider.key_id().to_owned();
        if keys.iter().any(|known| known.kid == kid) {
            return Err(Failure::invalid(format!(
                "two keys are named {:?}; a kid is unique in a JWKS, so write ?kid= in one key URI",
                shorten(&kid)
            )));
        }
        keys.push(Named { kid, jwk });
    }
    Ok(keys)
}

fn text_of(keys: &[Named]) -> String {
    jwks_text(&keys.iter().map(|key| key.jwk.clone()).collect::<Vec<_>>())
}

/// The JWKS document of public keys.
pub(crate) fn jwks_text(keys: &[Jwk]) -> String {
    output::json_pretty(&json!({ "keys": keys }))
}

fn wrote(path: &Path) {
    anstream::eprintln!("{GOOD}wrote{GOOD:#} {}", shown(&path.display().to_string()));
}

/// A JWKS in a file, with all of its members in their order.
struct Document {
    value: Value,
    set: JwkSet,
}

impl Document {
    fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = input::read(Some(path))?;
        files::refuse_private_key(path, &bytes)?;
        let invalid = |error: String| Failure::invalid(format!("{}: {error}", path.display()));
        // Strict first: the tree below would hide duplicate members.
        let set = JwkSet::parse(&bytes).map_err(|error| invalid(error.to_string()))?;
        let value = serde_json::from_slice(adcp_signing::json::without_bom(&bytes));
        Ok(Self { value: value.map_err(|error| invalid(error.to_string()))?, set })
    }

    fn keys(&mut self) -> Result<&mut Vec<Value>, Failure> {
        let keys = self.value.get_mut("keys").and_then(Value::as_array_mut);
        keys.ok_or_else(|| Failure::invalid("the JWKS has no array keys"))
    }

    fn add(&mut self, Named { kid, jwk }: &Named) -> Result<(), Failure> {
        if self.set.with_kid(kid).next().is_some() {
            return Err(Failure::invalid(format!(
                "the JWKS has a key named {:?} already; a kid is unique, so write another ?kid= in \
                 the key URI, or remove that one first",
                shorten(kid)
            )));
        }
        self.keys()?.push(json!(jwk));
        Ok(())
    }

    /// Removes the one key of this name.
    fn remove(&mut self, kid: &str) -> Result<(), Failure> {
        let keys = self.keys()?;
        let is_named = |jwk: &Value| jwk.get("kid").and_then(Value::as_str) == Some(kid);
        match keys.iter().filter(|jwk| is_named(jwk)).count() {
            1 => keys.retain(|jwk| !is_named(jwk)),
            count => {
                return Err(Failure::invalid(format!(
                    "the JWKS has {} named {:?}; nothing was removed",
                    if count == 0 { "no key" } else { "more than one key" },
                    shorten(kid)
                )));
            }
        }
        Ok(())
    }

    fn write(&self, path: &Path) -> Result<(), Failure> {
        files::write_jwks(path, &output::json_pretty(&self.value))?;
        wrote(path);
        Ok(())
    }

    fn print(&self) {
        let rows: Vec<_> = self
            .set
            .keys()
            .iter()
            .map(|jwk| {
                let purpose = jwk.purpose().map_or("no adcp_use", |purpose| purpose.as_str());
                let key = jwk.public_key();
                let key = key.map_or_else(
                    |error| format!("cannot be used: {error}"),
                    |key| format!("{} {}", key.algorithm(), key.thumbprint()),
                );
                (shown(jwk.kid().unwrap_or("no kid")), shown(purpose), shown(&key))
            })
            .collect();
        let width = rows.iter().map(|(kid, ..)| kid.chars().count()).max().unwrap_or(0);
        for (kid, purpose, key) in rows {
            outln!("{kid:width$}  {purpose:<19}  {key}");
        }
    }
}
