//! The token behind a provider: sessions with it that are logged in.

use adcp_signing_core::ProviderErrorKind;
use cryptoki::{
    context::Pkcs11,
    error::{Error, RvError},
    session::{Session, SessionState, UserType},
    slot::{Slot, TokenInfo},
};
use parking_lot::Mutex;

use crate::{
    error::Fault,
    module::TokenPlace,
    pin::{PinSource, UserPin},
};

/// A token, found again each time a session is opened.
pub(crate) struct Token {
    place: TokenPlace,
    pin: PinSource,
    /// Held during a login, so that threads that open their sessions at once do not try a wrong PIN
    /// once each. Holds the PIN that the token refused last.
    login: Mutex<Option<UserPin>>,
}

impl Token {
    pub(crate) fn new(place: TokenPlace, pin: PinSource) -> Self {
        Self { place, pin, login: Mutex::new(None) }
    }

    /// A fresh session with the token, logged in where a PIN is to be had.
    pub(crate) fn open_session(&self) -> Result<(Pkcs11, Slot, Session), Fault> {
        self.open(Pkcs11::open_ro_session)
    }

    /// The same, for a session that may make objects.
    pub(crate) fn open_session_to_write(&self) -> Result<(Pkcs11, Slot, Session), Fault> {
        self.open(Pkcs11::open_rw_session)
    }

    fn open(
        &self,
        open: impl FnOnce(&Pkcs11, Slot) -> Result<Session, Error>,
    ) -> Result<(Pkcs11, Slot, Session), Fault> {
        let (context, slot, token) = self.place.find()?;
        let session = open(&context, slot)?;
        self.log_in(&session, &token)?;
        Ok((context, slot, session))
    }

    /// Whether a key that is not seen may be hidden because there was no login.
    pub(crate) fn has_no_pin(&self) -> bool {
        matches!(self.pin, PinSource::None)
    }

    /// A login holds for all sessions of the process with the token, so mostly there is nothing to
    /// do.
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
