//! The token behind a provider: from its module to a session that is logged in.

use std::path::PathBuf;

use adcp_signing_core::ProviderErrorKind;
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    session::{Session, SessionState, UserType},
    slot::{Slot, TokenInfo},
};
use parking_lot::Mutex;

use crate::{
    error::Fault,
    pin::{Pin, PinSource},
    selector::TokenSelector,
};

/// A token, found again each time a session is opened.
pub(crate) struct Token {
    module: Module,
    pin: PinSource,
    /// Held during a login, so that threads that open their sessions at once do not try a wrong PIN once each. Holds the
    /// PIN that the token refused last.
    login: Mutex<Option<Pin>>,
}

/// Where the module comes from.
pub(crate) enum Module {
    /// Loaded and initialized by the first session, and kept for the life of the process.
    AtPath { path: PathBuf, loaded: Mutex<Option<Pkcs11>>, token: TokenSelector },
    /// The caller's, who initialized it.
    Ready { context: Pkcs11, slot: Slot },
}

impl Token {
    pub(crate) fn new(module: Module, pin: PinSource) -> Self {
        Self { module, pin, login: Mutex::new(None) }
    }

    /// A fresh session with the token, logged in where a PIN is to be had.
    pub(crate) fn open_session(&self) -> Result<(Pkcs11, Slot, Session), Fault> {
        let context = self.module.context()?;
        let (slot, token) = self.module.slot(&context)?;
        let session = context.open_ro_session(slot)?;
        self.log_in(&session, &token)?;
        Ok((context, slot, session))
    }

    /// Whether a key that is not seen may be hidden because there was no login.
    pub(crate) fn has_no_pin(&self) -> bool {
        matches!(self.pin, PinSource::None)
    }

    /// A login holds for all sessions of the process with the token, so mostly there is nothing to do.
    fn log_in(&self, session: &Session, token: &TokenInfo) -> Result<(), Fault> {
        if !token.login_required() {
            return Ok(());
        }
        let mut refused = self.login.lock();
        if is_logged_in(session)? {
            return Ok(());
        }
        let pin = self.pin.read()?;
        let Some(pin) = pin else {
            return match token.protected_authentication_path() {
                true => logged_in(session.login(UserType::User, None)),
                false => Ok(()),
            };
        };
        // A token counts wrong PINs and locks; a retrying caller would use the count up.
        if refused.as_ref().is_some_and(|refused| refused.is_same(&pin)) {
            return Err(Fault::new(
                ProviderErrorKind::AccessDenied,
                "the token refused this PIN before, and it is not tried again, so that the token does not lock; correct it",
            ));
        }
        let result = logged_in(session.login(UserType::User, Some(&pin.to_auth_pin())));
        *refused = match &result {
            Err(fault) if fault.is(RvError::PinIncorrect) => Some(pin),
            _ => None,
        };
        result
    }
}

impl Module {
    pub(crate) fn at_path(path: PathBuf, token: TokenSelector) -> Self {
        Self::AtPath { path, loaded: Mutex::new(None), token }
    }

    fn context(&self) -> Result<Pkcs11, Fault> {
        let (path, loaded) = match self {
            Self::Ready { context, .. } => return Ok(context.clone()),
            Self::AtPath { path, loaded, .. } => (path, loaded),
        };
        let mut loaded = loaded.lock();
        let context = match &*loaded {
            Some(context) => context.clone(),
            None => {
                let context = Pkcs11::new(path)?;
                // Modules with threads of their own do not survive being unloaded.
                std::mem::forget(context.clone());
                context
            }
        };
        // Each time: other code of the process may have finalized the module meanwhile, or initialized it before.
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error.into()),
        }
        *loaded = Some(context.clone());
        Ok(context)
    }

    fn slot(&self, context: &Pkcs11) -> Result<(Slot, TokenInfo), Fault> {
        let wanted = match self {
            Self::Ready { slot, .. } => return Ok((*slot, context.get_token_info(*slot)?)),
            Self::AtPath { token, .. } => token,
        };
        let mut found = None;
        for slot in context.get_slots_with_token()? {
            let token = match context.get_token_info(slot) {
                // One slot without a usable token must not hide the others.
                Err(Error::Pkcs11(RvError::TokenNotPresent | RvError::TokenNotRecognized, _)) => continue,
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
}

fn is_logged_in(session: &Session) -> Result<bool, Fault> {
    match session.get_session_info()?.session_state() {
        SessionState::RoUser | SessionState::RwUser => Ok(true),
        _ => Ok(false),
    }
}

/// Another thread's login, or other code's, serves as well.
fn logged_in(result: Result<(), Error>) -> Result<(), Fault> {
    match result {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
