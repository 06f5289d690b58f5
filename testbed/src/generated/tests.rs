//! What clients rely on: pages, selectors, watches, patches whose tests count.

use futures::TryStreamExt as _;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};

use super::*;
use crate::{DeploymentView as _, deployment};

fn client(api: &GeneratedApi) -> Client {
    crate::endpoint::install_crypto();
    let mut config = kube::Config::new(api.server().url.parse().unwrap());
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

async fn held(rollouts: Rollouts) -> (GeneratedApi, Api<Deployment>) {
    let api = GeneratedApi::start(rollouts).await.unwrap();
    for number in 0..5 {
        let fixture =
            deployment(&format!("web-{number}")).namespace("shop").annotation("roadstead.dev/gate", "closed");
        let mut object = fixture.label("roadstead.dev/phase", "held").json();
        object["metadata"]["generation"] = 1.into();
        api.put(DEPLOYMENTS, object);
    }
    let deployments = Api::all(client(&api));
    (api, deployments)
}

fn release() -> Patch<()> {
    let patch = serde_json::json!([
        {"op": "test", "path": "/metadata/generation", "value": 1},
        {"op": "replace", "path": "/metadata/annotations/roadstead.dev~1gate", "value": "open"},
        {"op": "replace", "path": "/metadata/labels/roadstead.dev~1phase", "value": "released"},
    ]);
    Patch::Json(serde_json::from_value(patch).unwrap())
}

#[tokio::test]
async fn a_list_comes_in_pages_and_by_label() {
    let (api, deployments) = held(Rollouts::Never).await;
    api.put(DEPLOYMENTS, deployment("other").namespace("shop").json());
    let selected = ListParams::default().labels("roadstead.dev/phase=held").limit(2);
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let page = deployments
            .list_metadata(&ListParams { continue_token: token, ..selected.clone() })
            .await
            .unwrap();
        names.extend(page.items.iter().map(ResourceExt::name_any));
        token = page.metadata.continue_;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["web-0", "web-1", "web-2", "web-3", "web-4"]);
    assert_eq!(deployments.list(&ListParams::default()).await.unwrap().items.len(), 6);
}

#[tokio::test]
async fn a_patch_whose_test_fails_changes_nothing() {
    let (api, _) = held(Rollouts::AtOnce).await;
    let shop = Api::<Deployment>::namespaced(client(&api), "shop");
    let opened = shop.patch("web-1", &PatchParams::default(), &release()).await.unwrap();
    assert_eq!((opened.gate(), opened.metadata.generation), (Some("open"), Some(2)));
    assert!(opened.rolled_out());
    let again = shop.patch("web-1", &PatchParams::default(), &release()).await.unwrap_err();
    assert!(matches!(again, kube::Error::Api(status) if status.code == 422));
    assert_eq!(shop.get("web-1").await.unwrap(), opened);
    let missing = shop.patch("nothing", &PatchParams::default(), &release()).await.unwrap_err();
    assert!(matches!(missing, kube::Error::Api(status) if status.code == 404));
    assert_eq!(api.opened().iter().map(|opened| &*opened.deployment).collect::<Vec<_>>(), ["shop/web-1"]);
    assert_eq!(api.requests()["patch deployments 422"], 1);
}

#[tokio::test]
async fn a_watch_tells_what_came_left_and_changed_since_the_list() {
    let (api, deployments) = held(Rollouts::Never).await;
    let shop = Api::<Deployment>::namespaced(client(&api), "shop");
    let listed = deployments.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    shop.patch("web-1", &PatchParams::default(), &release()).await.unwrap();
    let mut told = Vec::new();
    for label in ["held", "released"] {
        let selected = WatchParams::default().labels(&format!("roadstead.dev/phase={label}"));
        let watch = deployments.watch(&selected, &listed).await.unwrap();
        let mut watch = std::pin::pin!(watch);
        told.push(watch.try_next().await.unwrap().unwrap());
    }
    assert!(matches!(&told[..], [WatchEvent::Deleted(_), WatchEvent::Added(_)]), "{told:?}");
}

#[tokio::test]
async fn a_watch_from_long_ago_has_to_list_again() {
    let (api, deployments) = held(Rollouts::Never).await;
    for _ in 0..11_000 {
        api.put(CONFIG_MAPS, serde_json::json!({"metadata": {"namespace": "shop", "name": "many"}}));
    }
    let watch = deployments.watch(&WatchParams::default(), "2").await.unwrap();
    let first = std::pin::pin!(watch).try_next().await.unwrap().unwrap();
    assert!(matches!(first, WatchEvent::Error(status) if status.code == 410));
}

#[tokio::test]
async fn other_kinds_are_created_and_merged() {
    let api = GeneratedApi::start(Rollouts::Never).await.unwrap();
    let maps = Api::<ConfigMap>::namespaced(client(&api), "roadstead");
    let map: ConfigMap = serde_json::from_value(serde_json::json!({"metadata": {"name": "swept"}})).unwrap();
    maps.create(&PostParams::default(), &map).await.unwrap();
    let twice = maps.create(&PostParams::default(), &map).await.unwrap_err();
    assert!(matches!(twice, kube::Error::Api(status) if status.code == 409));
    let patch = Patch::Merge(serde_json::json!({"data": {"shop": "u-1"}}));
    let merged = maps.patch("swept", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(merged.data.unwrap()["shop"], "u-1");
    assert!(api.get(CONFIG_MAPS, "roadstead", "swept").is_some());
}
