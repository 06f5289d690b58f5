//! What servers take only when they start: who the operator is, and the cluster. Where it changes under servers that
//! run, the Secret says so by an annotation, and their pods get the same one: then they are started again, one after
//! the other. A process that ends in between leaves the annotation behind, and the next one goes on.

use data_encoding::HEXLOWER;
use k8s_openapi::api::core::v1::Secret;
use sha2::{Digest as _, Sha256};

use super::conf::CLUSTER;
use crate::nats::manifest::{RESOLVER, Texts};
use crate::secrets::bytes;

/// Annotation of the servers' Secret and of their pods: which start they have to have had.
pub(super) const RESTART: &str = "roadstead.dev/restart";

/// Bytes of a digest that tell one start from another.
const SHOWN: usize = 8;

/// Which start servers need that were started with the one, and are to have the other; `None`: none.
pub(super) fn needed(old: &Secret, new: &Texts) -> Option<String> {
    let text = |key| bytes(old, key).map(String::from_utf8_lossy).unwrap_or_default();
    let old = at_start(&text(RESOLVER), &text(CLUSTER));
    let of_new = |key| new.get(key).map(String::as_str).unwrap_or_default();
    let new = at_start(of_new(RESOLVER), of_new(CLUSTER));
    (old != new).then_some(new)
}

fn at_start(resolver: &str, cluster: &str) -> String {
    let mut digest = Sha256::new();
    let named = |line: &&str| line.starts_with("operator:") || line.starts_with("system_account:");
    for line in resolver.lines().filter(named).chain(cluster.lines()) {
        digest.update(line.trim());
        digest.update("\n");
    }
    HEXLOWER.encode(&digest.finalize()[..SHOWN])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{data, empty};

    fn texts(operator: &str, preload: &str, cluster: &str) -> Texts {
        let resolver =
            format!("# x\noperator: {operator}\nsystem_account: A\nresolver_preload {{\n{preload}\n}}\n");
        [(RESOLVER, resolver), (CLUSTER, cluster.to_owned())].map(|(key, text)| (key.to_owned(), text)).into()
    }

    #[test]
    fn servers_start_again_for_another_operator_or_cluster_and_for_nothing_else() {
        let old = Secret { data: Some(data(texts("one", "a: b", "# none"))), ..empty("Opaque") };
        assert_eq!(needed(&old, &texts("one", "a: b", "# none")), None);
        assert_eq!(needed(&old, &texts("one", "a: c", "# none")), None, "an account is told to them");
        let operator = needed(&old, &texts("two", "a: b", "# none"));
        let cluster = needed(&old, &texts("one", "a: b", "cluster {}"));
        assert!(operator.is_some() && cluster.is_some() && operator != cluster);
    }
}
