//! What a test asks for.

use serde_json::Value;

use super::Stack;
use crate::control_plane::Audit;

/// A Roadstead for one test, on paper.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) webhooks: usize,
    pub(super) executors: usize,
    pub(super) certs: usize,
    pub(super) namespaces: usize,
    pub(super) left_out: LeftOut,
    pub(super) opted_in: bool,
    pub(super) annotations: Vec<(String, String)>,
    pub(super) webhook_env: Vec<(String, String)>,
    pub(super) executor_env: Vec<(String, String)>,
    pub(super) values: Vec<(String, Value)>,
    pub(super) through_proxy: ThroughProxy,
    pub(super) nats_identities: bool,
    pub(super) control_plane: Share,
}

/// Parts that are not started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeftOut {
    pub(super) webhook: bool,
    pub(super) executor: bool,
    pub(super) nats: bool,
}

/// Who reaches the API server through the proxy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ThroughProxy {
    pub(super) webhook: bool,
    pub(super) executor: bool,
}

/// Whose control plane it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    WithOtherTests,
    Own { default_limits: bool, audit: Audit },
}

impl Options {
    pub(super) fn new() -> Self {
        Self {
            webhooks: 1,
            executors: 1,
            certs: 0,
            namespaces: 1,
            left_out: LeftOut::default(),
            opted_in: true,
            annotations: vec![],
            webhook_env: vec![],
            executor_env: vec![],
            values: vec![],
            through_proxy: ThroughProxy::default(),
            nats_identities: false,
            control_plane: Share::WithOtherTests,
        }
    }

    /// Rollouts in flight at a time, none of them reserved for urgent changes.
    #[must_use]
    pub fn slots(self, slots: u32) -> Self {
        self.value("slots", slots).urgent_slots(0)
    }

    /// So many more in the urgent lane.
    #[must_use]
    pub fn urgent_slots(self, slots: u32) -> Self {
        self.value("urgentSlots", slots)
    }

    /// How many webhooks; more than one stand behind a balancer, `t.balancer()`.
    #[must_use]
    pub fn webhooks(self, webhooks: usize) -> Self {
        Self { webhooks, ..self }
    }

    /// How many executors.
    #[must_use]
    pub fn executors(self, executors: usize) -> Self {
        Self { executors, ..self }
    }

    /// So many processes keep the webhooks' certificate in a Secret, which is mounted for each webhook: `t.certs`.
    #[must_use]
    pub fn rotating(self, certs: usize) -> Self {
        Self { certs, ..self }
    }

    /// How many namespaces are the test's.
    #[must_use]
    pub fn namespaces(self, namespaces: usize) -> Self {
        Self { namespaces, ..self }
    }

    /// The webhook is not started; `t.webhook.start()` does.
    #[must_use]
    pub fn without_webhook(mut self) -> Self {
        self.left_out.webhook = true;
        self
    }

    /// No executor is started; `t.executor.start()` does.
    #[must_use]
    pub fn without_executor(mut self) -> Self {
        self.left_out.executor = true;
        self
    }

    /// nats-server is not started; `t.nats.start()` does.
    #[must_use]
    pub fn without_nats(mut self) -> Self {
        self.left_out.nats = true;
        self
    }

    /// The namespaces lack the label that opts them in.
    #[must_use]
    pub fn not_opted_in(self) -> Self {
        Self { opted_in: false, ..self }
    }

    /// An annotation of every namespace of the test.
    #[must_use]
    pub fn namespace_annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.push((key.to_owned(), value.to_owned()));
        self
    }

    /// An environment variable of the webhook, over what the chart says.
    #[must_use]
    pub fn webhook_env(mut self, name: &str, value: &str) -> Self {
        self.webhook_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// An environment variable of every executor, over what the chart says.
    #[must_use]
    pub fn executor_env(mut self, name: &str, value: &str) -> Self {
        self.executor_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A chart value, by its path with dots.
    #[must_use]
    pub fn value(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.values.push((path.to_owned(), value.into()));
        self
    }

    /// nats-server lets in those alone who have an identity: the workloads with what their roles may, and the test
    /// with everything (`t.nats_client()`).
    #[must_use]
    pub fn nats_identities(self) -> Self {
        Self { nats_identities: true, ..self }.value("nats.allowAnonymous", false)
    }

    /// The executors reach the API server through `t.proxy()`.
    #[must_use]
    pub fn executor_through_proxy(mut self) -> Self {
        self.through_proxy.executor = true;
        self
    }

    /// The webhooks reach the API server through `t.proxy()`.
    #[must_use]
    pub fn webhook_through_proxy(mut self) -> Self {
        self.through_proxy.webhook = true;
        self
    }

    /// A control plane for this test alone, which may then stop parts of it.
    #[must_use]
    pub fn own_control_plane(self) -> Self {
        self.own(|_, _| ())
    }

    /// A control plane for this test alone, whose controllers keep their default limits (20 queries a second).
    #[must_use]
    pub fn controller_default_limits(self) -> Self {
        self.own(|default_limits, _| *default_limits = true)
    }

    /// A control plane for this test alone that writes down every request: `t.control_plane.audit()`.
    #[must_use]
    pub fn audit_log(self) -> Self {
        self.own(|_, audit| *audit = Audit::Requests)
    }

    /// A control plane for this test alone that writes down every write: [`Audit::Writes`].
    #[must_use]
    pub fn recorded(self) -> Self {
        self.own(|_, audit| *audit = Audit::Writes)
    }

    fn own(mut self, set: impl FnOnce(&mut bool, &mut Audit)) -> Self {
        if self.control_plane == Share::WithOtherTests {
            self.control_plane = Share::Own { default_limits: false, audit: Audit::Nothing };
        }
        if let Share::Own { default_limits, audit } = &mut self.control_plane {
            set(default_limits, audit);
        }
        self
    }

    /// Starts it, runs the test and takes it down; its files are kept if the test fails.
    ///
    /// # Errors
    /// The test's, or what is in the way of starting it.
    pub async fn run(self, test: impl AsyncFnOnce(&Stack) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let stack = self.start().await?;
        Box::pin(test(&stack)).await?;
        stack.finish().await
    }

    /// Starts it. [`Stack::finish`] says that the test succeeded; a stack that is dropped without counts as failed.
    ///
    /// # Errors
    /// When a part cannot be started or is not ready in time.
    pub async fn start(self) -> anyhow::Result<Stack> {
        // On the heap: what it takes to start all of it would fill a small stack.
        Box::pin(super::start::start(self)).await
    }
}

/// Sets the value at a path with dots.
pub(super) fn set(values: &mut Value, path: &str, value: Value) {
    let mut place = values;
    for key in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(serde_json::Map::new());
        }
        place = &mut place[key];
    }
    *place = value;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_value_is_set_beside_others() {
        let mut values = json!({ "nats": { "url": "x" }, "slots": 8 });
        super::set(&mut values, "nats.creds.file", json!(true));
        super::set(&mut values, "slots", json!(2));
        assert_eq!(values, json!({ "nats": { "url": "x", "creds": { "file": true } }, "slots": 2 }));
    }
}
