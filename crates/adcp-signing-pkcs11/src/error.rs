//! From the return values of a module (`CKR_…`) to the kinds of [`ProviderError`].

use adcp_signing_core::{ProviderError, ProviderErrorKind};
use cryptoki::{
    context::Function,
    error::{Error, RvError},
};

/// Why something with a token did not work.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The module, or the binding to it, said so.
    Module(Error),
    /// This crate said so.
    Ours(ProviderError),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Module(error)
    }
}

impl From<ProviderError> for Fault {
    fn from(error: ProviderError) -> Self {
        Self::Ours(error)
    }
}

impl Fault {
    /// An error of this crate's.
    pub(crate) fn new(kind: ProviderErrorKind, message: &'static str) -> Self {
        Self::Ours(ProviderError::new(kind, message))
    }

    /// Whether the session, the login or the key handle is gone, so that a fresh session may do
    /// better at once.
    pub(crate) fn is_session_loss(&self) -> bool {
        matches!(
            self,
            Self::Module(Error::Pkcs11(
                RvError::SessionHandleInvalid
                    | RvError::SessionClosed
                    | RvError::DeviceRemoved
                    | RvError::TokenNotPresent
                    | RvError::TokenNotRecognized
                    | RvError::SlotIdInvalid
                    | RvError::UserNotLoggedIn
                    | RvError::KeyHandleInvalid
                    | RvError::ObjectHandleInvalid
                    | RvError::CryptokiNotInitialized,
                _
            ))
        )
    }

    /// Whether this is the module's answer `value`.
    pub(crate) fn is(&self, value: RvError) -> bool {
        matches!(self, Self::Module(Error::Pkcs11(actual, _)) if *actual == value)
    }
}

impl From<Fault> for ProviderError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Ours(error) => error,
            Fault::Module(Error::Pkcs11(value, function)) => {
                let (kind, cure) = match (meaning(value), function) {
                    ((ProviderErrorKind::Unavailable, _), Function::Initialize) => (
                        ProviderErrorKind::Unavailable,
                        "the module did not start; see whether its own configuration is found and its device reachable",
                    ),
                    (meaning, _) => meaning,
                };
                let message = format!("{} from C_{function:?}: {cure}", ckr_name(value));
                Self::new(kind, message).with_source(Error::Pkcs11(value, function))
            }
            Fault::Module(error) => {
                let (kind, cure) = binding_meaning(&error);
                Self::new(kind, cure).with_source(error)
            }
        }
    }
}

/// The one table of what return values mean and what to do about them; the README shows it.
fn meaning(value: RvError) -> (ProviderErrorKind, &'static str) {
    use ProviderErrorKind as Kind;
    match value {
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => (
            Kind::AccessDenied,
            "the token refused the PIN; correct it where `pin-source` points, before the token locks",
        ),
        RvError::PinLocked => {
            (Kind::AccessDenied, "the PIN is locked; have the security officer reset it")
        }
        RvError::PinExpired => {
            (Kind::AccessDenied, "the PIN has expired; set a new one on the token")
        }
        RvError::UserPinNotInitialized => {
            (Kind::AccessDenied, "the token has no user PIN yet; have the security officer set one")
        }
        RvError::UserTypeInvalid | RvError::UserTooManyTypes => (
            Kind::AccessDenied,
            "the token does not let this user log in; give the PIN of its normal user (CKU_USER)",
        ),
        RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid => (
            Kind::KeyNotFound,
            "the key is no longer on the token; see who removed it, or name another",
        ),
        RvError::KeyFunctionNotPermitted | RvError::ActionProhibited => {
            (Kind::KeyDisabled, "the key may not sign; set CKA_SIGN, or use another key")
        }
        RvError::KeyTypeInconsistent
        | RvError::KeySizeRange
        | RvError::MechanismInvalid
        | RvError::MechanismParamInvalid
        | RvError::CurveNotSupported
        | RvError::DomainParamsInvalid
        | RvError::DataInvalid
        | RvError::FunctionNotSupported => (
            Kind::AlgorithmMismatch,
            "the token cannot sign with this algorithm and this key; correct `alg`, or make a key that it can sign with",
        ),
        RvError::DataLenRange => (
            Kind::MessageTooLarge,
            "the token does not sign a message of this length; use a P-256 key: only its digest goes to the token",
        ),
        RvError::SessionCount => (
            Kind::Throttled,
            "the token has no session left; allow this provider fewer, or close other programs' sessions",
        ),
        RvError::SessionReadWriteSoExists | RvError::UserAnotherAlreadyLoggedIn => (
            Kind::Configuration,
            "this process is logged in to the token as another user; log that one out",
        ),
        RvError::ArgumentsBad
        | RvError::CantLock
        | RvError::NeedToCreateThreads
        | RvError::LibraryLoadFailed
        | RvError::MutexBad
        | RvError::MutexNotLocked => (
            Kind::Configuration,
            "the module (`module-path`, ADCP_PKCS11_MODULE) cannot be used this way; see its own configuration and log",
        ),
        RvError::BufferTooSmall | RvError::AttributeValueInvalid => (
            Kind::InvalidResponse,
            "the module contradicts itself; see whether it is the right one for the token",
        ),
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        | RvError::UserNotLoggedIn
        | RvError::CryptokiNotInitialized => (
            Kind::Unavailable,
            "the session with the token was lost, and so was its successor; see what closes sessions or logs out",
        ),
        RvError::DeviceRemoved
        | RvError::TokenNotPresent
        | RvError::TokenNotRecognized
        | RvError::SlotIdInvalid => (
            Kind::Unavailable,
            "the token is gone; see whether its device is connected and reachable",
        ),
        // The device, its memory or its network, and whatever a vendor defines.
        _ => (Kind::Unavailable, "the module or its device failed; see the module's own log"),
    }
}

fn binding_meaning(error: &Error) -> (ProviderErrorKind, &'static str) {
    use ProviderErrorKind as Kind;
    match error {
        Error::LibraryLoading(_) => (
            Kind::Configuration,
            "the PKCS#11 module (`module-path`, ADCP_PKCS11_MODULE) cannot be loaded; see whether it is there, for this architecture, \
             and readable",
        ),
        Error::MissingSymbol(_) | Error::NullFunctionPointer => (
            Kind::Configuration,
            "the library (`module-path`, ADCP_PKCS11_MODULE) is not a PKCS#11 module, or lacks a function that signing needs",
        ),
        Error::PinNotSet | Error::NulError(_) => {
            (Kind::Configuration, "the PIN (`pin-source`, ADCP_PKCS11_PIN) cannot be used")
        }
        Error::NotSupported => {
            (Kind::AlgorithmMismatch, "the token's key is of a type that cannot be used here")
        }
        _ => (Kind::InvalidResponse, "the module's answer cannot be read"),
    }
}

/// `PinIncorrect` as the standard writes it, `CKR_PIN_INCORRECT`.
fn ckr_name(value: RvError) -> String {
    match value {
        RvError::VendorDefined(code) => format!("CKR_VENDOR_DEFINED ({code:#x})"),
        RvError::UnknownErrorCode(code) => format!("CKR {code:#x}"),
        known => {
            let mut name = String::from("CKR");
            for char in format!("{known:?}").chars() {
                if char.is_ascii_uppercase() {
                    name.push('_');
                }
                name.push(char.to_ascii_uppercase());
            }
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_values_have_one_meaning() {
        use ProviderErrorKind as Kind;
        let cases = [
            (RvError::PinIncorrect, Kind::AccessDenied, "CKR_PIN_INCORRECT", false),
            (RvError::PinLocked, Kind::AccessDenied, "CKR_PIN_LOCKED", false),
            (RvError::KeyHandleInvalid, Kind::KeyNotFound, "CKR_KEY_HANDLE_INVALID", true),
            (
                RvError::KeyFunctionNotPermitted,
                Kind::KeyDisabled,
                "CKR_KEY_FUNCTION_NOT_PERMITTED",
                false,
            ),
            (RvError::MechanismInvalid, Kind::AlgorithmMismatch, "CKR_MECHANISM_INVALID", false),
            (RvError::DataLenRange, Kind::MessageTooLarge, "CKR_DATA_LEN_RANGE", false),
            (RvError::SessionCount, Kind::Throttled, "CKR_SESSION_COUNT", false),
            (RvError::SessionHandleInvalid, Kind::Unavailable, "CKR_SESSION_HANDLE_INVALID", true),
            (RvError::DeviceRemoved, Kind::Unavailable, "CKR_DEVICE_REMOVED", true),
            (RvError::TokenNotPresent, Kind::Unavailable, "CKR_TOKEN_NOT_PRESENT", true),
            (RvError::UserNotLoggedIn, Kind::Unavailable, "CKR_USER_NOT_LOGGED_IN", true),
            (RvError::DeviceError, Kind::Unavailable, "CKR_DEVICE_ERROR", false),
            (
                RvError::VendorDefined(0x8000_0012),
                Kind::Unavailable,
                "CKR_VENDOR_DEFINED (0x80000012)",
                false,
            ),
            (RvError::CantLock, Kind::Configuration, "CKR_CANT_LOCK", false),
        ];
        for (value, kind, name, session_loss) in cases {
            let fault = Fault::Module(Error::Pkcs11(value, Function::Sign));
            assert_eq!(fault.is_session_loss(), session_loss, "{name}");
            let error = ProviderError::from(fault);
            assert_eq!(error.kind(), kind, "{name}");
            assert!(
                error.to_string().starts_with(&format!("{kind}: {name} from C_Sign: ")),
                "{error}"
            );
        }
    }
}
