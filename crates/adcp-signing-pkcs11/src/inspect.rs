//! What a token shows about how it keeps a key.

use adcp_signing_core::provider::{Concern, Inspection, Observation, Unseen};
use cryptoki::{
    object::{Attribute, AttributeType, ObjectHandle},
    session::Session,
};

use crate::error::Fault;

/// The attributes of a private key that say whether it can be read, or was ever.
const ATTRIBUTES: [AttributeType; 5] = [
    AttributeType::Sensitive,
    AttributeType::Extractable,
    AttributeType::Local,
    AttributeType::AlwaysSensitive,
    AttributeType::NeverExtractable,
];

/// What the token shows about a private key.
pub(crate) fn inspect(session: &Session, key: ObjectHandle) -> Result<Inspection, Fault> {
    let attributes = session.get_attributes(key, &ATTRIBUTES)?;
    let rotation = Observation::good("a token replaces no key by itself");
    let permissions = Observation::unseen(
        Unseen::NotShown,
        "PKCS#11 has no rights to look at: whoever has the PIN may do all that the token's user may",
    );
    Ok(Inspection::new(export(&attributes), rotation, permissions))
}

fn export(attributes: &[Attribute]) -> Observation {
    let flag = |wanted: AttributeType| {
        attributes.iter().find_map(|attribute| match attribute {
            Attribute::Sensitive(value)
            | Attribute::Extractable(value)
            | Attribute::Local(value)
            | Attribute::AlwaysSensitive(value)
            | Attribute::NeverExtractable(value)
                if attribute.attribute_type() == wanted =>
            {
                Some(*value)
            }
            _ => None,
        })
    };
    let exportable = |message: &'static str| Observation::concern(Concern::Exportable, message);
    match (flag(AttributeType::Sensitive), flag(AttributeType::Extractable)) {
        (Some(false), _) => exportable(
            "the key can be read in plaintext (CKA_SENSITIVE is false); make another on the token, and rotate to it",
        ),
        (_, Some(true)) => exportable(
            "the key can be wrapped and taken off the token (CKA_EXTRACTABLE is true); make another on the token, and \
             rotate to it",
        ),
        (None, _) | (_, None) => Observation::unseen(
            Unseen::NotShown,
            "the token does not tell whether the key can leave it (CKA_SENSITIVE, CKA_EXTRACTABLE)",
        ),
        (Some(true), Some(false)) if flag(AttributeType::Local) == Some(false) => {
            Observation::concern(
                Concern::Imported,
                "the key was not made on the token (CKA_LOCAL is false), so a copy may be elsewhere; make one there, \
                 and rotate to it",
            )
        }
        (Some(true), Some(false))
            if flag(AttributeType::AlwaysSensitive) == Some(false)
                || flag(AttributeType::NeverExtractable) == Some(false) =>
        {
            exportable(
                "the key could leave the token before (CKA_ALWAYS_SENSITIVE or CKA_NEVER_EXTRACTABLE is false); make \
                 another, and rotate to it",
            )
        }
        (Some(true), Some(false)) => Observation::good("the key cannot leave the token"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_can_leave_or_could_is_a_concern() {
        let (sensitive, kept) = (Attribute::Sensitive(true), Attribute::Extractable(false));
        for (more, code) in [
            (vec![], "ok"),
            (vec![Attribute::Local(true), Attribute::NeverExtractable(true)], "ok"),
            (vec![Attribute::Local(false)], "key_imported"),
            (vec![Attribute::AlwaysSensitive(false)], "key_exportable"),
            (vec![Attribute::Local(true), Attribute::NeverExtractable(false)], "key_exportable"),
        ] {
            let attributes = [vec![sensitive.clone(), kept.clone()], more].concat();
            assert_eq!(export(&attributes).code(), code, "{attributes:?}");
        }
        for (attributes, code) in [
            (vec![Attribute::Sensitive(false), kept.clone()], "key_exportable"),
            (vec![Attribute::Sensitive(false)], "key_exportable"),
            (vec![sensitive.clone(), Attribute::Extractable(true)], "key_exportable"),
            (vec![Attribute::Extractable(true)], "key_exportable"),
            (vec![sensitive], "not_shown"),
            (vec![kept], "not_shown"),
            (vec![], "not_shown"),
        ] {
            assert_eq!(export(&attributes).code(), code, "{attributes:?}");
        }
    }
}
