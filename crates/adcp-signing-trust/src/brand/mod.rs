//! brand.json: which agents a party lists, and where each publishes its keys.
//!
//! A parsed document answers which entry lists an agent ([`BrandJson::find`]). The
//! specification calls a document that an agent names itself an *operator record*, and one that the
//! verifier trusts already a *relying-party record*: [`Candidates`] says which entries of it count.

mod agent_url;
mod document;
mod entry;
mod error;
mod operator;
mod reader;
mod reading;

pub use self::{
    agent_url::{AgentUrl, AgentUrlError},
    document::{Brand, BrandJson, Candidates, Redirect, Variant},
    entry::{AgentEntry, AgentType},
    error::{BrandJsonError, FindError, MatchedEntry},
    operator::AuthorizedOperator,
};

#[cfg(test)]
mod tests;
