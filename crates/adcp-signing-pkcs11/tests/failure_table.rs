//! Every row of the failure table in README.md, provoked, and compared with what is printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::{fs, num::NonZeroUsize, path::Path, time::Duration};

use adcp_signing_core::{
    Algorithm, KeyPurpose, SigningProvider as _, provider::toolkit::KeyOptions,
};
use adcp_signing_pkcs11::{
    KeySelector, PinSource, Pkcs11Config, Pkcs11Provider, TokenSelector, UserPin,
    cryptoki::{mechanism::Mechanism, object::Attribute},
};
use adcp_signing_testkit::{FailureTable, shown};
use futures_util::future::join_all;
use support::{FaultyModule, TestKey, TestToken};

const ED25519: Algorithm = Algorithm::Ed25519;

/// The return values of PKCS#11 3.0 that README.md names.
const CODES: [(&str, u64); 40] = [
    ("CKR_SLOT_ID_INVALID", 0x3),
    ("CKR_GENERAL_ERROR", 0x5),
    ("CKR_FUNCTION_FAILED", 0x6),
    ("CKR_ARGUMENTS_BAD", 0x7),
    ("CKR_NEED_TO_CREATE_THREADS", 0x9),
    ("CKR_CANT_LOCK", 0xa),
    ("CKR_ATTRIBUTE_VALUE_INVALID", 0x13),
    ("CKR_ACTION_PROHIBITED", 0x1b),
    ("CKR_DATA_INVALID", 0x20),
    ("CKR_DATA_LEN_RANGE", 0x21),
    ("CKR_DEVICE_ERROR", 0x30),
    ("CKR_DEVICE_REMOVED", 0x32),
    ("CKR_FUNCTION_NOT_SUPPORTED", 0x54),
    ("CKR_KEY_HANDLE_INVALID", 0x60),
    ("CKR_KEY_SIZE_RANGE", 0x62),
    ("CKR_KEY_TYPE_INCONSISTENT", 0x63),
    ("CKR_KEY_FUNCTION_NOT_PERMITTED", 0x68),
    ("CKR_MECHANISM_INVALID", 0x70),
    ("CKR_MECHANISM_PARAM_INVALID", 0x71),
    ("CKR_OBJECT_HANDLE_INVALID", 0x82),
    ("CKR_PIN_INCORRECT", 0xa0),
    ("CKR_PIN_INVALID", 0xa1),
    ("CKR_PIN_LEN_RANGE", 0xa2),
    ("CKR_PIN_EXPIRED", 0xa3),
    ("CKR_PIN_LOCKED", 0xa4),
    ("CKR_SESSION_CLOSED", 0xb0),
    ("CKR_SESSION_COUNT", 0xb1),
    ("CKR_SESSION_HANDLE_INVALID", 0xb3),
    ("CKR_SESSION_READ_WRITE_SO_EXISTS", 0xb8),
    ("CKR_TOKEN_NOT_PRESENT", 0xe0),
    ("CKR_TOKEN_NOT_RECOGNIZED", 0xe1),
    ("CKR_USER_NOT_LOGGED_IN", 0x101),
    ("CKR_USER_PIN_NOT_INITIALIZED", 0x102),
    ("CKR_USER_TYPE_INVALID", 0x103),
    ("CKR_USER_ANOTHER_ALREADY_LOGGED_IN", 0x104),
    ("CKR_USER_TOO_MANY_TYPES", 0x105),
    ("CKR_DOMAIN_PARAMS_INVALID", 0x130),
    ("CKR_CURVE_NOT_SUPPORTED", 0x140),
    ("CKR_BUFFER_TOO_SMALL", 0x150),
    ("CKR_CRYPTOKI_NOT_INITIALIZED", 0x190),
];
const MORE_CODES: [(&str, u64); 4] = [
    ("CKR_MUTEX_BAD", 0x1a0),
    ("CKR_MUTEX_NOT_LOCKED", 0x1a1),
    ("CKR_LIBRARY_LOAD_FAILED", 0x1b7),
    ("CKR_VENDOR_DEFINED", 0x8000_0000),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_true() -> Result<(), String> {
    let mut table = FailureTable::of_readme(include_str!("../README.md"));
    set_up(&mut table).await;
    let token = match TestToken::from_env() {
        Ok(token) => token,
        Err(reason) => {
            table.rest_not_run(&reason);
            return table.assert();
        }
    };
    let module = token.faulty_module().expect("a C compiler");
    let key = token.key(ED25519);
    codes(&mut table, &token, &module, &key).await;
    keys(&mut table, &token).await;
    faults(&mut table, &token, &module, &key).await;
    let process = "pool::tests::after_a_fork_every_call_is_refused";
    table.elsewhere("after a fork", process);
    table.assert()
}

fn options() -> KeyOptions {
    KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(ED25519).with_key_id("k")
}

fn built(config: Pkcs11Config) -> Pkcs11Provider {
    Pkcs11Provider::new(config.with_options(options())).unwrap()
}

async fn printed(config: Pkcs11Config) -> String {
    shown(built(config).sign(b"base").await)
}

/// Every return value that is named, and one from a real login.
async fn codes(
    table: &mut FailureTable,
    token: &TestToken,
    module: &FaultyModule,
    key: &TestKey<'_>,
) {
    let provider = built(token.config_through(&module.path, &key.label));
    for (row, codes) in table.codes() {
        for code in codes {
            let numbers = || CODES.iter().chain(&MORE_CODES);
            let number = numbers().find(|(name, _)| *name == code);
            let number = number.unwrap_or_else(|| panic!("{code} has no number")).1;
            provider.sign(b"base").await.unwrap();
            module.fail(&format!("return {number}"));
            let printed = shown(provider.sign(b"base").await);
            module.heal();
            // A token that no slot has is looked for in all slots, which says more.
            let told_by_module = !code.starts_with("CKR_TOKEN_NOT_");
            let told = if told_by_module { without_code(&printed, &code) } else { printed };
            table.check(&row, &code, &told);
        }
    }
    match token.locked_config(ED25519) {
        Some(config) => {
            let provider = built(config);
            let row = "`CKR_PIN_INCORRECT`, `CKR_PIN_INVALID`, `CKR_PIN_LEN_RANGE`";
            let printed = shown(provider.sign(b"base").await);
            table.check(row, "a login", &without_code(&printed, "CKR_PIN_INCORRECT"));
            let row = "a PIN that the token refused before";
            table.check(row, "", &shown(provider.sign(b"base").await));
        }
        None => {
            let row = "a PIN that the token refused before";
            table.not_run(row, "ADCP_TEST_PKCS11_SO_PIN is not set");
        }
    }
}

/// Takes `CODE from C_FUNCTION: ` away, which must be there.
fn without_code(printed: &str, code: &str) -> String {
    let (kind, message) = printed.split_once(": ").unwrap();
    // The number of what a vendor defines stands between both.
    let of_module = |message: &str| message.starts_with(code) && message.contains(" from C_");
    match Some(message).filter(|message| of_module(message)) {
        Some(rest) => format!("{kind}: {}", rest.split_once(": ").unwrap().1),
        None => format!("{printed} (without {code})"),
    }
}

async fn keys(table: &mut FailureTable, token: &TestToken) {
    let of_nobody = token.config("adcp-test-of-nobody");
    table.check("no private key matches", "", &printed(of_nobody).await);

    let selector = KeySelector::label("adcp-test-of-nobody");
    let config = Pkcs11Config::new(selector.clone(), KeyPurpose::RequestSigning);
    let without_pin =
        config.with_module(&token.module).with_token(TokenSelector::label(&token.label));
    table.check("no private key matches, and there is no PIN", "", &printed(without_pin).await);
    let config = Pkcs11Config::new(selector.clone(), KeyPurpose::RequestSigning);
    let no_token = config.with_module(&token.module).with_token(TokenSelector::label("of nobody"));
    table.check("no token matches", "", &printed(no_token).await);
    let several =
        Pkcs11Config::new(selector, KeyPurpose::RequestSigning).with_module(&token.module);
    match token.locked_config(ED25519) {
        Some(_) => table.check("several tokens match", "", &printed(several).await),
        None => table.not_run("several tokens match", "ADCP_TEST_PKCS11_SO_PIN is not set"),
    }

    let key = token.key(ED25519);
    key.add(ED25519, b"second");
    table.check("several private keys match", "", &printed(token.config(&key.label)).await);
    let key = token.key(ED25519);
    key.destroy_public_half();
    table.check("no public key object", "", &printed(token.config(&key.label)).await);
    let key = token.key_with(ED25519, false);
    table.check("`CKA_SIGN` is false", "", &printed(token.config(&key.label)).await);
    let key = token.key(Algorithm::EcdsaP256Sha256);
    table.check("another algorithm than declared", "", &printed(token.config(&key.label)).await);

    let key = token.key(ED25519);
    key.destroy();
    // secp384r1
    let curve = Attribute::EcParams(vec![0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22]);
    generate(token, &key.label, Mechanism::EccKeyPairGen, curve, &[]);
    table.check("another curve", "", &printed(token.config(&key.label)).await);

    let key = token.key(ED25519);
    key.destroy();
    let curve = Attribute::EcParams(b"\x13\x0cedwards25519".to_vec());
    let always = [Attribute::AlwaysAuthenticate(true)];
    generate(token, &key.label, Mechanism::EccEdwardsKeyPairGen, curve, &always);
    table.check("`CKA_ALWAYS_AUTHENTICATE` is true", "", &printed(token.config(&key.label)).await);

    let key = token.key(ED25519);
    let provider = built(token.config(&key.label));
    provider.sign(b"base").await.unwrap();
    key.replace(ED25519);
    // The session that is open sees that its key is gone, and the next one sees another.
    let printed = shown(provider.sign(b"base").await);
    table.check("another key has taken the first one's place", "", &printed);
}

/// A key pair that the helpers do not make.
fn generate(
    token: &TestToken,
    label: &str,
    mechanism: Mechanism<'_>,
    curve: Attribute,
    private: &[Attribute],
) {
    let named =
        [Attribute::Token(true), Attribute::Label(label.into()), Attribute::Id(label.into())];
    let public =
        [&named[..], &[curve, Attribute::Private(false), Attribute::Verify(true)]].concat();
    let signs = [Attribute::Private(true), Attribute::Sensitive(true), Attribute::Sign(true)];
    let private = [&named[..], &signs, private].concat();
    token.session().generate_key_pair(&mechanism, &public, &private).unwrap();
}

async fn faults(
    table: &mut FailureTable,
    token: &TestToken,
    module: &FaultyModule,
    key: &TestKey<'_>,
) {
    let config = || token.config_through(&module.path, &key.label);
    module.fail("mechanism 112");
    table.check("the token has no mechanism", "", &printed(config()).await);
    module.heal();
    // Of a module that nothing has started yet.
    let fresh = token.faulty_module().expect("a C compiler");
    fresh.fail("start 5");
    let stopped = token.config_through(&fresh.path, &key.label);
    table.check("the module does not start", "", &printed(stopped).await);

    let provider = built(config());
    provider.sign(b"base").await.unwrap();
    module.fail("truncate 0");
    table.check("a signature of the wrong length", "", &shown(provider.sign(b"base").await));
    module.fail("hang");
    let one = config().with_sessions(NonZeroUsize::MIN).with_queue(1);
    let provider = built(one.with_timeout(Duration::from_millis(400)));
    let outcomes = join_all((0..4).map(|_| provider.sign(b"base"))).await;
    module.heal();
    for outcome in outcomes {
        let printed = shown(outcome);
        let row = match printed.starts_with("timeout") {
            true => "no answer in time",
            false => "the queue is full",
        };
        table.check(row, "", &printed);
    }
}

async fn set_up(table: &mut FailureTable) {
    let config = || Pkcs11Config::new(KeySelector::label("k"), KeyPurpose::RequestSigning);
    let new = |config: Pkcs11Config| shown(Pkcs11Provider::new(config.with_options(options())));
    table.check("nothing names the module", "", &new(config()));
    table.check("the module's path is not absolute", "", &new(config().with_module("m.so")));
    let gone = config().with_module("/nowhere/module.so");
    table.check("the module cannot be loaded", "gone", &printed(gone).await);
    let text = config().with_module(env!("CARGO_MANIFEST_PATH"));
    table.check("the module cannot be loaded", "a text", &printed(text).await);
    let none = Path::new("/lib/x86_64-linux-gnu/libc.so.6");
    match none.exists() {
        true => table.check("the module is none", "", &printed(config().with_module(none)).await),
        false => table.not_run("the module is none", "the C library is not where Debian has it"),
    }
    table.check("a PIN that none can be", "", &shown(UserPin::new("1\x002")));

    let Ok(token) = TestToken::from_env() else { return };
    let Some(locked) = token.locked_config(ED25519) else {
        for row in [
            "the variable of the PIN is not set",
            "the PIN file cannot be read",
            "the PIN file has more than one line",
        ] {
            table.not_run(row, "ADCP_TEST_PKCS11_SO_PIN is not set");
        }
        return;
    };
    drop(locked);
    let two_lines = tempfile::NamedTempFile::new().unwrap();
    fs::write(two_lines.path(), "1234\n5678\n").unwrap();
    for (row, pin) in [
        ("the variable of the PIN is not set", PinSource::Env("ADCP_TEST_NOT_SET".to_owned())),
        ("the PIN file cannot be read", PinSource::File("/nowhere/pin".into())),
        ("the PIN file has more than one line", PinSource::File(two_lines.path().to_owned())),
    ] {
        let locked = token.locked_config(ED25519).unwrap();
        table.check(row, "", &printed(locked.with_pin(pin)).await);
    }
}
