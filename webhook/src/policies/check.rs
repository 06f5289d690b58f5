//! Whether a policy or a freeze that is written can be obeyed: what the API server's own validation cannot see is an
//! expression that does not compile, a schedule, a time zone, a duration, a selector. The answer names each field.

use policy::{
    resource::{ClusterFreeze, ClusterReleasePolicy, Freeze, ReleasePolicy},
    set::{Frost, Policy, Problem},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    answer::{Cause, Denial, Named},
    review::{Malformed, Request},
};

/// Reads an object of a kind and says what in it cannot be obeyed.
type Look = fn(&str) -> Vec<Problem>;

/// The kinds by their resources.
const KINDS: [(&str, &str, Look); 4] = [
    ("releasepolicies", "ReleasePolicy", |text| {
        look(text, |policy: &ReleasePolicy| Policy::of(policy).problems)
    }),
    ("clusterreleasepolicies", "ClusterReleasePolicy", |text| {
        look(text, |policy: &ClusterReleasePolicy| Policy::of_cluster(policy).problems)
    }),
    ("freezes", "Freeze", |text| look(text, |freeze: &Freeze| Frost::of(freeze).problems)),
    ("clusterfreezes", "ClusterFreeze", |text| {
        look(text, |freeze: &ClusterFreeze| Frost::of_cluster(freeze).problems)
    }),
];

/// The spec of any object, as text.
#[derive(Deserialize)]
struct Specified<'a> {
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
}

/// Checks a policy or a freeze that is created or updated. `None`: the review is about nothing of the kind;
/// `Some(None)`: there is nothing wrong with it.
///
/// # Errors
/// A review without its object.
pub fn check(request: &Request<'_>) -> Result<Option<Option<Denial>>, Malformed> {
    let written = request.is_create() || request.is_update();
    let whole = request.sub_resource.as_deref().is_none_or(str::is_empty);
    let kind = request.resource_of_ours().filter(|_| written && whole);
    let Some((_, kind, look)) = kind.and_then(|name| KINDS.iter().find(|(plural, ..)| *plural == name))
    else {
        return Ok(None);
    };
    let texts = request.texts()?;
    let object = texts.object.ok_or(Malformed::Missing("request.object"))?;
    // What was let in once can be labelled, annotated and deleted, whatever we think of it by now.
    if request.is_update() && texts.old_object.is_some_and(|old| spec(old) == spec(object)) {
        return Ok(Some(None));
    }
    let problems = look(object);
    Ok(Some((!problems.is_empty()).then(|| denial(kind, request, &problems))))
}

fn spec(object: &str) -> Option<serde_json::Value> {
    let object: Specified<'_> = serde_json::from_str(object).ok()?;
    serde_json::from_str(object.spec?.get()).ok()
}

fn look<K: DeserializeOwned>(text: &str, problems: impl FnOnce(&K) -> Vec<Problem>) -> Vec<Problem> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, K>(&mut deserializer) {
        Ok(object) => problems(&object),
        Err(error) => {
            let (field, message) = (error.path().to_string(), error.inner().to_string());
            vec![Problem { field, message }]
        }
    }
}

fn denial(kind: &'static str, request: &Request<'_>, problems: &[Problem]) -> Denial {
    let told: Vec<_> =
        problems.iter().map(|Problem { field, message }| format!("{field}: {message}")).collect();
    // Not known yet where it is to be generated.
    let name = match (request.namespace(), request.name()) {
        ("", name) => name.to_owned(),
        (namespace, "") => format!("in {namespace}"),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    let causes = problems.iter().map(|Problem { field, message }| {
        Cause::of_field("FieldValueInvalid", field.as_str(), message.as_str())
    });
    Denial {
        message: format!("{kind} {name} cannot be obeyed: {}", told.join("; ")),
        causes: causes.collect(),
        invalid: Some(Named { kind, name: request.name().to_owned() }),
    }
}
