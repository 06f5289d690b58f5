//! A ServiceAccount, read from the user name that Kubernetes gives it.

use contract::access::is_label;

/// A ServiceAccount whose names are labels of DNS: they are written into subjects as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Account {
    /// From `system:serviceaccount:<namespace>:<name>`.
    pub(super) fn of(user: &str) -> Result<Self, String> {
        let names = user.strip_prefix("system:serviceaccount:").and_then(|names| names.split_once(':'));
        let (namespace, name) = names.ok_or("the token is not one of a ServiceAccount")?;
        if is_label(namespace) && is_label(name) {
            Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
        } else {
            Err("a ServiceAccount that connects to NATS needs a name of a-z, 0-9 and - alone".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_is_who_its_name_says() {
        let account = Account::of("system:serviceaccount:shop:deployer").unwrap();
        assert_eq!((account.namespace.as_str(), account.name.as_str()), ("shop", "deployer"));
    }

    #[test]
    fn a_name_that_would_widen_a_subject_opens_nothing() {
        for user in [
            "system:serviceaccount:*:deployer",
            "system:serviceaccount:shop:*",
            "system:serviceaccount:shop:a.b",
            "system:serviceaccount:>:a",
            "system:serviceaccount:shop:a\0b",
            "system:serviceaccount:shop:a:b",
            "system:serviceaccount:shop:",
            "system:serviceaccount:shop",
            "system:serviceaccount::a",
            "jane",
            "system:node:shop:a",
            "",
        ] {
            assert!(Account::of(user).is_err(), "{user:?}");
        }
    }
}
