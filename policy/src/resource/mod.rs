//! The custom resources, `roadstead.dev/v1alpha1`. The manifests of their definitions are generated from these types.

mod check;
mod definitions;
mod freeze;
mod policy;
mod schema;
mod status;
mod validation;
mod window;

pub use self::{
    check::{Check, JobCheck, PromQlCheck},
    definitions::definitions,
    freeze::{ClusterFreeze, ClusterFreezeSpec, Freeze, FreezeSpec},
    policy::{
        Approvals, ClusterReleasePolicy, ClusterReleasePolicySpec, Limits, Mode, OnFailure, PolicyLane,
        ReleasePolicy, ReleasePolicySpec, Retries,
    },
    status::{FreezeStatus, Paused, PolicyStatus},
    validation::{Action, FailureMode, Validation},
    window::{Window, WindowKind},
};

/// Group of every resource of ours, and of the virtual resource `changes` that people's verbs are granted on.
pub const GROUP: &str = "roadstead.dev";

/// Version of the resources.
pub const VERSION: &str = "v1alpha1";
