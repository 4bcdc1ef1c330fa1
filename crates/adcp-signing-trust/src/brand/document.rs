//! A parsed brand.json, and which of its entries answers for an agent.

use std::{collections::HashMap, fmt};

use adcp_signing_core::{
    UnixSeconds,
    json::{Document, JsonLimits, Kind},
    profile::AgentMatch,
};

use super::{
    AgentEntry, AgentType, AgentUrl, AuthorizedOperator, BrandJsonError, FindError, MatchedEntry,
    reader::Path, reading::Reading,
};

/// How deep brand.json may nest.
const MAX_DEPTH: usize = 32;
/// How many members and elements are read, which bounds the memory: 2 MiB of real documents have far
/// fewer.
const MAX_MEMBERS: usize = 250_000;

/// A brand.json, parsed once: strict JSON, 32 levels deep, with the members that say whose agents
/// there are and nothing else.
///
/// ```
/// use adcp_signing_trust::brand::{BrandJson, Candidates};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let record = BrandJson::parse(
///     br#"{"agents":[{"type":"buying","id":"buyer","url":"https://buyer.example.com/adcp",
///         "jwks_uri":"https://keys.example.com/buyer.json"}]}"#,
/// )?;
/// let agent = "https://BUYER.example.com:443/adcp".parse()?;
/// let entry = record.find(&agent, Candidates::OperatorRecord, None)?;
/// assert_eq!(entry.jwks().map(|jwks| jwks.as_str()), Some("https://keys.example.com/buyer.json"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BrandJson {
    content: Content,
    entries: Vec<AgentEntry>,
    /// The entries of each canonical URL.
    by_url: HashMap<String, Vec<usize>>,
}

/// Entries are places in the list of all.
pub(super) type Entries = Vec<usize>;

#[derive(Clone)]
pub(super) enum Content {
    Redirect(Redirect),
    /// A Brand Agent document, or the canonical document of one brand.
    Agents {
        variant: Variant,
        agents: Entries,
    },
    House {
        domain: String,
        agents: Entries,
        brands: Vec<(Brand, Option<Entries>)>,
        operators: Vec<AuthorizedOperator>,
    },
}

/// Which variant of its schema a brand.json is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Variant {
    /// It points to another document by URL.
    AuthoritativeLocationRedirect,
    /// It points to the domain of a house.
    HouseRedirect,
    /// It lists agents.
    BrandAgent,
    /// It is the document of one brand.
    BrandCanonical,
    /// It is the document of a house with its brands.
    HousePortfolio,
}

/// Where a document points that lists nobody. Nothing in this crate follows it: only the document
/// that the agent names is its record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redirect {
    /// `authoritative_location`: a URL.
    AuthoritativeLocation(String),
    /// `house`: a domain.
    House(String),
}

/// One of the `brands[]` of a house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    id: Option<String>,
    url: Option<String>,
}

/// Which entries of a document may answer for an agent ("Agent resolution", security guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Candidates<'a> {
    /// Of an operator record: the top-level `agents[]`, or of a House Portfolio `house.agents[]` and
    /// every `brands[].agents[]`.
    OperatorRecord,
    /// Of a relying-party record: the top-level `agents[]` alone.
    TopLevel,
    /// Of a relying-party record that is a House Portfolio: `house.agents[]` alone.
    House,
    /// Of a relying-party record that is a House Portfolio: the `agents[]` of the brand of this
    /// `id`, or `house.agents[]` where the brand has no such member. Sibling brands are never
    /// merged.
    Brand(&'a str),
}

impl Brand {
    pub(super) fn new(id: Option<String>, url: Option<String>) -> Self {
        Self { id, url }
    }

    /// The `id`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The `url`, as the document has it.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

impl BrandJson {
    /// How many bytes are read of a brand.json since contract 3.3: 2 MiB.
    pub const MAX_BYTES: usize = 2 * 1024 * 1024;

    /// Parses a document of at most [`MAX_BYTES`](Self::MAX_BYTES).
    ///
    /// # Errors
    /// [`BrandJsonError`].
    pub fn parse(json: &[u8]) -> Result<Self, BrandJsonError> {
        if json.len() > Self::MAX_BYTES {
            return Err(BrandJsonError::TooLarge { bytes: json.len(), max: Self::MAX_BYTES });
        }
        let limits = JsonLimits::default().with_max_depth(MAX_DEPTH).with_max_members(MAX_MEMBERS);
        let document = Document::without_duplicates(json, &limits)?;
        let root = document.root();
        if root.kind() != Kind::Object {
            return Err(Path::Root.wrong("is not an object"));
        }
        let mut reading = Reading::default();
        let content = reading.content(root)?;
        Ok(Self { content, entries: reading.entries, by_url: reading.by_url })
    }

    /// Which variant it is.
    pub fn variant(&self) -> Variant {
        match &self.content {
            Content::Redirect(Redirect::AuthoritativeLocation(_)) => {
                Variant::AuthoritativeLocationRedirect
            }
            Content::Redirect(Redirect::House(_)) => Variant::HouseRedirect,
            Content::Agents { variant, .. } => *variant,
            Content::House { .. } => Variant::HousePortfolio,
        }
    }

    /// Where the document points, if it is a redirect.
    pub fn redirect(&self) -> Option<&Redirect> {
        match &self.content {
            Content::Redirect(redirect) => Some(redirect),
            _ => None,
        }
    }

    /// The domain of the house, of a House Portfolio.
    pub fn house_domain(&self) -> Option<&str> {
        match &self.content {
            Content::House { domain, .. } => Some(domain),
            _ => None,
        }
    }

    /// The `brands[]` of a House Portfolio.
    pub fn brands(&self) -> impl Iterator<Item = &Brand> {
        let brands = match &self.content {
            Content::House { brands, .. } => brands.as_slice(),
            _ => &[],
        };
        brands.iter().map(|(brand, _)| brand)
    }

    /// Every entry of every `agents[]`, in the order of the document.
    pub fn agents(&self) -> &[AgentEntry] {
        &self.entries
    }

    /// The `authorized_operators[]` of a House Portfolio. No other variant has any.
    pub fn authorized_operators(&self) -> &[AuthorizedOperator] {
        match &self.content {
            Content::House { operators, .. } => operators,
            _ => &[],
        }
    }

    /// Whether a House Portfolio lets this registrable domain act for it at this time.
    pub fn delegates_to(&self, registrable_domain: &str, now: UnixSeconds) -> bool {
        self.authorized_operators()
            .iter()
            .any(|operator| operator.domain() == registrable_domain && operator.is_valid_at(now))
    }

    /// The one entry that answers for this agent, among the candidates and with the role that the
    /// surface needs, if it needs one. Entries that agree in role and JWKS source count as one.
    ///
    /// # Errors
    /// [`FindError`]: no entry, or several; never the first of several.
    pub fn find(
        &self,
        agent: &AgentUrl,
        candidates: Candidates<'_>,
        needed: Option<&AgentType>,
    ) -> Result<&AgentEntry, FindError> {
        self.find_by(AgentMatch::Canonical, agent, candidates, needed)
    }

    /// As [`find`](Self::find), comparing URLs in this way: contracts before 3.3 compare them as they
    /// are written, which never matches more.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_by(
        &self,
        matching: AgentMatch,
        agent: &AgentUrl,
        candidates: Candidates<'_>,
        needed: Option<&AgentType>,
    ) -> Result<&AgentEntry, FindError> {
        let counts = self.candidates(candidates)?;
        let named = self.by_url.get(agent.as_str()).map_or(&[][..], Vec::as_slice);
        let mut is_listed = false;
        let mut matches: Vec<&AgentEntry> = Vec::new();
        for place in named.iter().filter(|place| counts.contains(**place)) {
            let Some(entry) = self.entries.get(*place) else { continue };
            if matching == AgentMatch::ByteEqual && entry.url() != agent.written() {
                continue;
            }
            is_listed = true;
            let has_role = needed.is_none_or(|needed| entry.kind() == needed);
            if has_role && !matches.iter().any(|other| other.agrees_with(entry)) {
                matches.push(entry);
            }
        }
        match (matches.as_slice(), needed) {
            ([entry], _) if entry.jwks().is_none() => Err(FindError::UnusableJwks),
            ([entry], _) => Ok(entry),
            ([], Some(needed)) if is_listed => Err(FindError::WrongType { needed: needed.clone() }),
            ([], _) => Err(FindError::NotListed),
            (several, _) => Err(FindError::Ambiguous {
                count: several.len(),
                entries: MatchedEntry::some_of(several),
            }),
        }
    }

    fn candidates(&self, candidates: Candidates<'_>) -> Result<Counted<'_>, FindError> {
        match (&self.content, candidates) {
            (Content::Redirect(_), _) => Err(FindError::Redirects),
            (_, Candidates::OperatorRecord) => Ok(Counted::All),
            (Content::Agents { agents, .. }, Candidates::TopLevel) => Ok(Counted::These(agents)),
            (Content::House { agents, .. }, Candidates::House) => Ok(Counted::These(agents)),
            (Content::House { agents, brands, .. }, Candidates::Brand(id)) => {
                let mut named = brands.iter().filter(|(brand, _)| brand.id() == Some(id));
                match (named.next(), named.next()) {
                    (Some((_, own)), None) => Ok(Counted::These(own.as_ref().unwrap_or(agents))),
                    (None, _) => Err(FindError::NoSuchBrand),
                    (Some(_), Some(_)) => {
                        let count = brands.iter().filter(|(brand, _)| brand.id() == Some(id));
                        Err(FindError::Ambiguous { count: count.count(), entries: Vec::new() })
                    }
                }
            }
            (Content::Agents { .. }, Candidates::Brand(_)) => Err(FindError::NoSuchBrand),
            // The collection is not there, so nobody is listed in it.
            (Content::Agents { .. }, Candidates::House)
            | (Content::House { .. }, Candidates::TopLevel) => Ok(Counted::These(&[])),
        }
    }
}

impl fmt::Debug for BrandJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrandJson")
            .field("variant", &self.variant())
            .field("agents", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// Which entries count.
enum Counted<'d> {
    All,
    /// In ascending order.
    These(&'d [usize]),
}

impl Counted<'_> {
    fn contains(&self, place: usize) -> bool {
        match self {
            Self::All => true,
            Self::These(places) => places.binary_search(&place).is_ok(),
        }
    }
}
