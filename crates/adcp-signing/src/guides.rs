//! The programs of the guides are tests, and so is what must not compile.

#[doc = include_str!("../../../docs/backends/new.md")]
struct NewBackend;

#[doc = include_str!("../../../docs/signing.md")]
struct Signing;

#[doc = include_str!("../../../docs/verifying.md")]
struct Verifying;

/// A handler that reads the request without asking who signed does not compile. Each program that
/// must not compile stands next to one that does and differs in one line.
///
/// The request is not in the answer until the handler asks:
///
/// ```
/// use adcp_signing::{Context, Origin, Rejection, Verifier};
///
/// type Request = http::Request<Vec<u8>>;
///
/// async fn handle(verifier: &Verifier, origin: &Origin, request: Request) -> Result<(), Rejection> {
///     let received = verifier.verify_http(request, origin, &Context::webhook()).await?;
///     let (_signer, received) = received.signed()?;
///     println!("{} bytes", received.body().len());
///     Ok(())
/// }
/// ```
///
/// ```compile_fail,E0599
/// use adcp_signing::{Context, Origin, Rejection, Verifier};
///
/// type Request = http::Request<Vec<u8>>;
///
/// async fn handle(verifier: &Verifier, origin: &Origin, request: Request) -> Result<(), Rejection> {
///     let received = verifier.verify_http(request, origin, &Context::webhook()).await?;
///     // no method `body`: whoever signed was not asked
///     println!("{} bytes", received.body().len());
///     Ok(())
/// }
/// ```
struct RequestComesWithTheAnswer;

/// The request was given away, so what was received cannot be processed instead:
///
/// ```
/// use adcp_signing::{Context, Origin, Rejection, Verifier};
///
/// type Request = http::Request<Vec<u8>>;
///
/// async fn handle(verifier: &Verifier, origin: &Origin, request: Request) -> Result<(), Rejection> {
///     let (_signer, request) =
///         verifier.verify_http(request, origin, &Context::webhook()).await?.signed()?;
///     println!("{} bytes", request.body().len());
///     Ok(())
/// }
/// ```
///
/// ```compile_fail,E0382
/// use adcp_signing::{Context, Origin, Rejection, Verifier};
///
/// type Request = http::Request<Vec<u8>>;
///
/// async fn handle(verifier: &Verifier, origin: &Origin, request: Request) -> Result<(), Rejection> {
///     let _received =
///         verifier.verify_http(request, origin, &Context::webhook()).await?.signed()?;
///     println!("{} bytes", request.body().len());
///     Ok(())
/// }
/// ```
struct RequestIsGivenAway;

/// An answer that is dropped is a warning, and an error where unused results are denied:
///
/// ```
/// #![deny(unused_must_use)]
/// use adcp_signing::{Context, Origin, Rejection, Verifier};
///
/// type Request = http::Request<Vec<u8>>;
///
/// async fn handle(verifier: &Verifier, origin: &Origin, request: Request) -> Result<(), Rejection> {
///     verifier.verify_http(request, origin, &Context::webhook()).await?.signed()?;
///     Ok(())
/// }
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// use adcp_signing::{Context, Origin, Rejection, Verifier};
///
/// type Request = http::Request<Vec<u8>>;
///
/// async fn handle(verifier: &Verifier, origin: &Origin, request: Request) -> Result<(), Rejection> {
///     verifier.verify_http(request, origin, &Context::webhook()).await?;
///     Ok(())
/// }
/// ```
///
/// So is an answer about a request whose parts the handler kept:
///
/// ```
/// #![deny(unused_must_use)]
/// use adcp_signing::{Context, Origin, Rejection, Verifier};
/// use http::request::Parts;
///
/// async fn handle(verifier: &Verifier, origin: &Origin, parts: Parts) -> Result<(), Rejection> {
///     verifier.verify_parts(&parts, b"", origin, &Context::webhook()).await?.signer()?;
///     Ok(())
/// }
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// use adcp_signing::{Context, Origin, Rejection, Verifier};
/// use http::request::Parts;
///
/// async fn handle(verifier: &Verifier, origin: &Origin, parts: Parts) -> Result<(), Rejection> {
///     verifier.verify_parts(&parts, b"", origin, &Context::webhook()).await?;
///     Ok(())
/// }
/// ```
struct AnswerIsLookedAt;
