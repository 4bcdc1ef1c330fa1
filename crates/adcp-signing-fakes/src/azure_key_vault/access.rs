//! Who calls, and what they may do.

use std::sync::Arc;

use http::{HeaderMap, header};

use super::{call::Call, error::Refused};

/// Where tokens are had, and for what. The official clients compare the resource with the vault's
/// host unless they are told not to.
const CHALLENGE: &str = "Bearer authorization=\"https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001\", \
                         resource=\"https://vault.azure.net\"";

/// The tokens that are known.
#[derive(Clone)]
pub(super) struct Access {
    allowed: Arc<str>,
    denied: Option<Arc<str>>,
}

/// Whose token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Principal {
    /// Of somebody who may do everything.
    Allowed,
    /// Of somebody who may do nothing.
    Denied,
}

impl Access {
    pub(super) fn new(token: &str) -> Self {
        Self { allowed: token.into(), denied: None }
    }

    pub(super) fn with_denied_token(self, token: &str) -> Self {
        Self { denied: Some(token.into()), ..self }
    }

    pub(super) fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Refused> {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|given| given.as_bytes().strip_prefix(b"Bearer "));
        match token {
            None => Err(Refused::unauthorized(
                CHALLENGE,
                "AKV10000: Request is missing a Bearer or PoP token.",
            )),
            Some(token) if token == self.allowed.as_bytes() => Ok(Principal::Allowed),
            Some(token)
                if self.denied.as_ref().is_some_and(|denied| token == denied.as_bytes()) =>
            {
                Ok(Principal::Denied)
            }
            Some(_) => Err(Refused::unauthorized(
                CHALLENGE,
                "[BearerReadAccessTokenFailed] Error validating token: 'S2S12005'.",
            )),
        }
    }

    pub(super) fn authorize(&self, principal: Principal, call: &Call) -> Result<(), Refused> {
        if principal == Principal::Allowed {
            return Ok(());
        }
        Err(Refused::forbidden(
            "ForbiddenByRbac",
            format!(
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role \
                 definitions were changed recently, please observe propagation time.\r\nCaller: \
                 appid={APPLICATION};oid={OBJECT}\r\nAction: '{}'\r\nResource: '{RESOURCE}'\r\nAssignment: (not \
                 found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {VAULT};location=westeurope\r\n",
                data_action(call.permission())
            ),
        ))
    }
}

const APPLICATION: &str = "00000000-0000-0000-0000-000000000002";
const OBJECT: &str = "00000000-0000-0000-0000-000000000003";
const VAULT: &str = "fake-vault";
const RESOURCE: &str = "/subscriptions/00000000-0000-0000-0000-000000000004/resourcegroups/tests/providers/\
                        microsoft.keyvault/vaults/fake-vault";

/// The name of a permission among those that roles have.
fn data_action(permission: &str) -> String {
    match permission {
        "get" | "list" => "Microsoft.KeyVault/vaults/keys/read".to_owned(),
        "getrotationpolicy" => "Microsoft.KeyVault/vaults/keyrotationpolicies/read".to_owned(),
        "setrotationpolicy" => "Microsoft.KeyVault/vaults/keyrotationpolicies/write".to_owned(),
        "delete" => "Microsoft.KeyVault/vaults/keys/delete".to_owned(),
        other => format!("Microsoft.KeyVault/vaults/keys/{other}/action"),
    }
}
