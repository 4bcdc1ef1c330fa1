//! The resolver under a client: it gives the connector checked addresses and no other.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::reserved;

/// A counterparty's name resolves to an address that no public server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name resolves to a reserved address ({range})")]
#[non_exhaustive]
pub struct ReservedAddress {
    /// What the address is reserved for.
    pub range: &'static str,
}

/// A resolver for [`reqwest::ClientBuilder::dns_resolver`] that refuses a name if **any** of its
/// addresses is reserved, so that an answer that mixes public and internal addresses gets no
/// connection to either. The connector dials the addresses that were checked: there is no second
/// lookup that could answer otherwise (DNS rebinding).
///
/// Clients do not ask a resolver about a host that is an address: check those with
/// [`reserved`], or take a [`PublicUrl`](super::PublicUrl). A client with a proxy lets the proxy
/// resolve.
///
/// A refused name is the error [`ReservedAddress`], among the causes of the client's.
pub struct GuardedResolver {
    inner: Arc<dyn Resolve>,
    loopback: bool,
}

/// The resolver of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl GuardedResolver {
    /// Checks what this resolver answers.
    pub fn new(inner: Arc<dyn Resolve>) -> Self {
        Self { inner, loopback: false }
    }

    /// Lets names lead to this machine: for development and tests.
    #[must_use]
    pub fn with_loopback_for_development(self) -> Self {
        Self { loopback: true, ..self }
    }
}

impl fmt::Debug for GuardedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedResolver").field("loopback", &self.loopback).finish_non_exhaustive()
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let answer = self.inner.resolve(name);
        let loopback = self.loopback;
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = answer.await?.collect();
            if addresses.is_empty() {
                return Err(io::Error::other("the name has no address").into());
            }
            let mut checked = addresses.iter().map(SocketAddr::ip);
            let refused = checked.find_map(|address| {
                reserved(address).filter(|_| !(loopback && address.is_loopback()))
            });
            match refused {
                Some(range) => Err(ReservedAddress { range }.into()),
                None => Ok(Box::new(addresses.into_iter()) as Addrs),
            }
        })
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Answers(&'static [&'static str]);

    impl Resolve for Answers {
        fn resolve(&self, _: Name) -> Resolving {
            let addresses: Vec<SocketAddr> =
                self.0.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect();
            Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
        }
    }

    async fn resolve_with(
        answers: &'static [&'static str],
        change: fn(GuardedResolver) -> GuardedResolver,
    ) -> Result<Vec<String>, String> {
        let guarded = change(GuardedResolver::new(Arc::new(Answers(answers))));
        match guarded.resolve("buyer.example.com".parse().unwrap()).await {
            Ok(addresses) => Ok(addresses.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn resolve(answers: &'static [&'static str]) -> Result<Vec<String>, String> {
        resolve_with(answers, |guarded| guarded).await
    }

    #[tokio::test]
    async fn one_reserved_address_among_public_ones_refuses_the_name() {
        assert_eq!(resolve(&["8.8.8.8", "2606:4700::1111"]).await.unwrap().len(), 2);
        for answers in [
            &["8.8.8.8", "10.0.0.1"][..],
            &["2606:4700::1111", "::ffff:169.254.169.254"],
            &["127.0.0.1"],
        ] {
            let error = resolve(answers).await.unwrap_err();
            assert!(error.contains("reserved address"), "{answers:?}: {error}");
        }
        assert!(resolve(&[]).await.unwrap_err().contains("no address"));
    }

    #[tokio::test]
    async fn development_reaches_this_machine_and_no_other_reserved_address() {
        let resolve = async |answers| {
            resolve_with(answers, GuardedResolver::with_loopback_for_development).await
        };
        assert_eq!(resolve(&["127.0.0.1", "::1", "8.8.8.8"]).await.unwrap().len(), 3);
        for answers in [&["127.0.0.1", "10.0.0.1"][..], &["169.254.169.254"], &["::ffff:7f00:1"]] {
            assert!(resolve(answers).await.is_err(), "{answers:?}");
        }
    }

    #[tokio::test]
    async fn the_systems_own_names_are_checked_as_well() {
        let guarded = GuardedResolver::new(Arc::new(SystemResolver));
        let Err(error) = guarded.resolve("localhost".parse().unwrap()).await else {
            panic!("localhost was resolved")
        };
        assert!(error.downcast_ref::<ReservedAddress>().is_some(), "{error}");
    }
}
