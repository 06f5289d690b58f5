//! The definitions of policies and freezes, from the chart of this checkout. A cluster has them once, however many
//! Roadsteads are in it: a test that took them away would take away the policies of the others.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};

use crate::eventually::eventually;
use crate::release::Release;

/// From the definition to objects of its kind; a second, but on a busy machine more of them.
const SERVED: Duration = Duration::from_secs(30);

/// Installs them and waits until the API server serves their kinds.
pub(super) async fn install(client: &kube::Client) -> anyhow::Result<()> {
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    let folder = Release::chart().join("files/crds");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).context("the chart has no definitions")? {
        let text = std::fs::read_to_string(entry?.path())?;
        let definition: CustomResourceDefinition = serde_norway::from_str(&text)?;
        let name = definition.metadata.name.clone().context("a definition without a name")?;
        let applied = PatchParams::apply("testbed").force();
        definitions.patch(&name, &applied, &Patch::Apply(&definition)).await?;
        names.push(name);
    }
    for name in &names {
        eventually(&format!("{name} is served"), SERVED, async || {
            let conditions = definitions.get(name).await?.status.and_then(|status| status.conditions);
            let mut conditions = conditions.into_iter().flatten();
            let established = conditions.any(|seen| seen.type_ == "Established" && seen.status == "True");
            anyhow::ensure!(established, "it is not established");
            Ok(())
        })
        .await?;
    }
    Ok(())
}
