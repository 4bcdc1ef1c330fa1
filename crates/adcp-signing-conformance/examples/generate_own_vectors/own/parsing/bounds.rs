//! Each bound from both sides: the most that is read, and one more.

use anyhow::Result;

use super::{FOLDER, malformed, request};
use crate::own::{
    keys::{ED25519, Keys},
    message::Sent,
    vector::{Suite, Vector},
};

const BOUNDS: &str = "bound of this project: 8 KiB a field, 32 members, components and parameters";

pub(super) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let signed = || request().sign(keys, ED25519);
    let padded = |field: &'static str, length: usize| -> Result<Sent> {
        Ok(signed()?.respell(field, |text| {
            let filler = "a".repeat(length - text.len() - ", pad=\"\"".len());
            format!("{text}, pad=\"{filler}\"")
        }))
    };
    let members = |count: usize| -> Result<Sent> {
        let others: String = (1..count).map(|number| format!(", l{number}=1")).collect();
        Ok(signed()?.respell("Signature-Input", |text| format!("{text}{others}")))
    };
    let components = |count: usize| {
        let fields = (1..=count - 5).map(|number| format!("x-{number}"));
        fields
            .fold(request(), |message, name| {
                message.header(&name, "v").cover(&format!("\"{name}\""))
            })
            .sign(keys, ED25519)
    };
    let params = |count: usize| {
        let names = (1..=count - 6).map(|number| format!("p{number}"));
        names.fold(request(), |message, name| message.another_param(&name, "1")).sign(keys, ED25519)
    };
    let nonce = |length: usize| request().nonce(&"A".repeat(length)).sign(keys, ED25519);
    let input = |length| padded("Signature-Input", length);
    let signature = |length| padded("Signature", length);
    for [(slug, name, within), (slug_beyond, name_beyond, beyond)] in [
        [
            ("input-8192-bytes", "Signature-Input at the bound of 8192 bytes", input(8192)?),
            ("input-8193-bytes", "Signature-Input of 8193 bytes", input(8193)?),
        ],
        [
            ("signature-8192-bytes", "Signature at the bound of 8192 bytes", signature(8192)?),
            ("signature-8193-bytes", "Signature of 8193 bytes", signature(8193)?),
        ],
        [
            ("members-32", "Signature-Input at the bound of 32 labels", members(32)?),
            ("members-33", "Signature-Input with 33 labels", members(33)?),
        ],
        [
            ("components-32", "The list at the bound of 32 components", components(32)?),
            ("components-33", "33 covered components", components(33)?),
        ],
        [
            ("parameters-32", "The list at the bound of 32 parameters", params(32)?),
            ("parameters-33", "33 parameters", params(33)?),
        ],
        [
            ("nonce-256-characters", "The nonce at the bound of 256 characters", nonce(256)?),
            ("nonce-258-characters", "A nonce of 258 characters", nonce(258)?),
        ],
    ] {
        suite.add(Vector::new(FOLDER, slug, name, BOUNDS, within).verifier_only());
        suite.add(malformed(slug_beyond, name_beyond, BOUNDS, beyond));
    }
    Ok(())
}
