//! All collections together: checked once, then asked for every device.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use super::collection::{Collection, CollectionId};
use super::device::DeviceFacts;

/// Collections whose references are whole and free of circles. The collection of all devices is always among them.
#[derive(Clone, Debug)]
pub struct Collections {
    list: Vec<Node>,
    /// Indices, each after those that it includes or excludes.
    order: Vec<usize>,
    by_id: HashMap<CollectionId, usize>,
}

#[derive(Clone, Debug)]
struct Node {
    collection: Collection,
    include: Vec<usize>,
    exclude: Vec<usize>,
}

/// What is wrong with a set of collections.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectionError {
    /// Two have the same short name.
    #[error("collection \"{0}\" is there twice")]
    Twice(CollectionId),
    /// One refers to another that is not there.
    #[error("collection \"{from}\" names \"{to}\", and there is no such collection")]
    Unknown {
        /// Which.
        from: CollectionId,
        /// What it names.
        to: CollectionId,
    },
    /// Includes or excludes lead back to where they began, so that nobody can tell who belongs to them.
    #[error("collections refer to each other in a circle: {}", .path.join(" "))]
    Circle {
        /// The way round, in words: `a includes b excludes a`.
        path: Vec<String>,
    },
}

/// To which collections a device belongs.
#[derive(Clone, Debug)]
pub struct Membership<'a> {
    collections: &'a Collections,
    inside: Vec<bool>,
}

/// Why a device belongs to a collection: the first of its reasons, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// It is named there.
    Direct,
    /// A rule finds it.
    Rule {
        /// Which, counted from 1.
        number: usize,
        /// The rule in words.
        rule: String,
    },
    /// It belongs to an included collection.
    Included {
        /// That collection.
        collection: CollectionId,
        /// Why it belongs to that one.
        because: Box<Why>,
    },
}

impl Collections {
    /// Checks and connects them.
    ///
    /// # Errors
    /// All faults: names that are there twice, references to nothing, and circles, each with the way round.
    pub fn new(mut collections: Vec<Collection>) -> Result<Self, Vec<CollectionError>> {
        if !collections.iter().any(|c| c.id == CollectionId::all_devices()) {
            collections.push(Collection::all_devices());
        }
        let mut errors = Vec::new();
        let mut by_id = HashMap::new();
        for (index, collection) in collections.iter().enumerate() {
            if by_id.insert(collection.id.clone(), index).is_some() {
                errors.push(CollectionError::Twice(collection.id.clone()));
            }
        }
        let mut list = Vec::with_capacity(collections.len());
        for collection in collections {
            let mut connect = |names: &[CollectionId]| {
                let mut found = Vec::with_capacity(names.len());
                for name in names {
                    match by_id.get(name) {
                        Some(index) => found.push(*index),
                        None => errors.push(CollectionError::Unknown {
                            from: collection.id.clone(),
                            to: name.clone(),
                        }),
                    }
                }
                found
            };
            let (include, exclude) = (connect(&collection.include), connect(&collection.exclude));
            list.push(Node {
                collection,
                include,
                exclude,
            });
        }
        let (order, circles) = Sorter::sort(&list);
        errors.extend(circles);
        if errors.is_empty() {
            Ok(Self { list, order, by_id })
        } else {
            Err(errors)
        }
    }

    /// All collections, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Collection> {
        self.list.iter().map(|node| &node.collection)
    }

    /// The collection of that short name.
    #[must_use]
    pub fn get(&self, id: &CollectionId) -> Option<&Collection> {
        self.index(id)
            .and_then(|index| self.list.get(index))
            .map(|node| &node.collection)
    }

    /// To which collections a device belongs.
    #[must_use]
    pub fn member_of(&self, device: &DeviceFacts<'_>) -> Membership<'_> {
        let mut membership = Membership {
            collections: self,
            inside: Vec::new(),
        };
        self.place(device, &mut membership.inside);
        membership
    }

    pub(crate) fn index(&self, id: &CollectionId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Writes for each collection whether the device belongs to it.
    pub(in crate::policy) fn place(&self, device: &DeviceFacts<'_>, inside: &mut Vec<bool>) {
        inside.clear();
        inside.resize(self.list.len(), false);
        let is_in = |inside: &[bool], indices: &[usize]| indices.iter().any(|i| inside.get(*i) == Some(&true));
        for index in &self.order {
            let Some(node) = self.list.get(*index) else { continue };
            let belongs = !is_in(inside, &node.exclude)
                && (node.collection.members.contains(&device.id)
                    || is_in(inside, &node.include)
                    || node.collection.rules.iter().any(|rule| rule.matches(device)));
            if let Some(place) = inside.get_mut(*index) {
                *place = belongs;
            }
        }
    }

    /// Why a device that belongs to a collection does so.
    pub(in crate::policy) fn why(&self, index: usize, inside: &[bool], device: &DeviceFacts<'_>) -> Option<Why> {
        let node = self.list.get(index)?;
        if inside.get(index) != Some(&true) {
            return None;
        }
        if node.collection.members.contains(&device.id) {
            return Some(Why::Direct);
        }
        let by_rule = node
            .collection
            .rules
            .iter()
            .enumerate()
            .find(|(_, rule)| rule.matches(device));
        if let Some((at, rule)) = by_rule {
            return Some(Why::Rule {
                number: at + 1,
                rule: rule.to_string(),
            });
        }
        node.include.iter().find_map(|from| {
            Some(Why::Included {
                collection: self.list.get(*from)?.collection.id.clone(),
                because: Box::new(self.why(*from, inside, device)?),
            })
        })
    }
}

impl Membership<'_> {
    /// The collections, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Collection> {
        self.collections
            .iter()
            .zip(&self.inside)
            .filter(|(_, inside)| **inside)
            .map(|(collection, _)| collection)
    }

    /// Whether the device belongs to this collection.
    #[must_use]
    pub fn contains(&self, id: &CollectionId) -> bool {
        self.collections
            .index(id)
            .is_some_and(|index| self.inside.get(index) == Some(&true))
    }

    /// Why the device (the one that was asked about) belongs to this collection; none when it does not.
    #[must_use]
    pub fn why(&self, id: &CollectionId, device: &DeviceFacts<'_>) -> Option<Why> {
        self.collections.why(self.collections.index(id)?, &self.inside, device)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("named directly"),
            Self::Rule { number, rule } => write!(f, "rule {number}: {rule}"),
            Self::Included { collection, because } => write!(f, "included by way of {collection} ({because})"),
        }
    }
}

/// Puts collections behind those that they refer to, and finds circles.
struct Sorter<'a> {
    list: &'a [Node],
    order: Vec<usize>,
    done: HashSet<usize>,
    on_the_way: HashSet<usize>,
    circles: Vec<CollectionError>,
}

/// A collection under way: which of its references comes next.
struct Open {
    index: usize,
    next: usize,
}

impl<'a> Sorter<'a> {
    fn sort(list: &'a [Node]) -> (Vec<usize>, Vec<CollectionError>) {
        let mut sorter = Self {
            list,
            order: Vec::with_capacity(list.len()),
            done: HashSet::new(),
            on_the_way: HashSet::new(),
            circles: Vec::new(),
        };
        for start in 0..list.len() {
            sorter.visit(start);
        }
        (sorter.order, sorter.circles)
    }

    /// Depth first, without recursion: chains may be long.
    fn visit(&mut self, start: usize) {
        if self.done.contains(&start) {
            return;
        }
        let mut way = vec![Open { index: start, next: 0 }];
        self.on_the_way.insert(start);
        while let Some(open) = way.last_mut() {
            let index = open.index;
            let reference = self.reference(index, open.next);
            open.next += 1;
            match reference {
                None => {
                    self.done.insert(index);
                    self.order.push(index);
                    self.on_the_way.remove(&index);
                    way.pop();
                }
                Some((to, _)) if self.done.contains(&to) => {}
                Some((to, _)) if self.on_the_way.insert(to) => way.push(Open { index: to, next: 0 }),
                Some((to, _)) => {
                    let begin = way.iter().position(|open| open.index == to).unwrap_or(0);
                    let circle = self.circle(way.get(begin..).unwrap_or_default(), to);
                    self.circles.push(circle);
                }
            }
        }
    }

    /// The reference of that number, and its verb.
    fn reference(&self, index: usize, number: usize) -> Option<(usize, &'static str)> {
        let node = self.list.get(index)?;
        let includes = node.include.iter().map(|to| (*to, "includes"));
        let excludes = node.exclude.iter().map(|to| (*to, "excludes"));
        includes.chain(excludes).nth(number)
    }

    fn circle(&self, way: &[Open], back_to: usize) -> CollectionError {
        let name = |index: usize| {
            self.list
                .get(index)
                .map(|n| n.collection.id.to_string())
                .unwrap_or_default()
        };
        let mut path = Vec::new();
        for open in way {
            let verb = self
                .reference(open.index, open.next.saturating_sub(1))
                .map_or("", |(_, verb)| verb);
            path.extend([name(open.index), verb.to_owned()]);
        }
        path.push(name(back_to));
        CollectionError::Circle { path }
    }
}
