//! What authors of backends share: key URIs, options, environment variables, endpoints, files of
//! secrets, failures of HTTP services, and what is fetched once.

mod clock_skew;
mod created;
mod endpoint;
mod environment;
mod fetch_once;
mod http_failure;
mod key_uri;
mod local_uri;
mod network_cause;
mod options;
mod percent;
mod scheme;
mod secret_file;
mod trust;

pub(crate) use self::options::ALGORITHMS;
pub use self::{
    clock_skew::ClockSkew,
    created::CreatedKey,
    endpoint::{Endpoint, EndpointError},
    environment::Environment,
    fetch_once::FetchOnce,
    http_failure::{MAX_RETRY_AFTER, ServiceAnswer, kind_of_status, retry_after},
    key_uri::{KeyUriError, KeyUriParts, add_pin, take_pin},
    local_uri::{InProcessKeys, LocalKeyUri},
    network_cause::NetworkCause,
    options::KeyOptions,
    percent::{PercentEncoded, percent_decode, percent_decode_bytes, write_query},
    scheme::KeyUriScheme,
    secret_file::{OPERATOR, SecretFileError, read_secret_file, read_trust_file},
    trust::certificates_from_pem,
};
