//! Where a freeze or a policy is: in one namespace, or in the cluster. The two kinds of each differ in nothing else here.

use kube::{
    Api,
    api::{ApiResource, DynamicObject},
};
use policy::resource::{ClusterFreeze, ClusterReleasePolicy, Freeze, ReleasePolicy};

use crate::{failure::Failure, steer::desk::Desk, trouble::Trouble};

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the namespace of the desk.
    Namespace,
    /// In the cluster.
    Cluster,
}

/// What there is in both scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Freeze`, `ClusterFreeze`
    Freeze,
    /// `ReleasePolicy`, `ClusterReleasePolicy`
    Policy,
}

impl Scope {
    /// That of a flag `--cluster`.
    #[must_use]
    pub fn of(cluster: bool) -> Self {
        if cluster { Self::Cluster } else { Self::Namespace }
    }

    /// The API of a kind there.
    pub fn api(self, desk: &Desk, kind: Kind) -> Api<DynamicObject> {
        let resource = match (self, kind) {
            (Self::Namespace, Kind::Freeze) => ApiResource::erase::<Freeze>(&()),
            (Self::Namespace, Kind::Policy) => ApiResource::erase::<ReleasePolicy>(&()),
            (Self::Cluster, Kind::Freeze) => ApiResource::erase::<ClusterFreeze>(&()),
            (Self::Cluster, Kind::Policy) => ApiResource::erase::<ClusterReleasePolicy>(&()),
        };
        match self {
            Self::Namespace => Api::namespaced_with(desk.client.clone(), &desk.namespace, &resource),
            Self::Cluster => Api::all_with(desk.client.clone(), &resource),
        }
    }

    /// Resource and group, as kubectl prints them.
    #[must_use]
    pub fn resource(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Namespace, Kind::Freeze) => "freeze.roadstead.dev",
            (Self::Namespace, Kind::Policy) => "releasepolicy.roadstead.dev",
            (Self::Cluster, Kind::Freeze) => "clusterfreeze.roadstead.dev",
            (Self::Cluster, Kind::Policy) => "clusterreleasepolicy.roadstead.dev",
        }
    }

    /// `namespace shop`, or `the cluster`.
    #[must_use]
    pub fn called(self, desk: &Desk) -> String {
        match self {
            Self::Namespace => format!("namespace {}", desk.namespace),
            Self::Cluster => "the cluster".to_owned(),
        }
    }

    /// The flag that says so in a command.
    #[must_use]
    pub fn flag(self, desk: &Desk) -> String {
        match self {
            Self::Namespace => format!("-n {}", desk.namespace),
            Self::Cluster => "--cluster".to_owned(),
        }
    }

    /// The namespace of its objects.
    #[must_use]
    pub fn namespace(self, desk: &Desk) -> Option<String> {
        (self == Self::Namespace).then(|| desk.namespace.clone())
    }

    /// The failure of an attempt there.
    pub fn failure(self, desk: &Desk, what: &str, trouble: Trouble) -> Failure {
        let unknown = matches!(&trouble, Trouble::Api(kube::Error::Api(status)) if status.code == 404
            && !status.message.contains('"'));
        if unknown {
            return Failure::NotFound(format!(
                "cannot {what}: this API server knows no policies and freezes; Roadstead's definitions are not installed \
                 (docs/install.md)"
            ));
        }
        desk.failure(what, trouble, if self == Self::Cluster { "cluster-admin" } else { "admin" })
    }
}
