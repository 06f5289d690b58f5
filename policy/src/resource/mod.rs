//! The custom resources, `roadstead.dev/v1alpha1`. The manifests of their definitions are generated from these types.

mod freeze;
mod policy;
mod status;

pub use self::{
    freeze::{ClusterFreeze, ClusterFreezeSpec, Freeze, FreezeSpec},
    policy::{
        Action, Approvals, Check, ClusterReleasePolicy, ClusterReleasePolicySpec, FailureMode, JobCheck,
        Limits, Mode, OnFailure, PolicyLane, PromQlCheck, ReleasePolicy, ReleasePolicySpec, Retries,
        Validation, Window, WindowKind,
    },
    status::{FreezeStatus, Paused, PolicyStatus},
};

/// Group of every resource of ours, and of the virtual resource `changes` that people's verbs are granted on.
pub const GROUP: &str = "roadstead.dev";

/// Version of the resources.
pub const VERSION: &str = "v1alpha1";
