//! The spec of a Deployment or ReplicaSet, as far as decisions need it.

use std::{borrow::Cow, fmt};

use contract::Digest;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Visitor},
};
use serde_json::value::RawValue;

use super::members::{members_or_null, text_or_null};

/// The spec that decisions need.
#[derive(Debug, Deserialize)]
pub struct Spec<'a> {
    /// Wanted pods; defaulted by the API server before admission.
    #[serde(default)]
    pub replicas: Option<i32>,
    /// Whether the deployment controller is told to leave it alone.
    #[serde(default)]
    pub paused: Option<bool>,
    #[serde(borrow, default, deserialize_with = "members_or_null")]
    strategy: Option<Strategy<'a>>,
    #[serde(borrow, deserialize_with = "object_text")]
    template: &'a RawValue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Strategy<'a> {
    #[serde(borrow, default, deserialize_with = "text_or_null")]
    r#type: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "members_or_null")]
    rolling_update: Option<RollingUpdate>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RollingUpdate {
    #[serde(default)]
    max_surge: Option<Surge>,
}

/// How many pods may come before old ones go: none, or some.
#[derive(Debug, PartialEq)]
enum Surge {
    None,
    Some,
}

impl Spec<'_> {
    /// Whether the deployment controller takes old pods away before it adds new ones.
    #[must_use]
    pub fn scales_down_first(&self) -> bool {
        let Some(strategy) = &self.strategy else { return false };
        let surge = strategy.rolling_update.as_ref().and_then(|update| update.max_surge.as_ref());
        strategy.r#type.as_deref() == Some("Recreate") || surge == Some(&Surge::None)
    }

    /// Whether the deployment controller is told to leave it alone.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused == Some(true)
    }

    /// Digest of the template.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Digest::of_json(self.template.get())
    }

    /// The template's text, as it was sent.
    #[must_use]
    pub fn template(&self) -> &str {
        self.template.get()
    }
}

/// The text of an object; what is in it is read with its digest.
fn object_text<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<&'a RawValue, D::Error> {
    let text: &RawValue = Deserialize::deserialize(deserializer)?;
    if text.get().starts_with('{') { Ok(text) } else { Err(D::Error::custom("must be an object")) }
}

impl<'de> Deserialize<'de> for Surge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SurgeVisitor)
    }
}

struct SurgeVisitor;

impl Visitor<'_> for SurgeVisitor {
    type Value = Surge;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer of 32 bits or a percentage")
    }

    fn visit_i64<E: serde::de::Error>(self, pods: i64) -> Result<Surge, E> {
        match i32::try_from(pods) {
            Ok(0) => Ok(Surge::None),
            Ok(_) => Ok(Surge::Some),
            Err(_) => Err(E::invalid_value(serde::de::Unexpected::Signed(pods), &self)),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, pods: u64) -> Result<Surge, E> {
        self.visit_i64(i64::try_from(pods).unwrap_or(i64::MAX))
    }

    /// A percentage is rounded up, so it comes to no pods only where it says 0.
    /// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-surge>
    fn visit_str<E>(self, text: &str) -> Result<Surge, E> {
        Ok(if text.trim_end_matches('%').parse() == Ok(0) { Surge::None } else { Surge::Some })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(strategy: &str) -> bool {
        let text = format!(r#"{{"strategy":{strategy},"template":{{}}}}"#);
        serde_json::from_str::<Spec<'_>>(&text).unwrap().scales_down_first()
    }

    #[test]
    fn recreate_and_a_surge_of_nothing_take_old_pods_away_first() {
        for strategy in [
            r#"{"type":"Recreate"}"#,
            r#"{"type":"RollingUpdate","rollingUpdate":{"maxSurge":0,"maxUnavailable":1}}"#,
            r#"{"rollingUpdate":{"maxSurge":"0%"}}"#,
            r#"{"rollingUpdate":{"maxSurge":"0"}}"#,
        ] {
            assert!(spec(strategy), "{strategy}");
        }
        for strategy in
            ["null", "{}", r#"{"rollingUpdate":{"maxSurge":"1%"}}"#, r#"{"rollingUpdate":{"maxSurge":1}}"#]
        {
            assert!(!spec(strategy), "{strategy}");
        }
    }
}
