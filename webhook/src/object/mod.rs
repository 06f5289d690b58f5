//! What the webhook reads of a Deployment or ReplicaSet: a handful of fields, everything else is skipped while
//! parsing. The template stays text until a digest of it is needed.

mod annotations;
mod members;
mod spec;

use std::borrow::Cow;

use serde::Deserialize;

pub use self::{
    annotations::{Annotations, Labels},
    spec::Spec,
};
pub(crate) use members::{members, members_or_null, text_or_null};

/// A Deployment or ReplicaSet.
#[derive(Debug, Deserialize)]
pub struct Object<'a> {
    /// Its metadata.
    #[serde(borrow, deserialize_with = "members")]
    pub metadata: Metadata<'a>,
    /// Its spec.
    #[serde(borrow, deserialize_with = "members")]
    pub spec: Spec<'a>,
}

/// The metadata that decisions need.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata<'a> {
    /// Name; empty while it is to be generated.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Namespace.
    #[serde(borrow)]
    pub namespace: Cow<'a, str>,
    /// Uid; empty before the object is stored.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// Counts changes of the spec and of annotations.
    pub generation: i64,
    /// The annotations of ours; `None` where the object has no annotations at all.
    #[serde(borrow)]
    pub annotations: Option<Annotations<'a>>,
    /// The label of ours; `None` where the object has no labels at all.
    pub labels: Option<Labels>,
    /// Owners of a ReplicaSet.
    #[serde(deserialize_with = "members::list_or_null")]
    pub owner_references: Option<Vec<OwnerReference>>,
}

/// One owner.
#[derive(Debug, Deserialize)]
pub struct OwnerReference {
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner.
    pub name: String,
    /// Uid of the owner.
    pub uid: String,
    /// Whether it is the managing owner.
    #[serde(default)]
    pub controller: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_null_maps_are_the_same() {
        for text in ["{}", r#"{"annotations":null,"labels":null,"ownerReferences":null}"#] {
            let metadata: Metadata<'_> = serde_json::from_str(text).unwrap();
            assert!(metadata.annotations.is_none() && metadata.labels.is_none());
            assert!(metadata.owner_references.is_none());
        }
    }
}
