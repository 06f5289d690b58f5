//! The definitions of the four kinds, as the chart installs them (`charts/roadstead/files/crds`).

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt as _;

use super::{ClusterFreeze, ClusterReleasePolicy, Freeze, ReleasePolicy};

/// The definitions, by the name of their file without its ending: the plural.
#[must_use]
pub fn definitions() -> Vec<(String, CustomResourceDefinition)> {
    [ReleasePolicy::crd(), ClusterReleasePolicy::crd(), Freeze::crd(), ClusterFreeze::crd()]
        .map(|mut definition| {
            for version in &mut definition.spec.versions {
                version
                    .schema
                    .iter_mut()
                    .filter_map(|schema| schema.open_api_v3_schema.as_mut())
                    .for_each(tidy);
            }
            (definition.spec.names.plural.clone(), definition)
        })
        .into()
}

/// Makes one line of a description: `kubectl explain` breaks lines itself, and keeps those of the source.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.description = schema.description.take().map(|text| text.replace('\n', " "));
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(tidy);
    match schema.items.as_mut() {
        Some(JSONSchemaPropsOrArray::Schema(items)) => tidy(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(tidy),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = schema.additional_properties.as_mut() {
        tidy(values);
    }
}
