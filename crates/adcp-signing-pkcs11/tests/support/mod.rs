//! The token that the environment names, keys on it, and a module that fails on demand.

#![allow(dead_code, reason = "each test binary uses its part of this")]

use std::{
    env, fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::{
        Once, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use adcp_signing_core::{Algorithm, KeyPurpose};
use adcp_signing_pkcs11::{
    KeySelector, PinSource, Pkcs11Config, TokenSelector, UserPin,
    cryptoki::{
        context::{CInitializeArgs, CInitializeFlags, Pkcs11},
        error::{Error, RvError},
        mechanism::Mechanism,
        object::{Attribute, AttributeType, ObjectClass},
        session::{Session, UserType},
        slot::Slot,
    },
};

/// A PIN that no token of these tests has; long enough to look for.
pub(crate) const WRONG_PIN: &str = "wrong-pin-0481516";
/// The label and the PIN of the token that nobody logs in to.
const LOCKED_TOKEN: &str = "adcp-test-locked";
const LOCKED_PIN: &str = "locked-pin-2342";

/// The token to test against.
pub(crate) struct TestToken {
    pub(crate) module: PathBuf,
    pub(crate) label: String,
    pub(crate) pin: String,
    context: Pkcs11,
}

static CONTEXT: OnceLock<Result<Pkcs11, String>> = OnceLock::new();
static LOCKED_TOKEN_MADE: Once = Once::new();
static KEYS: AtomicUsize = AtomicUsize::new(0);

impl TestToken {
    /// The token of the environment, or why there is none. Under `CI=true` there must be one.
    pub(crate) fn from_env() -> Result<Self, String> {
        Self::read().inspect_err(|reason| {
            assert!(env::var("CI").as_deref() != Ok("true"), "under CI this must run: {reason}");
            println!("skipped: {reason}");
        })
    }

    fn read() -> Result<Self, String> {
        let variable = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
        let module = PathBuf::from(variable("ADCP_TEST_PKCS11_MODULE")?);
        let context = CONTEXT.get_or_init(|| initialized(&module)).clone()?;
        let token = Self {
            module,
            label: variable("ADCP_TEST_PKCS11_TOKEN")?,
            pin: variable("ADCP_TEST_PKCS11_PIN")?,
            context,
        };
        LOCKED_TOKEN_MADE.call_once(|| {
            if let Ok(so_pin) = variable("ADCP_TEST_PKCS11_SO_PIN") {
                token.make_locked_token(&so_pin);
            }
        });
        Ok(token)
    }

    pub(crate) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    pub(crate) fn slot(&self) -> Slot {
        self.slot_of(&self.label).expect("the token of ADCP_TEST_PKCS11_TOKEN")
    }

    fn slot_of(&self, label: &str) -> Option<Slot> {
        let slots = self.context.get_slots_with_initialized_token().unwrap();
        slots.into_iter().find(|slot| self.context.get_token_info(*slot).unwrap().label() == label)
    }

    /// A session that may write, logged in.
    pub(crate) fn session(&self) -> Session {
        self.session_with(self.slot(), &self.pin)
    }

    fn session_with(&self, slot: Slot, pin: &str) -> Session {
        let session = self.context.open_rw_session(slot).unwrap();
        match session.login(UserType::User, Some(&pin.into())) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => session,
            Err(error) => panic!("{error}"),
        }
    }

    /// A key pair of its own label, removed with the value.
    pub(crate) fn key(&self, algorithm: Algorithm) -> TestKey<'_> {
        self.key_with(algorithm, true)
    }

    /// A key pair whose private key may sign or may not.
    pub(crate) fn key_with(&self, algorithm: Algorithm, may_sign: bool) -> TestKey<'_> {
        let number = KEYS.fetch_add(1, Ordering::Relaxed);
        let key =
            TestKey { token: self, label: format!("adcp-test-key-{}-{number}", process::id()) };
        generate(&self.session(), algorithm, &key.label, key.label.as_bytes(), may_sign);
        key
    }

    /// A configuration for a key with this label on this token.
    pub(crate) fn config(&self, label: &str) -> Pkcs11Config {
        self.config_through(&self.module, label)
    }

    /// The same through another module.
    pub(crate) fn config_through(&self, module: &Path, label: &str) -> Pkcs11Config {
        self.config_on(module, &self.label, &self.pin, label)
    }

    fn config_on(&self, module: &Path, token: &str, pin: &str, label: &str) -> Pkcs11Config {
        Pkcs11Config::new(KeySelector::label(label), KeyPurpose::RequestSigning)
            .with_module(module)
            .with_token(TokenSelector::label(token))
            .with_pin(PinSource::Value(UserPin::new(pin).unwrap()))
            .with_sessions(NonZeroUsize::new(3).unwrap())
    }

    /// A key on a token that nobody of this process is logged in to, so that a PIN is looked at;
    /// set up with [`WRONG_PIN`]. `None` where no token can be made.
    pub(crate) fn locked_config(&self, algorithm: Algorithm) -> Option<Pkcs11Config> {
        self.slot_of(LOCKED_TOKEN)?;
        Some(self.config_on(&self.module, LOCKED_TOKEN, WRONG_PIN, algorithm.rfc9421_name()))
    }

    /// Makes the token that nobody logs in to. Once for all tests, before any of them has a
    /// provider: the list of slots changes with it, which SoftHSM does not survive under concurrent
    /// use.
    fn make_locked_token(&self, so_pin: &str) -> Option<()> {
        let so_pin = so_pin.into();
        if self.slot_of(LOCKED_TOKEN).is_none() {
            let is_free =
                |slot: &Slot| !self.context.get_token_info(*slot).unwrap().token_initialized();
            let free = self.context.get_slots_with_token().unwrap().into_iter().find(is_free)?;
            self.context.init_token(free, &so_pin, LOCKED_TOKEN).unwrap();
        }
        let slot = self.slot_of(LOCKED_TOKEN)?;
        let session = self.context.open_rw_session(slot).unwrap();
        session.login(UserType::So, Some(&so_pin)).unwrap();
        session.init_pin(&LOCKED_PIN.into()).unwrap();
        session.logout().unwrap();
        let session = self.session_with(slot, LOCKED_PIN);
        for algorithm in Algorithm::ALL {
            let label = algorithm.rfc9421_name();
            if session.find_objects(&[Attribute::Label(label.into())]).unwrap().is_empty() {
                generate(&session, algorithm, label, label.as_bytes(), true);
            }
        }
        session.logout().unwrap();
        Some(())
    }

    /// A module that fails as it is told.
    pub(crate) fn faulty_module(&self) -> Option<FaultyModule> {
        FaultyModule::build(&self.module)
    }
}

/// A key pair on the test token.
pub(crate) struct TestKey<'a> {
    token: &'a TestToken,
    pub(crate) label: String,
}

impl TestKey<'_> {
    /// Removes the pair.
    pub(crate) fn destroy(&self) {
        let session = self.token.session();
        for object in session.find_objects(&[Attribute::Label(self.label.clone().into())]).unwrap()
        {
            session.destroy_object(object).unwrap();
        }
    }

    /// Removes the pair and makes another with the same label.
    pub(crate) fn replace(&self, algorithm: Algorithm) {
        self.destroy();
        self.add(algorithm, b"replacement");
    }

    /// Makes another pair with the same label.
    pub(crate) fn add(&self, algorithm: Algorithm, id: &[u8]) {
        generate(&self.token.session(), algorithm, &self.label, id, true);
    }

    /// Sets whether the private key may sign.
    pub(crate) fn set_sign(&self, may_sign: bool) {
        let session = self.token.session();
        let private = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Label(self.label.clone().into()),
        ];
        for object in session.find_objects(&private).unwrap() {
            session.update_attributes(object, &[Attribute::Sign(may_sign)]).unwrap();
        }
    }

    /// Removes the public half only.
    pub(crate) fn destroy_public_half(&self) {
        let session = self.token.session();
        let public = [
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::Label(self.label.clone().into()),
        ];
        for object in session.find_objects(&public).unwrap() {
            session.destroy_object(object).unwrap();
        }
    }

    /// The `CKA_EC_POINT` of the public half.
    pub(crate) fn ec_point(&self) -> Vec<u8> {
        let session = self.token.session();
        let public = [
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::Label(self.label.clone().into()),
        ];
        let object = session.find_objects(&public).unwrap()[0];
        match session.get_attributes(object, &[AttributeType::EcPoint]).unwrap().remove(0) {
            Attribute::EcPoint(point) => point,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for TestKey<'_> {
    fn drop(&mut self) {
        self.destroy();
    }
}

fn initialized(module: &Path) -> Result<Pkcs11, String> {
    let context = Pkcs11::new(module).map_err(|error| error.to_string())?;
    let started = context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    started.map(|()| context).map_err(|error| error.to_string())
}

fn generate(session: &Session, algorithm: Algorithm, label: &str, id: &[u8], may_sign: bool) {
    let (mechanism, parameters) = match algorithm {
        Algorithm::Ed25519 => (
            Mechanism::EccEdwardsKeyPairGen,
            vec![Attribute::EcParams(b"\x13\x0cedwards25519".to_vec())],
        ),
        Algorithm::EcdsaP256Sha256 => (
            Mechanism::EccKeyPairGen,
            vec![Attribute::EcParams(vec![
                0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
            ])],
        ),
        _ => (
            Mechanism::RsaPkcsKeyPairGen,
            vec![Attribute::ModulusBits(2048.into()), Attribute::PublicExponent(vec![1, 0, 1])],
        ),
    };
    let named =
        [Attribute::Token(true), Attribute::Label(label.into()), Attribute::Id(id.to_vec())];
    let public =
        [&named[..], &parameters, &[Attribute::Private(false), Attribute::Verify(true)]].concat();
    let private = [
        &named[..],
        &[
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(may_sign),
        ],
    ]
    .concat();
    // SoftHSM answers CKR_GENERAL_ERROR where another copy of it changes the token's files at the
    // same moment.
    let made = (0..20)
        .map(|_| session.generate_key_pair(&mechanism, &public, &private))
        .find(|made| !matches!(made, Err(Error::Pkcs11(RvError::GeneralError, _))));
    made.unwrap().unwrap();
}

/// The real module behind one that fails as a file says.
#[derive(Debug)]
pub(crate) struct FaultyModule {
    folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl FaultyModule {
    /// Compiles it; `None` without a C compiler.
    fn build(real: &Path) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faulty.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/faulty_module.c");
        let define = |name: &str, value: &Path| format!("-D{name}=\"{}\"", value.display());
        let mut compiler = Command::new(env::var("CC").unwrap_or_else(|_| "cc".to_owned()));
        compiler.args(["-std=gnu99", "-shared", "-fPIC", "-o"]).arg(&path);
        compiler.arg(define("REAL", real)).arg(define("CONTROL", &folder.path().join("fault")));
        let compiled = compiler.arg(&source).arg("-ldl").status().ok()?;
        assert!(compiled.success(), "the faulty module does not compile");
        Some(Self { folder, path })
    }

    /// From now on the module fails so.
    pub(crate) fn fail(&self, how: &str) {
        let next = self.folder.path().join("next");
        fs::write(&next, how).unwrap();
        fs::rename(next, self.folder.path().join("fault")).unwrap();
    }

    pub(crate) fn heal(&self) {
        let _ = fs::remove_file(self.folder.path().join("fault"));
    }

    /// How many calls met a fault.
    pub(crate) fn met(&self) -> u64 {
        fs::metadata(self.folder.path().join("fault.count")).map_or(0, |count| count.len())
    }
}

impl Drop for FaultyModule {
    fn drop(&mut self) {
        self.heal();
    }
}
