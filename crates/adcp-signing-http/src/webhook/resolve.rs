//! The resolver under the sender's client: it gives the connector checked addresses and no other.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::reserved;

/// A name of a receiver resolves to an address that no public receiver has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the receiver's name resolves to a reserved address ({range})")]
pub(super) struct ReservedAddress {
    pub(super) range: &'static str,
}

/// Refuses a name if **any** of its addresses is reserved, so that an answer that mixes public and
/// internal addresses gets no connection to either. The connector dials the addresses that were
/// checked: there is no second lookup that could answer otherwise (DNS rebinding).
pub(super) struct Guarded {
    inner: Arc<dyn Resolve>,
}

/// The resolver of the operating system.
#[derive(Debug)]
pub(super) struct System;

impl Guarded {
    pub(super) fn new(inner: Arc<dyn Resolve>) -> Self {
        Self { inner }
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded")
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let answer = self.inner.resolve(name);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = answer.await?.collect();
            if addresses.is_empty() {
                return Err(io::Error::other("the name has no address").into());
            }
            match addresses.iter().find_map(|address| reserved(address.ip())) {
                Some(range) => Err(ReservedAddress { range }.into()),
                None => Ok(Box::new(addresses.into_iter()) as Addrs),
            }
        })
    }
}

impl Resolve for System {
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

    async fn resolve(answers: &'static [&'static str]) -> Result<Vec<String>, String> {
        let guarded = Guarded::new(Arc::new(Answers(answers)));
        match guarded.resolve("buyer.example.com".parse().unwrap()).await {
            Ok(addresses) => Ok(addresses.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(error.to_string()),
        }
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
    async fn the_systems_own_names_are_checked_as_well() {
        let guarded = Guarded::new(Arc::new(System));
        let Err(error) = guarded.resolve("localhost".parse().unwrap()).await else {
            panic!("localhost was resolved")
        };
        assert!(error.downcast_ref::<ReservedAddress>().is_some(), "{error}");
    }
}
