//! Annotations and labels: of the user's only the lane and orders to us are kept, the rest is skipped.

use std::{borrow::Cow, fmt};

use contract::{Gate, Key, State, key};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};

use super::members::Text;

/// The values of our own annotations, in the order of [`Key::ALL`], and what a user asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations<'a> {
    own: [Option<Cow<'a, str>>; Key::ALL.len()],
    lane: Option<Cow<'a, str>>,
    on_failure: Option<Cow<'a, str>>,
    lift: Option<Cow<'a, str>>,
    replay: Option<Cow<'a, str>>,
    approve: Option<Cow<'a, str>>,
    release: Option<Cow<'a, str>>,
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

    /// The dead change that a user wants to wait again.
    #[must_use]
    pub fn replay(&self) -> Option<&str> {
        self.replay.as_deref()
    }

    /// The change that a user approves.
    #[must_use]
    pub fn approve(&self) -> Option<&str> {
        self.approve.as_deref()
    }

    /// The change that a user lets through past every rule, and why.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        self.release.as_deref()
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
                None if name == key::REPLAY => &mut annotations.replay,
                None if name == key::APPROVE => &mut annotations.approve,
                None if name == key::RELEASE => &mut annotations.release,
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
