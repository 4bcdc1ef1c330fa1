//! `Received`: a message, looked at once. Every later step reads what was found here.

use std::{borrow::Cow, fmt};

use super::{Bound, Reason, Rejection, Step};
use crate::{
    json::{Document, DuplicateKeys, JsonLimits, StrictJsonError, scan_body},
    operation::{BodyView, METHOD_OVERRIDE_FIELDS, Target, is_identity_coded},
    profile::{
        Bounds, Fault, LengthMismatch, Profile, SeveralContentTypes, announced_length,
        has_top_level_comma,
    },
    rfc9421::{FieldLine, Request, structured_fields::trim_ows},
    target_uri::{TargetUri, TargetUriError},
};

/// A message and the profile of the endpoint it came to, with all that the checklist reads of it:
/// the signature fields (repeated lines joined, RFC 9421 §4), the canonical target URI, and the
/// body as JSON. Nothing is parsed a second time.
pub struct Received<'a> {
    head: Head<'a>,
    body: Body<'a>,
}

/// The head of a message, which comes before its body.
pub(super) struct Head<'a> {
    pub(super) profile: &'a Profile,
    pub(super) request: &'a Request<'a>,
    pub(super) fields: Fields<'a>,
    pub(super) target: Result<TargetUri, TargetUriError>,
}

/// The body of a message.
pub(super) struct Body<'a> {
    pub(super) bytes: &'a [u8],
    json: Json<'a>,
}

/// A message as the steps look at it. Its head may have been judged before its body came.
#[derive(Clone, Copy)]
pub(super) struct Message<'r> {
    pub(super) head: &'r Head<'r>,
    pub(super) body: &'r Body<'r>,
}

/// The fields that the checklist reads by name.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) signature_input: Joined<'a>,
    pub(super) signature: Joined<'a>,
    pub(super) content_digest: Joined<'a>,
    pub(super) content_type: Joined<'a>,
    content_encoding: Joined<'a>,
    content_length: Joined<'a>,
    overrides_method: bool,
}

/// The lines of one field, joined as RFC 8941 §4.2 has it.
#[derive(Default)]
pub(super) enum Joined<'a> {
    #[default]
    Absent,
    One(&'a [u8]),
    Several(Vec<u8>),
}

/// The body as JSON: what the one scan found.
enum Json<'a> {
    /// There is no body.
    Empty,
    /// The body is still to be read, and may be there.
    Unread { is_announced: bool },
    Strict {
        /// Kept where the operation or the webhook credentials are read from the body.
        document: Option<Document<'a>>,
        duplicates: Option<DuplicateKeys>,
    },
    /// Not strict JSON, and so perhaps not JSON at all.
    Other(StrictJsonError),
}

/// Whether the members of the body are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyReading {
    /// Scanned for bounds and duplicate keys alone.
    Scan,
    /// Kept as a document as well: the transport names the operation in the body, or the verifier
    /// may have to look for webhook credentials.
    Document,
}

impl<'a> Received<'a> {
    /// Looks at a message.
    ///
    /// # Errors
    /// [`Reason::Bound`] where the body exceeds the profile's bounds, before anything is hashed or verified.
    pub fn new(
        profile: &'a Profile,
        request: &'a Request<'a>,
        reading: BodyReading,
    ) -> Result<Self, Rejection> {
        check_bound(profile, request.body)?;
        let head = Head::of(profile, request);
        let body = Body::read(&head, request.body, reading)?;
        Ok(Self { head, body })
    }

    pub(super) fn message(&self) -> Message<'_> {
        Message { head: &self.head, body: &self.body }
    }

    /// Whether the message carries neither `Signature-Input` nor `Signature`, and so makes no claim
    /// to be signed.
    pub fn is_unsigned(&self) -> bool {
        self.head.is_unsigned()
    }
}

/// Neither the body nor the URL, which may hold what no log should.
impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.message(), f)
    }
}

impl<'a> Head<'a> {
    pub(super) fn of(profile: &'a Profile, request: &'a Request<'a>) -> Self {
        let fields = Fields::of(request.fields);
        let target = TargetUri::canonicalize(request.url, profile.verifier_uri_rules());
        Self { profile, request, fields, target }
    }

    pub(super) fn is_unsigned(&self) -> bool {
        self.fields.are_unsigned()
    }

    #[cold]
    pub(super) fn refuse(
        &self,
        step: Step,
        fault: Fault,
        detail: impl Into<Cow<'static, str>>,
    ) -> Rejection {
        Rejection::new(self.profile, step, fault, detail)
    }

    /// Refused in step 1.
    #[cold]
    pub(super) fn malformed(&self, detail: impl Into<Cow<'static, str>>) -> Rejection {
        self.refuse(Step::Parse, Fault::HeaderMalformed, detail)
    }
}

impl<'a> Body<'a> {
    /// The body of this head, now that it is there.
    ///
    /// # Errors
    /// [`Reason::Bound`].
    pub(super) fn read(
        head: &Head<'_>,
        bytes: &'a [u8],
        reading: BodyReading,
    ) -> Result<Self, Rejection> {
        check_bound(head.profile, bytes)?;
        let keeps_document = reading == BodyReading::Document || head.is_unsigned();
        let json = Json::read(bytes, &head.profile.bounds(), keeps_document)?
            .coded(head.fields.content_encoding.value());
        Ok(Self { bytes, json })
    }

    /// The body of this head, which is still to be read.
    ///
    /// # Errors
    /// [`Reason::Bound`] where it is announced as larger than the profile's bounds.
    pub(super) fn unread(head: &Head<'_>) -> Result<Self, Rejection> {
        let announced = announced_length(head.fields.content_length.value());
        let bound = head.profile.bounds().max_body_bytes();
        if let Ok(Some(length)) = announced
            && usize::try_from(length).map_or(true, |length| length > bound)
        {
            return Err(exceeds(Bound::BodyBytes, too_long(length, bound)));
        }
        let json = Json::Unread { is_announced: matches!(announced, Ok(Some(1..))) };
        Ok(Self { bytes: &[], json })
    }
}

impl<'r> Message<'r> {
    /// Whether there is a body. One that is still to be read and that nothing announces counts as
    /// none: less is asked of such a head than of the whole message.
    pub(super) fn has_body(&self) -> bool {
        match self.body.json {
            Json::Empty => false,
            Json::Unread { is_announced } => is_announced,
            Json::Strict { .. } | Json::Other(_) => true,
        }
    }

    /// Whether the body was read, so that its members can be asked for.
    pub(super) fn is_read(&self) -> bool {
        !matches!(self.body.json, Json::Unread { .. })
    }

    pub(super) fn is_unsigned(&self) -> bool {
        self.head.is_unsigned()
    }

    /// What step 0 reads of the request line.
    pub(super) fn target(&self) -> Target<'r> {
        let uri = self.head.target.as_ref().ok();
        let Request { method, url, .. } = self.head.request;
        Target::new(method, url, uri, self.head.fields.overrides_method)
    }

    /// What step 0 reads of the body.
    pub(super) fn body(&self) -> BodyView<'r, 'r> {
        BodyView {
            bytes: self.body.bytes,
            document: match &self.body.json {
                Json::Strict { document: Some(document), .. } => Ok(document),
                Json::Strict { document: None, .. } => Err(&NOT_KEPT),
                Json::Other(error) => Err(error),
                Json::Empty => Err(&NO_BODY),
                Json::Unread { .. } => Err(&NOT_KEPT),
            },
            content_type: self.head.fields.content_type.value(),
            content_encoding: self.head.fields.content_encoding.value(),
        }
    }

    /// Whether the body has the length that `Content-Length` announces. A body that was not read yet
    /// must not pass for an empty one.
    pub(super) fn check_length(&self) -> Result<(), LengthMismatch> {
        LengthMismatch::check(self.head.fields.content_length.value(), self.body.bytes)
    }

    /// What the scan of step 14 found: the duplicate keys of a JSON body, or why it is not JSON.
    pub(super) fn body_fault(&self) -> Option<StrictJsonError> {
        match &self.body.json {
            Json::Empty | Json::Unread { .. } | Json::Strict { duplicates: None, .. } => None,
            Json::Strict { duplicates: Some(keys), .. } => {
                Some(StrictJsonError::Duplicate(keys.clone()))
            }
            Json::Other(error) => Some(error.clone()),
        }
    }

    #[cold]
    pub(super) fn refuse(
        &self,
        step: Step,
        fault: Fault,
        detail: impl Into<Cow<'static, str>>,
    ) -> Rejection {
        self.head.refuse(step, fault, detail)
    }
}

/// Neither the body nor the URL, which may hold what no log should.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("profile", self.head.profile)
            .field("is_unsigned", &self.is_unsigned())
            .finish_non_exhaustive()
    }
}

impl<'a> Fields<'a> {
    /// One walk over the field lines.
    fn of(lines: &[FieldLine<'a>]) -> Self {
        let mut fields = Self::default();
        for line in lines {
            // Lengths differ for all but two names, so most lines cost one comparison of numbers.
            let (name, field) = match line.name.len() {
                9 => ("signature", &mut fields.signature),
                12 => ("content-type", &mut fields.content_type),
                14 if line.is("content-length") => ("content-length", &mut fields.content_length),
                14 => ("content-digest", &mut fields.content_digest),
                15 => ("signature-input", &mut fields.signature_input),
                16 => ("content-encoding", &mut fields.content_encoding),
                13 | 17 | 22 => {
                    fields.overrides_method |=
                        METHOD_OVERRIDE_FIELDS.iter().any(|name| line.is(name));
                    continue;
                }
                _ => continue,
            };
            if line.is(name) {
                field.push(line.value);
            }
        }
        fields
    }

    fn are_unsigned(&self) -> bool {
        !self.signature_input.is_present() && !self.signature.is_present()
    }

    /// The one `Content-Type`, which is not a list field (RFC 9110 §8.3).
    pub(super) fn single_content_type(&self) -> Result<Option<&[u8]>, SeveralContentTypes> {
        match &self.content_type {
            Joined::Absent => Ok(None),
            Joined::One(value) if !has_top_level_comma(value) => Ok(Some(value)),
            Joined::One(_) | Joined::Several(_) => Err(SeveralContentTypes),
        }
    }
}

/// Nothing can be read from an empty body.
static NO_BODY: StrictJsonError = StrictJsonError::Invalid { offset: 0, what: "there is no body" };
/// Whoever asks for members that were not kept is told that they cannot be read, and so refuses.
static NOT_KEPT: StrictJsonError =
    StrictJsonError::Invalid { offset: 0, what: "the members of the body were not kept" };

impl<'a> Joined<'a> {
    pub(super) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    pub(super) fn value(&self) -> Option<&[u8]> {
        match self {
            Self::Absent => None,
            Self::One(value) => Some(value),
            Self::Several(value) => Some(value),
        }
    }

    fn push(&mut self, value: &'a [u8]) {
        let value = trim_ows(value);
        match self {
            Self::Absent => *self = Self::One(value),
            Self::One(first) => *self = Self::Several([first, b", ".as_slice(), value].concat()),
            Self::Several(joined) => {
                joined.extend_from_slice(b", ");
                joined.extend_from_slice(value);
            }
        }
    }
}

impl<'a> Json<'a> {
    fn read(body: &'a [u8], bounds: &Bounds, keeps_document: bool) -> Result<Self, Rejection> {
        if body.is_empty() {
            return Ok(Self::Empty);
        }
        let limits = JsonLimits::default()
            .with_max_depth(bounds.max_depth())
            .with_max_members(bounds.max_members());
        match scan_body(body, &limits, keeps_document) {
            Ok(scanned) => {
                Ok(Self::Strict { document: scanned.document, duplicates: scanned.duplicates })
            }
            Err(error) if error.exceeds_limit() => {
                Err(exceeds(Bound::BodyComplexity, error.to_string()))
            }
            Err(error) => Ok(Self::Other(error)),
        }
    }

    /// With the cause of what is not JSON, where the body has a `Content-Encoding`.
    fn coded(self, content_encoding: Option<&[u8]>) -> Self {
        match self {
            Self::Other(error) if !is_identity_coded(content_encoding) => {
                Self::Other(error.of_encoded_body())
            }
            body => body,
        }
    }
}

fn check_bound(profile: &Profile, body: &[u8]) -> Result<(), Rejection> {
    let bound = profile.bounds().max_body_bytes();
    if body.len() > bound {
        return Err(exceeds(Bound::BodyBytes, too_long(body.len(), bound)));
    }
    Ok(())
}

#[cold]
fn too_long(length: impl fmt::Display, bound: usize) -> String {
    format!(
        "the body has {length} bytes, and this endpoint reads {bound}; send less, or raise the bound"
    )
}

#[cold]
fn exceeds(bound: Bound, detail: String) -> Rejection {
    Rejection::of(Reason::Bound(bound), Step::Precheck, detail)
}
