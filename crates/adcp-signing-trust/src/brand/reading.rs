//! Reads a document into its entries: which variant it is, and who is listed in it.

use std::collections::HashMap;

use adcp_signing_core::json::{Kind, Value};

use super::{
    AgentEntry, AuthorizedOperator, BrandJsonError,
    document::{Brand, Content, Entries, Redirect, Variant},
    reader::{Path, objects, optional_text, required_text},
};

/// How many entries of one kind are kept, over the whole document.
const MAX_ENTRIES: usize = 10_000;

#[derive(Default)]
pub(super) struct Reading {
    pub(super) entries: Vec<AgentEntry>,
    pub(super) by_url: HashMap<String, Vec<usize>>,
}

impl Reading {
    pub(super) fn content(&mut self, root: Value<'_, '_>) -> Result<Content, BrandJsonError> {
        let has = |name| root.member(name).is_some();
        let house = root.member("house");
        if has("authoritative_location") {
            if house.is_some() || has("agents") || has("brands") {
                return Err(BrandJsonError::Variant(
                    "`authoritative_location` stands beside what it points to; remove one",
                ));
            }
            let location = required_text(root, &Path::Root, "authoritative_location")?;
            return Ok(Content::Redirect(Redirect::AuthoritativeLocation(location)));
        }
        match house.map(|house| (house.kind(), house)) {
            Some((Kind::String, house)) => {
                if has("agents") || has("brands") {
                    return Err(BrandJsonError::Variant(
                        "`house` is a domain, and stands beside agents or brands of its own",
                    ));
                }
                let domain = house.as_str().unwrap_or_default().into_owned();
                Ok(Content::Redirect(Redirect::House(domain)))
            }
            Some((Kind::Object, _)) if has("agents") => Err(BrandJsonError::Variant(
                "a house lists its agents in `house.agents`; move the top-level `agents` there",
            )),
            Some((Kind::Object, house)) => self.house(root, house),
            Some(_) => {
                Err(Path::Member(&Path::Root, "house").wrong("is not an object or a domain"))
            }
            None => self.without_house(root),
        }
    }

    fn without_house(&mut self, root: Value<'_, '_>) -> Result<Content, BrandJsonError> {
        let variant = if root.member("names").is_some() {
            Variant::BrandCanonical
        } else if root.member("agents").is_some() || root.member("brand_agent").is_some() {
            Variant::BrandAgent
        } else {
            return Err(BrandJsonError::Variant(
                "it has none of `agents`, `names`, `house` and `authoritative_location`",
            ));
        };
        if root.member("brands").is_some() {
            return Err(BrandJsonError::Variant("`brands` stands without a `house`"));
        }
        let agents = self.agents(root, &Path::Root)?.unwrap_or_default();
        Ok(Content::Agents { variant, agents })
    }

    fn house(
        &mut self,
        root: Value<'_, '_>,
        house: Value<'_, '_>,
    ) -> Result<Content, BrandJsonError> {
        let path = Path::Member(&Path::Root, "house");
        let domain = required_text(house, &path, "domain")?;
        let agents = self.agents(house, &path)?.unwrap_or_default();
        let brands = objects(root, &Path::Root, "brands", |brand, path| {
            let id = optional_text(brand, path, "id")?;
            let url = optional_text(brand, path, "url")?;
            Ok((Brand::new(id, url), self.agents(brand, path)?))
        })?;
        let brands = within(brands.unwrap_or_default(), "brands")?;
        let operators =
            objects(root, &Path::Root, "authorized_operators", AuthorizedOperator::read)?;
        let operators = within(operators.unwrap_or_default(), "authorized_operators")?;
        Ok(Content::House { domain, agents, brands, operators })
    }

    /// Reads an `agents[]`, and answers with the places of its entries.
    fn agents(
        &mut self,
        value: Value<'_, '_>,
        path: &Path<'_>,
    ) -> Result<Option<Entries>, BrandJsonError> {
        objects(value, path, "agents", |entry, path| {
            let entry = AgentEntry::read(entry, path)?;
            let place = self.entries.len();
            if place >= MAX_ENTRIES {
                return Err(too_many("agents"));
            }
            if let Some(url) = entry.canonical_url() {
                self.by_url.entry(url.to_owned()).or_default().push(place);
            }
            self.entries.push(entry);
            Ok(place)
        })
    }
}

fn within<T>(entries: Vec<T>, what: &'static str) -> Result<Vec<T>, BrandJsonError> {
    if entries.len() > MAX_ENTRIES { Err(too_many(what)) } else { Ok(entries) }
}

fn too_many(what: &'static str) -> BrandJsonError {
    BrandJsonError::TooMany { what, max: MAX_ENTRIES }
}
