//! PKCS#11 modules, of which a process has one instance each, and the slot of a token.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use adcp_signing_core::ProviderErrorKind;
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    slot::{Slot, TokenInfo},
};
use parking_lot::Mutex;

use crate::{error::Fault, selector::TokenSelector};

/// The modules that this process has loaded, which stay loaded: those with threads of their own do
/// not survive being unloaded. PKCS#11 has one state for a module and process, and `C_Initialize`
/// may be called by one thread at a time, so all providers share this.
static MODULES: LazyLock<Mutex<HashMap<PathBuf, Arc<Module>>>> = LazyLock::new(Mutex::default);

/// A module; the lock is held while it is loaded, initialized, and asked for its slots: SoftHSM 2.6
/// can abort the process when two threads do that at once.
#[derive(Default)]
struct Module(Mutex<Option<Pkcs11>>);

/// Where a token is.
pub(crate) enum TokenPlace {
    /// On a module that the first session loads.
    Module { path: PathBuf, token: TokenSelector, slot: Mutex<Option<Slot>> },
    /// In a slot of a module that the caller has loaded and initialized.
    Slot { context: Pkcs11, slot: Slot },
}

impl TokenPlace {
    pub(crate) fn on_module(path: PathBuf, token: TokenSelector) -> Self {
        Self::Module { path, token, slot: Mutex::new(None) }
    }

    /// The slot that the token is in now.
    pub(crate) fn find(&self) -> Result<(Pkcs11, Slot, TokenInfo), Fault> {
        let (path, token, known) = match self {
            Self::Slot { context, slot } => {
                return Ok((context.clone(), *slot, context.get_token_info(*slot)?));
            }
            Self::Module { path, token, slot } => (path, token, slot),
        };
        let module = Module::at(path);
        let mut context = module.0.lock();
        let context = match &*context {
            Some(context) => context,
            None => context.insert(Pkcs11::new(path)?),
        };
        // Each time: other code of the process may have initialized the module before, or finalized
        // it meanwhile.
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error.into()),
        }
        let mut known = known.lock();
        if let Some(slot) = *known {
            match context.get_token_info(slot).map_err(Fault::from) {
                Ok(info) if token.matches(slot, &info) => return Ok((context.clone(), slot, info)),
                Err(fault) if !fault.is_session_loss() => return Err(fault),
                // It may be in another slot now.
                Ok(_) | Err(_) => {}
            }
        }
        let (slot, info) = search(context, token)?;
        *known = Some(slot);
        Ok((context.clone(), slot, info))
    }
}

impl Module {
    fn at(path: &Path) -> Arc<Self> {
        // One file under two names is one module.
        let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        MODULES.lock().entry(file).or_default().clone()
    }
}

fn search(context: &Pkcs11, wanted: &TokenSelector) -> Result<(Slot, TokenInfo), Fault> {
    let mut found = None;
    for slot in context.get_slots_with_token()? {
        let token = match context.get_token_info(slot) {
            // One slot without a usable token must not hide the others.
            Err(Error::Pkcs11(RvError::TokenNotPresent | RvError::TokenNotRecognized, _)) => {
                continue;
            }
            info => info?,
        };
        if wanted.matches(slot, &token) && found.replace((slot, token)).is_some() {
            return Err(Fault::new(
                ProviderErrorKind::Configuration,
                "more than one token matches; add `serial=` (or `slot-id=`) to the key URI",
            ));
        }
    }
    found.ok_or_else(|| {
        Fault::new(
            ProviderErrorKind::Unavailable,
            "the module shows no such token; see whether its device is connected, whether the module's own \
             configuration is found, and whether the token's label and serial are right",
        )
    })
}
