//! `Resolved`: what a request asks for, in the two namespaces of the capability.

use std::{borrow::Cow, sync::Arc};

/// What a request asks for, in the two namespaces of the capability.
///
/// It is in one of three states. It *names* operations or protocol methods; it *asks for nothing*,
/// as a JSON-RPC response does; or it is *undetermined*: two routers or decoders could read it
/// differently, so that nothing can be said about it. An undetermined request may name something
/// all the same, and what it names is then not all that it may ask for.
///
/// ```
/// use adcp_signing_core::operation::Resolved;
///
/// let resolved = Resolved::of_operation("create_media_buy");
/// assert_eq!(resolved.operation(), Some("create_media_buy"));
/// assert!(!resolved.is_undetermined() && !resolved.asks_for_nothing());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    operation: Option<Arc<str>>,
    further_operations: Vec<String>,
    protocol_methods: Vec<ProtocolMethod>,
    task_ids: Vec<String>,
    is_undetermined: bool,
}

impl Resolved {
    /// A request that carries this AdCP operation.
    pub fn of_operation(name: impl Into<Arc<str>>) -> Self {
        Self { operation: Some(name.into()), ..Self::nothing() }
    }

    /// A JSON-RPC request of this method.
    pub fn of_protocol_method(name: impl Into<String>) -> Self {
        let mut resolved = Self::nothing();
        resolved.add_method(name.into(), false);
        resolved
    }

    /// A request of which nothing can be told.
    pub(crate) fn undetermined() -> Self {
        Self { is_undetermined: true, ..Self::nothing() }
    }

    /// A request that asks for nothing.
    pub(crate) fn nothing() -> Self {
        Self {
            operation: None,
            further_operations: Vec::new(),
            protocol_methods: Vec::new(),
            task_ids: Vec::new(),
            is_undetermined: false,
        }
    }

    /// The AdCP operation, such as `create_media_buy`.
    pub fn operation(&self) -> Option<&str> {
        self.operation.as_deref()
    }

    /// The AdCP operation, to keep beyond the request.
    pub(crate) fn shared_operation(&self) -> Option<Arc<str>> {
        self.operation.clone()
    }

    /// Other operations that the request may be dispatched as: a path names one and an envelope in
    /// the body another. Each must meet the capability.
    pub fn further_operations(&self) -> impl Iterator<Item = &str> {
        self.further_operations.iter().map(String::as_str)
    }

    /// The protocol methods that the request may be dispatched as. Each must meet the capability.
    pub fn protocol_methods(&self) -> &[ProtocolMethod] {
        &self.protocol_methods
    }

    /// The A2A tasks that the request goes on with (`message.taskId`).
    pub fn task_ids(&self) -> impl Iterator<Item = &str> {
        self.task_ids.iter().map(String::as_str)
    }

    /// Whether it could not be told what the request asks for.
    pub fn is_undetermined(&self) -> bool {
        self.is_undetermined
    }

    /// Whether the request is known to ask for nothing: a JSON-RPC response, an MCP stream, a
    /// public agent card.
    pub fn asks_for_nothing(&self) -> bool {
        self.operation.is_none() && self.protocol_methods.is_empty() && !self.is_undetermined
    }

    /// Marks the request as one that may ask for more than it names, where `doubt` holds.
    pub(super) fn undetermined_if(&mut self, doubt: bool) {
        self.is_undetermined |= doubt;
    }

    pub(super) fn add_operation(&mut self, name: &str) {
        match self.operation() {
            None => self.operation = Some(name.into()),
            Some(known) if known == name => {}
            Some(_) => self.further_operations.push(name.to_owned()),
        }
    }

    pub(super) fn add_method(&mut self, name: impl Into<Cow<'static, str>>, is_bound: bool) {
        let name = name.into();
        match self.protocol_methods.iter_mut().find(|known| known.name == name) {
            Some(known) => known.is_bound |= is_bound,
            None => self.protocol_methods.push(ProtocolMethod { name, is_bound }),
        }
    }

    pub(super) fn add_task(&mut self, task_id: String) {
        self.task_ids.push(task_id);
    }
}

/// A protocol method, such as `tasks/cancel` or `SendMessage`: a JSON-RPC method other than
/// `tools/call`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolMethod {
    name: Cow<'static, str>,
    is_bound: bool,
}

impl ProtocolMethod {
    /// The name, as on the wire or, where the path stands for the method, of A2A 1.0.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a path stands for the method. A2A 0.3 and 1.0 have the same paths, so a bound method
    /// meets the capability under both its names.
    pub fn is_bound(&self) -> bool {
        self.is_bound
    }
}
