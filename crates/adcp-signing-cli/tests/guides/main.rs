//! The commands of the guides, run as they are written, against servers on this machine.
//!
//! A `text` block that follows one of `sh` has the lines that the commands must print, in this
//! order; `…` stands for any text. A block is not run only if [`left_out`] has the reason, and a
//! page with commands has to be in the table below.
//!
//! Three things are replaced: `cargo` by a function of `prelude.sh`, which starts the program that
//! the tests have built; the names and addresses that a page makes up, as the table has them; and
//! the address of AWS KMS, by a variable that the AWS command line and SDK read.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod left_out;
mod page;
mod run;

use std::{fs, path::Path, process::Command};

use self::{
    left_out::{LEFT_OUT, entry},
    page::blocks,
    run::{Guide, root},
};

/// A test for each guide, and the list of all.
macro_rules! guides {
    ($($name:ident: $guide:expr;)*) => {
        const GUIDES: &[Guide] = &[$($guide),*];

        $(#[test]
        fn $name() {
            $guide.run();
        })*
    };
}

const OPENBAO: &[&str] = &["ADCP_TEST_OPENBAO_BIN"];
const MINISTACK: &[&str] = &["ADCP_TEST_MINISTACK_ENDPOINT"];
const SOFTHSM: &[&str] = &["ADCP_TEST_PKCS11_MODULE"];
const PKCS11_TOOLS: &[&str] = &["softhsm2-util", "pkcs11-tool"];
/// An empty crate next to the checkout.
const NEW_CRATE: &str = "ln -s \"$CHECKOUT\" adcp-signing
    command cargo init --quiet --lib --vcs none --name buyer";
const ROTATION: Guide = Guide::new("docs/rotation.md");

guides! {
    the_readme: Guide { before: NEW_CRATE, ..Guide::new("README.md") };
    a_buyer_adds_the_crates: Guide { before: NEW_CRATE, ..Guide::new("docs/buyer.md") };
    a_seller_adds_the_crates: Guide { before: NEW_CRATE, ..Guide::new("docs/seller.md") };
    the_command_line: Guide::new("docs/command-line.md");
    five_minutes_on_a_laptop: Guide {
        variables: &["ADCP_TEST_OPENBAO_BIN", "ADCP_TEST_MINISTACK_ENDPOINT"],
        before: "openbao; export ADCP_TEST_OPENBAO_ADDR=http://127.0.0.1:$PORT
            export ADCP_TEST_OPENBAO_TOKEN=root AWS_REGION=us-east-1",
        ..Guide::new("docs/laptop.md")
    };
    a_key_of_the_python_sdk: Guide {
        variables: &["ADCP_TEST_OPENBAO_BIN", "ADCP_TEST_INTEROP_PYTHON"],
        before: "\"${ADCP_TEST_INTEROP_PYTHON%/*}/adcp-keygen\" --kid buyer-2026 --out buyer.pem >jwks.json
            openbao; export BAO_ADDR=http://127.0.0.1:$PORT BAO_TOKEN=root
            bao secrets enable transit",
        made_up: &[("https://buyer.example/jwks.json", "jwks.json")],
        ..Guide::new("docs/migration.md")
    };
    the_fakes_by_hand: Guide {
        section: Some("### By hand"),
        made_up: &[("8445", "$PORT"), ("4590", "$PORT")],
        ..Guide::new("docs/testing.md")
    };
    keys_in_aws_kms: Guide {
        variables: MINISTACK,
        before: "export AWS_REGION=eu-west-1; aws_cli
            aws kms delete-alias --alias-name alias/adcp/buyer || true",
        ..Guide::new("docs/backends/aws-kms.md")
    };
    keys_in_azure_key_vault: Guide {
        before: "fake_azure_key_vault 1; KID=${KIDS[0]}",
        ..Guide::new("docs/backends/azure-key-vault.md")
    };
    keys_in_google_cloud_kms: Guide {
        before: "fake_gcp_kms 1",
        ..Guide::new("docs/backends/gcp-kms.md")
    };
    keys_in_a_pkcs11_token: Guide {
        variables: SOFTHSM,
        programs: PKCS11_TOOLS,
        ..Guide::new("docs/backends/pkcs11.md")
    };
    keys_in_vault_transit_and_openbao: Guide {
        variables: OPENBAO,
        before: "openbao; ADMIN_TOKEN=root",
        made_up: &[("https://bao.example:8200", "http://127.0.0.1:$PORT")],
        ..Guide::new("docs/backends/vault-transit.md")
    };
    a_rotation_in_openbao: Guide {
        section: Some("## By command"),
        variables: OPENBAO,
        before: "openbao; export BAO_ADDR=http://127.0.0.1:$PORT BAO_TOKEN=root
            bao secrets enable transit; bao write transit/keys/buyer type=ed25519
            adcp-signing jwks --key 'openbao://buyer?version=1&kid=buyer-1' --out jwks.json",
        made_up: &[("https://buyer.example/jwks.json", "jwks.json")],
        ..ROTATION
    };
    a_rotation_in_aws_kms: Guide {
        section: Some("### AWS KMS"),
        variables: MINISTACK,
        before: "export AWS_REGION=us-east-1; aws_cli
            OLD_ARN=$(aws kms create-key --key-spec ECC_NIST_EDWARDS25519 --key-usage SIGN_VERIFY \
                --query KeyMetadata.Arn --output text)
            OLD=\"awskms:///$OLD_ARN?alg=ed25519&kid=buyer-2026\"",
        ..ROTATION
    };
    a_rotation_in_azure_key_vault: Guide {
        section: Some("### Azure Key Vault"),
        before: "fake_azure_key_vault 2; KID=${KIDS[1]}; VERSION=${KIDS[0]##*/}
            OLD=\"azurekms://127.0.0.1:$PORT/buyer/$VERSION?alg=ecdsa-p256-sha256&kid=buyer-1\"",
        made_up: &[("ads-prod.vault.azure.net", "127.0.0.1:$PORT")],
        ..ROTATION
    };
    a_rotation_in_google_cloud_kms: Guide {
        section: Some("### Google Cloud KMS"),
        before: "fake_gcp_kms 2",
        ..ROTATION
    };
    a_rotation_in_a_pkcs11_token: Guide {
        section: Some("### PKCS#11"),
        variables: SOFTHSM,
        programs: PKCS11_TOOLS,
        before: "softhsm",
        ..ROTATION
    };
}

#[test]
fn every_block_of_commands_is_run_or_left_out_for_a_reason() {
    let (mut left_out, mut unknown) = (vec![0; LEFT_OUT.len()], Vec::new());
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        let run: Vec<usize> = GUIDES
            .iter()
            .filter(|guide| guide.page == page)
            .flat_map(|guide| blocks(&guide.text()))
            .map(|block| block.line)
            .collect();
        for block in blocks(&text) {
            match entry(&page, &block.commands) {
                Some((at, _)) => {
                    left_out[at] += 1;
                    assert!(is_shell(&block.commands), "{page}, line {}", block.line);
                }
                None if run.contains(&block.line) => {}
                None => unknown.push(format!("{page}, line {}:\n{}", block.line, block.commands)),
            }
        }
    }
    assert!(unknown.is_empty(), "neither run nor left out:\n{}", unknown.join("\n\n"));
    for ((page, begins, _), count) in LEFT_OUT.iter().zip(left_out) {
        assert_eq!(count, 1, "{page} must have one block that begins with `{begins}`");
    }
}

/// The pages of this project, by their paths in it.
fn pages() -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let skip = name.starts_with('.')
                || ["target", "test-vectors", "corpus"].contains(&name.as_str());
            if path.is_dir() && !skip {
                walk(&path, found);
            } else if name.ends_with(".md") {
                found.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found.sort();
    assert!(found.len() > 25, "{found:?}");
    found
}

/// Whether the shell can parse it.
fn is_shell(commands: &str) -> bool {
    Command::new("bash").args(["-n", "-c", commands]).status().unwrap().success()
}
