//! The definitions of policies and freezes. They outlive a release, because what teams wrote would go with them; whoever
//! wants that says so. Without Roadstead a policy holds nothing.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;

use super::work::Work;

/// Plurals of the kinds (policy/src/resource).
const PLURALS: [&str; 4] = ["releasepolicies", "clusterreleasepolicies", "freezes", "clusterfreezes"];

/// Deletes them. By name, so that the right to do so need not cover those of others.
pub async fn delete(work: &mut Work<'_>) {
    let definitions = Api::<CustomResourceDefinition>::all(work.client.clone());
    for plural in PLURALS {
        work.delete(&definitions, &format!("customresourcedefinition {plural}.roadstead.dev")).await;
    }
}
