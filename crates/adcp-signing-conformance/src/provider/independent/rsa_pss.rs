//! RSASSA-PSS-VERIFY with SHA-512 and a salt of 64 bytes, as RFC 8017 §8.1.2 and §9.1.2 write it
//! down. Slow, and of public values only.

use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use sha2::{Digest as _, Sha512};

const HASH_LEN: usize = 64;
const SALT_LEN: usize = 64;

/// `Some` where the signature of the message is consistent with the key.
pub(super) fn verify(n: &[u8], e: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    // RSAVP1, §5.2.2.
    if signature.len() != n.len() || signature >= n {
        return None;
    }
    let modulus = BoxedUint::from_be_slice_vartime(n);
    let modulus_bits = usize::try_from(modulus.bits_vartime()).ok()?;
    let precision = modulus.bits_precision();
    let params = BoxedMontyParams::new_vartime(Odd::new(modulus).into_option()?);
    let signature = BoxedUint::from_be_slice(signature, precision).ok()?;
    let power = BoxedMontyForm::new(signature, &params)
        .pow(&BoxedUint::from_be_slice_vartime(e))
        .retrieve();

    // EMSA-PSS-VERIFY, §9.1.2; emBits is one less than the bits of the modulus.
    let em_bits = modulus_bits.checked_sub(1)?;
    let em_len = em_bits.div_ceil(8);
    let power = power.to_be_bytes();
    let (zeros, em) = power.split_at_checked(power.len().checked_sub(em_len)?)?;
    let (masked_db, rest) = em.split_at_checked(em_len.checked_sub(HASH_LEN + 1)?)?;
    let (hash, trailer) = rest.split_at_checked(HASH_LEN)?;
    let unused_bits = 8 * em_len - em_bits;
    let unused = !(0xff_u8 >> unused_bits);
    if zeros.iter().any(|byte| *byte != 0) || trailer != [0xbc] || masked_db.first()? & unused != 0
    {
        return None;
    }
    let mut db: Vec<u8> = masked_db
        .iter()
        .zip(mgf1(hash, masked_db.len()))
        .map(|(masked, mask)| masked ^ mask)
        .collect();
    *db.first_mut()? &= !unused;
    let (padding, salt) = db.split_at_checked(db.len().checked_sub(SALT_LEN)?)?;
    let (one, zeros) = padding.split_last()?;
    if *one != 1 || zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    let message_hash = Sha512::digest(message);
    let expected =
        Sha512::new().chain_update([0; 8]).chain_update(message_hash).chain_update(salt).finalize();
    (expected.as_slice() == hash).then_some(())
}

/// MGF1 with SHA-512, §B.2.1.
fn mgf1(seed: &[u8], len: usize) -> Vec<u8> {
    (0_u32..)
        .flat_map(|counter| {
            Sha512::new().chain_update(seed).chain_update(counter.to_be_bytes()).finalize()
        })
        .take(len)
        .collect()
}
