//! What expressions see of one change, and what all of them may cost together.

use std::{
    cell::{Cell, OnceCell},
    collections::BTreeMap,
    fmt,
};

use super::{
    Fault, Json,
    json::Node,
    value::{Map, Text, Value},
};

/// Steps that all expressions which look at one subject may cost together: a few milliseconds to a few dozen.
pub const MAX_STEPS: u64 = 1_000_000;

/// Members of a review's request that Kubernetes does not show to expressions as part of it.
const HIDDEN: [&str; 3] = ["uid", "object", "oldObject"];

/// What expressions see. Cheap to make: what it is made of is read when an expression looks at it, and kept for the
/// others. It also keeps count of what they cost together: make one a review, not one an expression.
pub struct Subject<'a> {
    object: Node<'a>,
    old_object: Option<Node<'a>>,
    request: Option<Node<'a>>,
    namespace: &'a str,
    labels: &'a BTreeMap<String, String>,
    shown_request: OnceCell<Value<'a>>,
    namespace_object: OnceCell<Value<'a>>,
    steps: Cell<u64>,
}

/// A name that expressions know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `object`
    Object,
    /// `oldObject`
    OldObject,
    /// `request`
    Request,
    /// `namespaceObject`
    NamespaceObject,
}

impl<'a> Subject<'a> {
    /// A change that is submitted: the text of the Deployment as it would be stored, and as it is stored where it is;
    /// the `request` of the review (its `object`, `oldObject` and `uid` are not shown); name and labels of the
    /// namespace.
    #[must_use]
    pub fn submitted(
        object: &'a str,
        old_object: Option<&'a str>,
        request: Json<'a>,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> Self {
        let old_object = old_object.map(|text| Node::new(Json::Text(text)));
        Self::new(Node::new(Json::Text(object)), old_object, Some(Node::new(request)), namespace, labels)
    }

    /// A change that is to be let through: the live Deployment; name and labels of the namespace.
    #[must_use]
    pub fn live(
        object: &'a serde_json::Value,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> Self {
        Self::new(Node::new(Json::Value(object)), None, None, namespace, labels)
    }

    fn new(
        object: Node<'a>,
        old_object: Option<Node<'a>>,
        request: Option<Node<'a>>,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> Self {
        Self {
            object,
            old_object,
            request,
            namespace,
            labels,
            shown_request: OnceCell::new(),
            namespace_object: OnceCell::new(),
            steps: Cell::new(MAX_STEPS),
        }
    }

    /// Steps that are left for the expressions which look at it.
    #[must_use]
    pub fn steps_left(&self) -> u64 {
        self.steps.get()
    }

    pub(super) fn spend(&self, steps: u64) {
        self.steps.set(self.steps.get().saturating_sub(steps));
    }

    pub(super) fn variable(&self, variable: Variable) -> Result<Value<'a>, Fault> {
        match variable {
            Variable::Object => self.object.value(),
            Variable::OldObject => self.old_object.as_ref().map_or(Ok(Value::Null), Node::value),
            Variable::Request => self.request(),
            Variable::NamespaceObject => self.namespace_object(),
        }
    }

    fn request(&self) -> Result<Value<'a>, Fault> {
        if let Some(shown) = self.shown_request.get() {
            return Ok(shown.clone());
        }
        let shown = match self.request.as_ref().map(Node::value).transpose()? {
            None => return Ok(Value::Null),
            Some(Value::Map(map)) => map,
            Some(_) => return Err(Fault::of("the request is not an object")),
        };
        let mut entries = Vec::new();
        for at in 0..shown.len() {
            let (name, value) = (shown.key(at)?, shown.value(at)?);
            let hidden = matches!(&name, Value::Text(name) if HIDDEN.contains(&name.as_str()));
            // What is not there is not there in Kubernetes' own request either.
            if !hidden && !matches!(value, Value::Null) {
                entries.push((name, value));
            }
        }
        let shown = Value::Map(Map::built(entries)?);
        Ok(self.shown_request.get_or_init(|| shown).clone())
    }

    fn namespace_object(&self) -> Result<Value<'a>, Fault> {
        if let Some(shown) = self.namespace_object.get() {
            return Ok(shown.clone());
        }
        let text = |text: &'a str| Value::Text(Text::Borrowed(text));
        let labels = self.labels.iter().map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>();
        let mut metadata = vec![(text("name"), text(self.namespace))];
        if !labels.is_empty() {
            metadata.push((text("labels"), Value::Map(Map::built(labels)?)));
        }
        let metadata = Value::Map(Map::built(metadata)?);
        let shown = Value::Map(Map::built(vec![(text("metadata"), metadata)])?);
        Ok(self.namespace_object.get_or_init(|| shown).clone())
    }
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
