//! The steps of the AdCP verifier checklist, by number.

use std::fmt;

/// A step of the AdCP verifier checklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Before the checklist: operation, signature requirement.
    Precheck,
    /// 1: parse `Signature-Input` and `Signature`.
    Parse,
    /// 2: all six parameters.
    Params,
    /// 3: the tag.
    Tag,
    /// 4: the algorithm.
    Algorithm,
    /// 5: the window.
    Window,
    /// 6: the covered components.
    Components,
    /// 7: the key.
    Key,
    /// 8: the key's purpose.
    Purpose,
    /// 9: revocation.
    Revocation,
    /// 9a: the key's share of the replay cache.
    ReplayCap,
    /// 10: target URI, authority and the signature itself.
    Signature,
    /// 11: the body's digest.
    Digest,
    /// 12: the nonce is new.
    Replay,
    /// 13: the nonce is remembered.
    Insert,
    /// 14: the body is unambiguous.
    Body,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 16] = [
        Self::Precheck,
        Self::Parse,
        Self::Params,
        Self::Tag,
        Self::Algorithm,
        Self::Window,
        Self::Components,
        Self::Key,
        Self::Purpose,
        Self::Revocation,
        Self::ReplayCap,
        Self::Signature,
        Self::Digest,
        Self::Replay,
        Self::Insert,
        Self::Body,
    ];

    /// The step as the published vectors write it: `0` to `14`, or `9a`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Precheck => "0",
            Self::Parse => "1",
            Self::Params => "2",
            Self::Tag => "3",
            Self::Algorithm => "4",
            Self::Window => "5",
            Self::Components => "6",
            Self::Key => "7",
            Self::Purpose => "8",
            Self::Revocation => "9",
            Self::ReplayCap => "9a",
            Self::Signature => "10",
            Self::Digest => "11",
            Self::Replay => "12",
            Self::Insert => "13",
            Self::Body => "14",
        }
    }

    /// What the step checks, in a few words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Precheck => "operation and signature requirement",
            Self::Parse => "parse Signature-Input and Signature",
            Self::Params => "all six parameters present",
            Self::Tag => "tag",
            Self::Algorithm => "algorithm allowed",
            Self::Window => "created and expires",
            Self::Components => "covered components",
            Self::Key => "key found",
            Self::Purpose => "key published for this purpose",
            Self::Revocation => "key not revoked",
            Self::ReplayCap => "key below its replay cap",
            Self::Signature => "target URI, authority and signature",
            Self::Digest => "body matches Content-Digest",
            Self::Replay => "nonce not seen before",
            Self::Insert => "nonce remembered",
            Self::Body => "body has no duplicate keys",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{ErrorCode, Fault, MessageKind};

    const FLOW: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/diagrams/verifier.svg"));

    /// The texts of an SVG, in order.
    fn texts(svg: &'static str) -> Vec<&'static str> {
        let elements = svg.split("<text").skip(1);
        let inner =
            |element: &'static str| Some(element.split_once("</text>")?.0.split_once('>')?.1);
        elements.filter_map(inner).collect()
    }

    #[test]
    fn the_flow_of_the_docs_has_each_step_in_order_with_its_title_and_known_codes() {
        let groups: Vec<_> = FLOW.split("<g id=\"step-").skip(1).collect();
        assert_eq!(groups.len(), Step::ALL.len());
        let known: Vec<_> = Fault::ALL
            .iter()
            .map(|fault| ErrorCode::new(MessageKind::Request, *fault).as_str())
            .collect();
        for (step, group) in Step::ALL.into_iter().zip(groups) {
            assert!(group.starts_with(&format!("{step}\"")), "{step}: {group}");
            let (group, _) = group.split_once("</g>").unwrap();
            let texts = texts(group);
            assert_eq!(texts[..2], [step.as_str(), step.title()]);
            assert!(texts.len() > 2, "{step} refuses with no code");
            for code in &texts[2..] {
                assert!(known.contains(code), "{step}: {code}");
            }
        }
    }
}
