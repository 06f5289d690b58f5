//! The testbed: a real control plane, NATS and Roadstead as processes on loopback. A test gets all of it in
//! one line ([`Stack::options`]), shares the control plane with the other tests of its process and leaves
//! no process behind, whatever ends it.

pub mod balancer;
pub mod bench;
pub mod chaos;
pub mod control_plane;
pub mod demo;
pub mod endpoint;
pub mod eventually;
pub mod fixtures;
pub mod folder;
pub mod generated;
pub mod kubeconfig;
pub mod mount;
pub mod nats;
pub mod node;
pub mod part;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod quoted;
pub mod release;
pub mod run;
pub mod served;
pub mod stack;
pub mod tools;
mod unique;
pub mod usage;
pub mod view;

pub use balancer::Balancer;
pub use control_plane::{ControlPlane, ControlPlaneOptions};
pub use eventually::{PATIENCE, eventually};
pub use fixtures::{DeploymentFixture, deployment};
pub use hyper::Method;
pub use hyper::http::request::Parts as Request;
pub use nats::Nats;
pub use node::{Cluster, Node, cluster};
pub use part::Part;
pub use proxy::{Disturbance, Hold, Proxy, Trouble};
pub use run::Output;
pub use stack::{Options, Stack};
pub use view::DeploymentView;
