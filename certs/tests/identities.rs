//! The folder of identities: made once, kept, renewed where it has to be.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use certs::nats::{Claims, Creds, Folder, IdentityError, Made, UserRequest, claims, decode, secrets};
use contract::access::{Account, Role};
use tempfile::TempDir;

const LIFE: Duration = Duration::from_hours(24 * 90);

fn ensure(dir: &TempDir) -> Made {
    Folder::new(dir.path()).ensure("east", LIFE, "accounts").unwrap()
}

fn jane() -> UserRequest {
    UserRequest {
        role: Role::Namespace,
        name: "jane".into(),
        cluster: "east".into(),
        namespace: Some("shop".into()),
        life: Some(LIFE),
    }
}

#[test]
fn the_second_time_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let made = ensure(&dir).0;
    assert_eq!(made.len(), 16 + 4 + 1 + 7, "{made:?}");
    assert_eq!(ensure(&dir), Made::default());
    let folder = Folder::new(dir.path());
    assert_eq!(folder.user(&jane()).unwrap().0, [dir.path().join("creds/namespace.shop.jane.creds")]);
    assert_eq!(folder.user(&jane()).unwrap(), Made::default());
}

#[test]
fn a_folder_may_be_named_from_where_one_is() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let relative = std::path::Path::new(dir.path().file_name().unwrap());
    let made = Folder::new(relative).ensure("east", LIFE, "accounts").unwrap();
    assert!(!made.0.is_empty() && Folder::new(relative).resolver().is_file());
    assert!(!relative.join(relative).exists());
}

#[test]
fn every_file_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    for path in ensure(&dir).0 {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
    }
}

#[test]
fn credentials_that_end_soon_or_are_damaged_are_made_anew_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    ensure(&dir);
    let folder = Folder::new(dir.path());
    let (webhook, executor) = (folder.component(Role::Webhook), folder.component(Role::Executor));
    fs::write(&webhook, "cut").unwrap();
    assert_eq!(ensure(&dir).0, std::slice::from_ref(&webhook));
    // Nothing lasts for a third of a life that is so much longer.
    let made = folder.ensure("east", 4 * LIFE, "accounts").unwrap().0;
    assert!(made.contains(&webhook) && made.contains(&executor) && made.len() == 7, "{made:?}");
}

#[test]
fn a_key_that_is_none_is_told_of_and_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    ensure(&dir);
    let path = dir.path().join("keys/ROADSTEAD.nk");
    for wrong in ["", "SOAAGGN4CAWXYVDH5ZTFBFMRE4GBLF2NZIPSAWC5EI2JMTPHN3DALC7POA"] {
        fs::write(&path, wrong).unwrap();
        let error = Folder::new(dir.path()).ensure("east", LIFE, "accounts").unwrap_err();
        assert!(matches!(error, IdentityError::Key { .. }), "{error}");
        assert!(wrong.is_empty() || !error.to_string().contains(wrong), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), wrong);
    }
}

#[test]
fn a_user_is_not_made_where_there_are_no_keys() {
    let dir = tempfile::tempdir().unwrap();
    let error = Folder::new(dir.path()).user(&jane()).unwrap_err();
    assert!(error.to_string().contains("operator.nk"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_is_revoked_stays_so_and_its_component_gets_new_credentials() {
    let dir = tempfile::tempdir().unwrap();
    ensure(&dir);
    let folder = Folder::new(dir.path());
    let path = folder.component(Role::Executor);
    let creds = || Creds::parse(&fs::read_to_string(&path).unwrap()).unwrap();
    let revoked = creds().claims.sub;
    let token = folder.revoke(Account::Roadstead, &revoked).unwrap();
    let account = |token: &str| decode::<claims::Account>(token).unwrap().nats.claims;
    assert!(account(&token).revocations.contains_key(&revoked));
    assert!(fs::read_to_string(folder.resolver()).unwrap().contains(&token));
    assert_eq!(ensure(&dir).0, std::slice::from_ref(&path));
    assert_ne!(creds().claims.sub, revoked);
    assert_eq!(folder.account_token(Account::Roadstead).unwrap(), token);
}

#[test]
fn the_secrets_hold_what_components_and_servers_read_and_no_other_key() {
    let dir = tempfile::tempdir().unwrap();
    ensure(&dir);
    let list = secrets(&Folder::new(dir.path()), "roadstead", "roadstead").unwrap();
    let names: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect();
    let expected =
        ["callout", "certs", "executor", "guest", "metrics", "reader", "server", "uninstall", "webhook"]
            .map(|name| format!("roadstead-nats-{name}"));
    assert_eq!(names, expected);
    let text = list.to_string();
    let encoded = |path: std::path::PathBuf| BASE64_STANDARD.encode(fs::read(path).unwrap());
    let mut there = Vec::new();
    for key in fs::read_dir(dir.path().join("keys")).unwrap() {
        let path = key.unwrap().path();
        if text.contains(&encoded(path.clone())) {
            there.push(path.file_name().unwrap().to_owned());
        }
    }
    there.sort();
    assert_eq!(there, ["role-callout.nk", "role-namespace.nk"]);
    let creds = &list["items"][8]["data"]["nats.creds"];
    assert!(creds.as_str().unwrap().len() > 100, "{creds}");
}

#[test]
fn an_account_lists_one_scoped_key_a_role() {
    let dir = tempfile::tempdir().unwrap();
    ensure(&dir);
    let token = Folder::new(dir.path()).account_token(Account::Roadstead).unwrap();
    let account: Claims<claims::Account> = decode(&token).unwrap();
    let role = |key: &claims::SigningKey| match key {
        claims::SigningKey::Scoped(scope) => scope.role.clone(),
        claims::SigningKey::Plain(key) => panic!("{key} may sign anything"),
    };
    let roles: Vec<_> = account.nats.claims.signing_keys.iter().map(role).collect();
    assert_eq!(
        roles,
        ["webhook", "executor", "operator", "reader", "namespace", "uninstall", "unrestricted"]
    );
}
