//! Who owns which field (`metadata.managedFields`), given back after a rollback. A write takes fields from everybody
//! else who owned them, and the next `kubectl apply --server-side` or Helm upgrade would end in a conflict with us.
//! Pure. <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The manager of the rollback's write; its entry goes right after it.
pub(crate) const MANAGER: &str = "roadstead-rollback";

/// Fields, each the path to it.
type Fields = BTreeSet<Vec<String>>;

/// Whether our entry is among them.
pub(crate) fn is_ours<'a>(mut managers: impl Iterator<Item = Option<&'a str>>) -> bool {
    managers.any(|manager| manager == Some(MANAGER))
}

/// The entries as they are to be: those of now, without ours, and with what the write that lies between `before` and
/// `after` took from each. What others did to them since stays.
pub(super) fn given_back(before: &[Value], after: &[Value], now: &[Value]) -> Vec<Value> {
    let mut entries: Vec<Value> = now.iter().filter(|entry| entry["manager"] != MANAGER).cloned().collect();
    for old in before.iter().filter(|entry| entry["manager"] != MANAGER) {
        let left = after.iter().find(|entry| same(entry, old)).map(fields).unwrap_or_default();
        let taken: Fields = fields(old).difference(&left).cloned().collect();
        if taken.is_empty() {
            continue;
        }
        if let Some(entry) = entries.iter_mut().find(|entry| same(entry, old)) {
            let all = fields(entry).union(&taken).cloned().collect();
            entry["fieldsV1"] = tree(&all);
        } else {
            let mut entry = old.clone();
            entry["fieldsV1"] = tree(&taken);
            entries.push(entry);
        }
    }
    if entries.is_empty() {
        // An empty list would mean "as they are"; a list of one empty entry empties it.
        entries.push(json!({}));
    }
    entries
}

/// Whether two entries are of the same manager, in the same role.
fn same(one: &Value, other: &Value) -> bool {
    ["manager", "operation", "apiVersion", "subresource"].iter().all(|key| one[key] == other[key])
}

/// The members of a set in the form `FieldsV1`: a path ends where its object is empty, or has the member `.`.
fn fields(entry: &Value) -> Fields {
    fn walk(node: &Value, path: &mut Vec<String>, found: &mut Fields) {
        let Some(members) = node.as_object() else { return };
        if members.is_empty() || members.contains_key(".") {
            found.insert(path.clone());
        }
        for (name, member) in members.iter().filter(|(name, _)| *name != ".") {
            path.push(name.clone());
            walk(member, path, found);
            path.pop();
        }
    }
    let mut found = Fields::new();
    if entry["fieldsV1"].as_object().is_some_and(|root| !root.is_empty()) {
        walk(&entry["fieldsV1"], &mut Vec::new(), &mut found);
    }
    found
}

/// The other way round.
fn tree(fields: &Fields) -> Value {
    fn put(node: &mut Map<String, Value>, path: &[String]) {
        let name = path.first().map_or(".", String::as_str);
        let child = node.entry(name).or_insert_with(|| Value::Object(Map::new()));
        if let (Value::Object(child), false) = (child, path.is_empty()) {
            put(child, &path[1..]);
        }
    }
    /// Where nothing lies beyond it, the end of a path is written as an empty object.
    fn trim(node: &mut Map<String, Value>) {
        if node.len() == 1 {
            node.remove(".");
        }
        node.values_mut().filter_map(Value::as_object_mut).for_each(trim);
    }
    let mut root = Map::new();
    for path in fields {
        put(&mut root, path);
    }
    trim(&mut root);
    Value::Object(root)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(manager: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn helm() -> Value {
        entry(
            "helm",
            &json!({"f:spec": {"f:replicas": {}, "f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:image": {}}}}}),
        )
    }

    /// What is left to Helm when the image was taken from it.
    fn robbed() -> Value {
        entry("helm", &json!({"f:spec": {"f:replicas": {}, "f:containers": {"k:{\"name\":\"app\"}": {}}}}))
    }

    fn ours() -> Value {
        entry(MANAGER, &json!({"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {"f:image": {}}}}}))
    }

    #[test]
    fn what_was_taken_is_given_back_and_nothing_of_ours_stays() {
        let after = [robbed(), ours()];
        assert_eq!(given_back(&[helm()], &after, &after), [helm()]);
    }

    #[test]
    fn a_manager_who_lost_everything_gets_it_back() {
        let before = [entry("kubectl", &json!({"f:image": {}})), helm()];
        let after = [robbed(), ours()];
        assert_eq!(given_back(&before, &after, &after), [helm(), before[0].clone()]);
    }

    #[test]
    fn what_others_did_since_stays() {
        let after = [robbed(), ours()];
        let since = entry("kubectl-scale", &json!({"f:spec": {"f:replicas": {}}}));
        let less = entry("helm", &json!({"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {}}}}));
        let now = [less, ours(), since.clone()];
        let given = given_back(&[helm()], &after, &now);
        let expected = entry(
            "helm",
            &json!({"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:image": {}}}}}),
        );
        assert_eq!(given, [expected, since]);
    }

    #[test]
    fn where_nobody_owned_anything_nobody_does() {
        assert_eq!(given_back(&[], &[ours()], &[ours()]), [json!({})]);
    }

    proptest! {
        #[test]
        fn a_set_reads_back(paths in prop::collection::btree_set(prop::collection::vec("f:[abc]|k:[ab]", 1..5), 1..12)) {
            let entry = json!({ "fieldsV1": tree(&paths) });
            prop_assert_eq!(fields(&entry), paths);
        }
    }
}
