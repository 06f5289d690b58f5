//! What the webhook reads of a Deployment or ReplicaSet: a handful of fields, everything else is skipped while
//! parsing. The template stays text until a digest of it is needed.

use std::{borrow::Cow, fmt};

use contract::{Digest, Gate, Key, State, key};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A Deployment or ReplicaSet.
#[derive(Debug, Deserialize)]
pub struct Object<'a> {
    /// Its metadata.
    #[serde(borrow)]
    pub metadata: Metadata<'a>,
    /// Its spec.
    #[serde(borrow)]
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
    pub uid: String,
    /// Counts changes of the spec and of annotations.
    pub generation: i64,
    /// The annotations of ours; `None` where the object has no annotations at all.
    #[serde(borrow)]
    pub annotations: Option<Annotations<'a>>,
    /// The label of ours; `None` where the object has no labels at all.
    pub labels: Option<Labels>,
    /// Owners of a ReplicaSet.
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

/// The spec that decisions need.
#[derive(Debug, Deserialize)]
pub struct Spec<'a> {
    /// Wanted pods; defaulted by the API server before admission.
    #[serde(default)]
    pub replicas: Option<i32>,
    /// Whether the deployment controller is told to leave it alone.
    #[serde(default)]
    pub paused: Option<bool>,
    #[serde(default)]
    strategy: Option<Strategy>,
    #[serde(borrow)]
    template: &'a RawValue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Strategy {
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    rolling_update: Option<RollingUpdate>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RollingUpdate {
    #[serde(default)]
    max_surge: Option<IntOrPercent>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected an integer of 32 bits or a percentage")]
enum IntOrPercent {
    Int(i32),
    Percent(String),
}

impl IntOrPercent {
    /// A percentage is rounded up, so it comes to no pods only where it says 0.
    /// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-surge>
    fn is_zero(&self) -> bool {
        match self {
            Self::Int(pods) => *pods == 0,
            Self::Percent(text) => text.trim_end_matches('%').parse() == Ok(0),
        }
    }
}

impl Spec<'_> {
    /// Whether the deployment controller takes old pods away before it adds new ones.
    #[must_use]
    pub fn scales_down_first(&self) -> bool {
        let Some(strategy) = &self.strategy else { return false };
        let surge = strategy.rolling_update.as_ref().and_then(|update| update.max_surge.as_ref());
        strategy.r#type.as_deref() == Some("Recreate") || surge.is_some_and(IntOrPercent::is_zero)
    }

    /// Whether the deployment controller is told to leave it alone.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused == Some(true)
    }

    /// Whether the template is a JSON object; what is in it is read with the digest.
    #[must_use]
    pub fn has_template_object(&self) -> bool {
        self.template.get().starts_with('{')
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

/// The values of our own annotations, in the order of [`Key::ALL`], and what a user asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations<'a> {
    own: [Option<Cow<'a, str>>; Key::ALL.len()],
    lane: Option<Cow<'a, str>>,
    on_failure: Option<Cow<'a, str>>,
    lift: Option<Cow<'a, str>>,
}

impl<'a> Annotations<'a> {
    /// Our own annotation.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&str> {
        self.own[key as usize].as_deref()
    }

    /// Sets or drops our own annotation.
    pub fn set(&mut self, key: Key, value: Option<impl Into<Cow<'a, str>>>) {
        self.own[key as usize] = value.map(Into::into);
    }

    /// The lane that a user asks for.
    #[must_use]
    pub fn lane(&self) -> Option<&str> {
        self.lane.as_deref()
    }

    /// What a user wants done where a rollout fails.
    #[must_use]
    pub fn on_failure(&self) -> Option<&str> {
        self.on_failure.as_deref()
    }

    /// The digest that a user wants off the quarantine.
    #[must_use]
    pub fn lift(&self) -> Option<&str> {
        self.lift.as_deref()
    }

    /// Our own annotations as a state; the phase is not among them.
    #[must_use]
    pub fn state(&self) -> State {
        State::read(|name| self.get(Key::from_name(name)?), |_| None)
    }

    /// Whether the gate is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.get(Key::Gate).and_then(Gate::read) == Some(Gate::Closed)
    }
}

/// The value of our own label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// [`key::PHASE_LABEL`]
    pub phase: Option<String>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Annotations<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnnotationsVisitor)
    }
}

struct AnnotationsVisitor;

impl<'de> Visitor<'de> for AnnotationsVisitor {
    type Value = Annotations<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations<'de>, A::Error> {
        let mut annotations = Annotations::default();
        while let Some(Text(name)) = map.next_key()? {
            let place = match Key::from_name(&name) {
                Some(key) => &mut annotations.own[key as usize],
                None if name == key::LANE => &mut annotations.lane,
                None if name == key::ON_FAILURE => &mut annotations.on_failure,
                None if name == key::LIFT => &mut annotations.lift,
                None => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let Text(value) = map.next_value()?;
            if place.replace(value).is_some() {
                return Err(A::Error::custom(format_args!("the annotation {name:?} stands twice")));
            }
        }
        Ok(annotations)
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelsVisitor)
    }
}

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut labels = Labels::default();
        while let Some(Text(name)) = map.next_key()? {
            if name == key::PHASE_LABEL {
                let Text(value) = map.next_value()?;
                if labels.phase.replace(value.into_owned()).is_some() {
                    return Err(A::Error::custom(format_args!("the label {name:?} stands twice")));
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(labels)
    }
}

/// A text, borrowed where it has no escape in it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

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

    #[test]
    fn only_our_annotations_are_kept_and_a_repeated_one_is_refused() {
        let read = |text| serde_json::from_str::<Annotations<'_>>(text);
        let annotations =
            read(r#"{"a":"b","roadstead.dev/gate":"closed","roadstead.dev/lane":"bulk"}"#).unwrap();
        assert!(annotations.is_closed());
        assert_eq!(annotations.lane(), Some("bulk"));
        assert!(read(r#"{"roadstead.dev/gate":"closed","roadstead.dev/gate":"open"}"#).is_err());
        assert!(read(r#"{"roadstead.dev/gate":7}"#).is_err());
    }

    #[test]
    fn absent_and_null_maps_are_the_same() {
        for text in ["{}", r#"{"annotations":null,"labels":null}"#] {
            let metadata: Metadata<'_> = serde_json::from_str(text).unwrap();
            assert!(metadata.annotations.is_none() && metadata.labels.is_none());
        }
    }
}
