//! Parts of the schemas that no type says by itself: names, durations, label selectors. The API server refuses what does
//! not fit, with the field and the message that stands here; what a schema cannot see is left to [`crate::set`].

use schemars::{Schema, SchemaGenerator, json_schema};

/// A label's value, by <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>.
const LABEL_VALUE: &str = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";

/// A label's key.
const LABEL_KEY: &str = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$";

/// A name that messages use: it is part of no path and no subject.
pub fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 63,
        "pattern": "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
    })
}

/// Names of Deployments.
pub fn deployments(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": 253,
            "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        },
    })
}

/// A duration. The digits are few enough to never overflow in CEL, so that the message is always ours.
pub fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 24,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^([0-9]{1,4}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$') && self != '' \
                     && duration(self) >= duration('1s') && duration(self) <= duration('8760h')",
            "message": "must be a duration from 1s to 8760h, such as 90s, 5m or 1h30m",
        }],
    })
}

/// Cron of five fields; whether they mean something is not for a schema.
pub fn schedule(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 128,
        "x-kubernetes-validations": [{
            "rule": r"self.matches('^[^\\s]+([ ]+[^\\s]+){4}$')",
            "message": "must be cron of five fields: minute, hour, day of the month, month, day of the week, such as \
                        `0 9 * * 1-5`",
        }],
    })
}

/// A label selector. That of Kubernetes checks nothing where it stands in a custom resource.
pub fn selector(_: &mut SchemaGenerator) -> Schema {
    let value = json_schema!({ "type": "string", "maxLength": 63, "pattern": LABEL_VALUE });
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels that have to be there with these values.",
                "type": "object",
                "maxProperties": 32,
                "additionalProperties": value,
            },
            "matchExpressions": {
                "description": "Conditions on labels, all of which have to be met.",
                "type": "array",
                "maxItems": 32,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {
                            "description": "The label's key.",
                            "type": "string",
                            "maxLength": 317,
                            "pattern": LABEL_KEY,
                        },
                        "operator": {
                            "description": "How the label and the values relate.",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "For `In` and `NotIn`.",
                            "type": "array",
                            "maxItems": 64,
                            "x-kubernetes-list-type": "atomic",
                            "items": value,
                        },
                    },
                    "x-kubernetes-validations": [{
                        "rule": "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
                        "message": "In and NotIn need values, Exists and DoesNotExist have none",
                    }],
                },
            },
        },
    })
}
