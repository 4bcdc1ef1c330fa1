//! The commands of a key service that make the key of a URI.

use adcp_signing::{
    Algorithm, KeySchemes, OpenError, UriOptions,
    provider::toolkit::{KeyUriParts, LocalKeyUri, percent_decode, take_pin},
};

use crate::{failure::Failure, keys};

/// The commands, ready to paste into the shell of whoever administers the key service.
pub(crate) fn commands(uri: &str, algorithm: Option<Algorithm>) -> Result<String, Failure> {
    let invalid = |what: &str| Failure::invalid(format!("{}: {what}", keys::shown_uri(uri)));
    if LocalKeyUri::has_scheme(uri) {
        return Err(invalid("this key is a file: make it with keygen --out FILE"));
    }
    let refused = |error: &dyn std::error::Error| {
        Failure::invalid(format!("the key URI is refused: {error}"))
    };
    // A backend that is built in knows more of its URIs than is read here.
    match KeySchemes::built_in().warnings(uri, &UriOptions::default()) {
        Ok(_) | Err(OpenError::FeatureMissing { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let (unpinned, _) = take_pin(uri).map_err(|error| refused(&error))?;
    let mut parts = KeyUriParts::parse(&unpinned).map_err(|error| refused(&error))?;
    // What the URI says wins: it is what the program will ask for.
    let algorithm = match parts.take("alg") {
        Some(name) => {
            Some(Algorithm::from_name(&name).ok_or_else(|| invalid("alg= is not known"))?)
        }
        None => algorithm,
    };
    let is_azure = parts.scheme().starts_with("azure");
    let is_ed25519 = match algorithm {
        None => !is_azure,
        Some(Algorithm::Ed25519) if is_azure => {
            return Err(invalid("Azure has no Ed25519 keys: write ecdsa-p256-sha256 (ES256)"));
        }
        Some(Algorithm::Ed25519) => true,
        Some(Algorithm::EcdsaP256Sha256) => false,
        Some(_) => {
            return Err(invalid("AdCP messages are signed with ed25519 or ecdsa-p256-sha256"));
        }
    };
    let pick = |ed25519, p256| if is_ed25519 { ed25519 } else { p256 };
    let (scheme, body) = (parts.scheme().to_owned(), parts.body().to_owned());
    let body = percent_decode(body.strip_prefix("//").unwrap_or(&body))
        .map_err(|error| invalid(&error.to_string()))?;
    let made = match scheme.as_str() {
        "awskms" => {
            aws(&body, parts.take("region"), pick("ECC_NIST_EDWARDS25519", "ECC_NIST_P256"))
        }
        "gcpkms" => gcp(&body, pick("ec-sign-ed25519", "ec-sign-p256-sha256")),
        "azurekms" | "azurekeyvault" => azure(&body),
        "hashivault" | "openbao" => Some(transit(
            pick_client(&scheme),
            &body,
            parts.take("mount").as_deref().unwrap_or("transit"),
            parts.take("namespace").as_deref(),
            pick("ed25519", "ecdsa-p256"),
        )),
        "pkcs11" => {
            pkcs11(&body, parts.take("module-path"), pick("EC:edwards25519", "EC:prime256v1"))
        }
        _ => return Err(invalid("there is no such key service; `adcp-signing help keys` has all")),
    };
    let made = made.ok_or_else(|| {
        invalid("the key has no name in it; `adcp-signing help keys` has all forms")
    })?;
    Ok(format!(
        "# Run these as an administrator of the key service. Whoever signs needs fewer rights.\n\
         {made}\n\n# Then, as whoever signs:\nadcp-signing probe --key {}",
        quoted(uri)
    ))
}

fn aws(body: &str, region: Option<String>, spec: &str) -> Option<String> {
    let name = body.split_once('/')?.1;
    let region = match (&region, name.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2))) {
        (Some(region), _) => format!(" --region {}", quoted(region)),
        (None, Some(region)) => format!(" --region {}", quoted(region)),
        (None, None) => String::new(),
    };
    let create = format!(
        "aws kms create-key{region} --key-spec {spec} --key-usage SIGN_VERIFY \\\n    \
         --description 'AdCP signing' --query KeyMetadata.KeyId --output text"
    );
    let alias = name.strip_prefix("alias/").or_else(|| Some(name.split_once(":alias/")?.1));
    Some(match alias {
        Some(alias) => format!(
            "KEY_ID=$({create}) &&\naws kms create-alias{region} --alias-name {} --target-key-id \
             \"$KEY_ID\"",
            quoted(&format!("alias/{alias}"))
        ),
        None => format!(
            "# AWS KMS names the key itself: put the id that this prints into the key URI.\n{create}"
        ),
    })
}

fn gcp(body: &str, algorithm: &str) -> Option<String> {
    let part = |name: &str| {
        let mut parts = body.split('/').skip_while(|part| *part != name);
        parts.nth(1).filter(|part| !part.is_empty()).map(quoted)
    };
    let (project, location) = (part("projects")?, part("locations")?);
    let (ring, key) = (part("keyRings")?, part("cryptoKeys")?);
    Some(format!(
        "# Leave this out if the key ring is there.\n\
         gcloud kms keyrings create {ring} --location {location} --project {project}\n\
         # --protection-level hsm keeps the key in an HSM. The first version is made with the key.\n\
         gcloud kms keys create {key} --keyring {ring} --location {location} --project {project} \\\n    \
         --purpose asymmetric-signing --default-algorithm {algorithm} --protection-level software"
    ))
}

fn azure(body: &str) -> Option<String> {
    let (host, path) = body.split_once('/')?;
    let key = path.strip_prefix("keys/").unwrap_or(path).split('/').next()?;
    let vault = host.split('.').next().filter(|vault| !vault.is_empty())?;
    let is_hsm = host.contains(".managedhsm.");
    let (option, kind) = if is_hsm { ("--hsm-name", "EC-HSM") } else { ("--vault-name", "EC") };
    let (vault, key) = (quoted(vault), quoted(key));
    Some(format!(
        "az keyvault key create {option} {vault} --name {key} --kty {kind} --curve P-256 \\\n    \
         --ops sign verify\n\
         # The last part of what this prints is the version: put it into the key URI.\n\
         az keyvault key show {option} {vault} --name {key} --query key.kid --output tsv"
    ))
}

/// The client of a Vault server and the name of its address.
fn pick_client(scheme: &str) -> (&'static str, &'static str) {
    if scheme == "openbao" { ("bao", "BAO_ADDR") } else { ("vault", "VAULT_ADDR") }
}

fn transit(
    (client, address): (&str, &str),
    key: &str,
    mount: &str,
    namespace: Option<&str>,
    kind: &str,
) -> String {
    let namespace =
        namespace.map(|name| format!(" -namespace={}", quoted(name))).unwrap_or_default();
    format!(
        "# {address} names the server. Leave the first command out if the engine is there.\n\
         {client} secrets enable{namespace} -path={} transit\n\
         {client} write{namespace} {} type={kind}",
        quoted(mount),
        quoted(&format!("{mount}/keys/{key}"))
    )
}

fn pkcs11(body: &str, module: Option<String>, kind: &str) -> Option<String> {
    let attribute = |name: &str| {
        let mut attributes = body.split(';').filter_map(|attribute| attribute.split_once('='));
        attributes.find(|(known, _)| *known == name).map(|(_, value)| quoted(value))
    };
    let token = attribute("token").map(|token| format!(" --token-label {token}"));
    Some(format!(
        "# Asks for the PIN. Give each key an id of its own.\n\
         pkcs11-tool --module {}{} --login \\\n    \
         --keypairgen --key-type {kind} --usage-sign --label {} --id 01",
        module.as_deref().map_or_else(|| "MODULE.so".to_owned(), quoted),
        token.unwrap_or_default(),
        attribute("object")?
    ))
}

/// A word of a POSIX shell, in quotes where it needs them.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        crate::curl::quoted(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_service_has_its_own_commands() {
        for (uri, expected) in [
            (
                "awskms:///alias/a/b?region=eu-west-1",
                &[
                    "aws kms create-key --region eu-west-1 --key-spec ECC_NIST_EDWARDS25519",
                    "aws kms create-alias --region eu-west-1 --alias-name alias/a/b",
                ][..],
            ),
            (
                "awskms:///arn:aws:kms:eu-west-1:111122223333:alias/a?alg=ES256",
                &["--region eu-west-1 --key-spec ECC_NIST_P256", "--alias-name alias/a "],
            ),
            ("awskms:///1234abcd-12ab-34cd-56ef-1234567890ab", &["names the key itself"]),
            (
                "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
                &[
                    "gcloud kms keyrings create r --location l --project p",
                    "gcloud kms keys create k --keyring r --location l --project p",
                    "ec-sign-ed25519",
                ],
            ),
            (
                "azurekms://v.vault.azure.net/k",
                &["az keyvault key create --vault-name v --name k --kty EC --curve P-256"],
            ),
            (
                "azurekeyvault://h.managedhsm.azure.net/keys/k",
                &["--hsm-name h --name k --kty EC-HSM"],
            ),
            (
                "hashivault://k?version=1",
                &[
                    "VAULT_ADDR",
                    "vault secrets enable -path=transit transit",
                    "vault write transit/keys/k type=ed25519",
                ],
            ),
            (
                "openbao://k?version=1&mount=a/b&namespace=n&alg=es256",
                &["BAO_ADDR", "bao write -namespace=n a/b/keys/k type=ecdsa-p256"],
            ),
            (
                "pkcs11:token=my%20token;object=k?module-path=/lib/m.so&pin-source=file:/run/pin",
                &["--module /lib/m.so --token-label 'my token' --login", "--label k "],
            ),
        ] {
            let text = commands(uri, None).unwrap();
            for part in expected {
                assert!(text.contains(part), "{uri}: {part}: {text}");
            }
            assert!(text.ends_with(&format!("probe --key {}", quoted(uri))), "{text}");
        }
    }

    #[test]
    fn a_key_that_no_command_makes_is_refused() {
        for (uri, algorithm, reason) in [
            ("file:key.jwk", None, "keygen --out"),
            ("vault://k", None, "did you mean"),
            ("openbao://k?version=1&alg=ps512", None, "ed25519 or ecdsa-p256-sha256"),
            ("azurekms://v.vault.azure.net/k", Some(Algorithm::Ed25519), "no Ed25519 keys"),
            ("azurekms://v.vault.azure.net/k?alg=EdDSA", None, "no Ed25519 keys"),
            ("openbao://k?token=s.1234", None, "secret"),
        ] {
            let failure = commands(uri, algorithm).unwrap_err().to_string();
            assert!(failure.contains(reason), "{uri}: {failure}");
            assert!(!failure.contains("1234"), "{failure}");
        }
    }

    #[test]
    fn nothing_of_a_key_uri_is_run_by_the_shell_that_it_is_pasted_into() {
        for uri in ["openbao://a$(id)?version=1", "openbao://a'b?version=1", "openbao://a%0Ab"] {
            // A backend that is built in refuses such names itself.
            let Ok(text) = commands(uri, None) else { continue };
            let words = quoted(&format!("transit/keys/{}", uri.trim_start_matches("openbao://")));
            let words = words.split('?').next().unwrap();
            assert!(text.contains(words) && words.starts_with('\''), "{uri}: {text}");
        }
    }
}
