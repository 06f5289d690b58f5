//! An installation of a test's own: a namespace, the ServiceAccount that keeps its identities, and nats-servers that
//! read their files as a pod does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use contract::access::Role;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role as Rules, RoleBinding};
use kube::api::{Api, DeleteParams, PostParams};
use kube::{Client, Resource};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use tempfile::TempDir;
use testbed::endpoint::Endpoint;
use testbed::mount::Mount;
use testbed::process::{Lifetime, Spec};
use testbed::{ControlPlane, PATIENCE, Part, eventually, kubeconfig, ports, release};

use crate::rights;

/// What the names begin with.
pub(crate) const PREFIX: &str = "r";
const ACCOUNT: &str = "r-certs";

pub(crate) struct Installation {
    control_plane: Arc<ControlPlane>,
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) folder: TempDir,
    /// Ports of each server: for clients, for the others, for its health.
    ports: Vec<[u16; 3]>,
    _mount: Mount,
}

impl Installation {
    /// With so many servers, none of which is started.
    pub(crate) async fn of(name: &str, servers: usize) -> Result<Self> {
        let control_plane = ControlPlane::shared().await?;
        let client = control_plane.client().await?;
        let (namespace, folder) = (format!("keep-{name}"), tempfile::tempdir()?);
        let ports = (0..servers).map(|_| Ok([ports::free_port()?, ports::free_port()?, ports::free_port()?]));
        let ports = ports.collect::<Result<_>>()?;
        make::<Namespace>(Api::all(client.clone()), json!({"metadata": {"name": namespace}})).await?;
        let secrets = Api::<Secret>::namespaced(client.clone(), &namespace);
        let mount = folder.path().join("etc");
        std::fs::create_dir(&mount)?;
        let mount =
            Mount::start(secrets, &format!("{PREFIX}-nats-server"), mount, Duration::from_millis(300));
        let this = Self { control_plane, client, namespace, folder, ports, _mount: mount };
        this.account().await?;
        Ok(this)
    }

    async fn account(&self) -> Result<()> {
        make::<ServiceAccount>(self.api(), json!({"metadata": {"name": ACCOUNT}})).await?;
        make::<Rules>(self.api(), json!({"metadata": {"name": ACCOUNT}, "rules": rights::rules(PREFIX)}))
            .await?;
        let binding = json!({
            "metadata": {"name": ACCOUNT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace}],
        });
        make::<RoleBinding>(self.api(), binding).await
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// URLs of all servers.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.ports.iter().map(|[client, ..]| format!("nats://127.0.0.1:{client}")).collect()
    }

    /// `roadstead-certs nats keep`, started.
    pub(crate) async fn keeper(&self, name: &str, settings: &[(&str, &str)]) -> Result<Part> {
        let user = release::service_account(&self.client, &self.namespace, ACCOUNT).await?;
        let file = self.path(&format!("{name}.kubeconfig"));
        kubeconfig::write(&file, self.control_plane.server(), &[user], &self.namespace)?;
        let admin = ports::free_port()?;
        // As a template makes it: with an empty end.
        let hosts: Vec<_> = self.ports.iter().map(|[_, route, _]| format!("127.0.0.1:{route}")).collect();
        let hosts = hosts.join(",") + ",";
        let (urls, etc) = (self.urls().join(","), self.path("etc").display().to_string());
        let (file, admin_listen) = (file.display().to_string(), format!("127.0.0.1:{admin}"));
        let own = [
            ("KUBECONFIG", &*file),
            ("ROADSTEAD_NAMESPACE", &*self.namespace),
            ("ROADSTEAD_CLUSTER", "east"),
            ("ROADSTEAD_NATS_URL", &*urls),
            ("ROADSTEAD_CERTS_NATS_PREFIX", PREFIX),
            ("ROADSTEAD_CERTS_NATS_HOSTS", &*hosts),
            ("ROADSTEAD_CERTS_NATS_ACCOUNTS", "accounts"),
            ("ROADSTEAD_CERTS_NATS_CONFIG", &*etc),
            ("ROADSTEAD_ADMIN_LISTEN", &*admin_listen),
        ];
        let env = own.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let spec = Spec {
            name: name.to_owned(),
            program: testbed::folder::binaries_folder()?.join("roadstead-certs"),
            args: ["nats", "keep"].map(str::to_owned).into(),
            env: env.collect(),
            log: self.path(&format!("{name}.log")),
        };
        let part = Part::new(spec, Some(Endpoint::http(admin, "/readyz")), Lifetime::Ours);
        part.spawn()?;
        Ok(part)
    }

    /// A server, started; its configuration is what docs/certificates.md says.
    pub(crate) async fn server(&self, number: usize) -> Result<Part> {
        let [client, route, health] = self.ports[number];
        let home = self.path(&format!("nats-{number}"));
        std::fs::create_dir_all(&home)?;
        eventually("the servers' files are there", PATIENCE, async || {
            ensure!(self.path("etc/tls.crt").is_file());
            Ok(())
        })
        .await?;
        // All are on one address here, so each listens on a port of its own.
        let cluster = std::fs::read_to_string(self.path("etc/cluster.conf"))?;
        std::fs::write(home.join("cluster.conf"), at(&cluster, route))?;
        let config = format!(
            "server_name: nats-{number}\nlisten: \"127.0.0.1:{client}\"\nhttp: \"127.0.0.1:{health}\"\n\
             jetstream {{ store_dir: \"{}/data\", sync_interval: always }}\n\
             include \"../etc/resolver.conf\"\ninclude \"../etc/tls.conf\"\ninclude \"cluster.conf\"\n",
            home.display(),
        );
        std::fs::write(home.join("nats.conf"), config)?;
        // Each keeps its accounts in a folder of its own.
        let program = self.control_plane.tools().path("nats-server").display().to_string();
        let command = format!("cd {} && exec {program} -c nats.conf", home.display());
        let spec = Spec {
            name: format!("nats-{number}"),
            program: "/bin/sh".into(),
            args: vec!["-c".to_owned(), command],
            env: vec![],
            log: self.path(&format!("nats-{number}.log")),
        };
        let health = Endpoint::http(health, "/healthz?js-enabled-only=true");
        let part = Part::new(spec, Some(health), Lifetime::Ours);
        part.start().await?;
        Ok(part)
    }

    /// A server of nobody's that tries to join with this cluster configuration, started.
    pub(crate) fn stranger(&self, name: &str, cluster: &str) -> Result<Part> {
        let (client, route) = (ports::free_port()?, ports::free_port()?);
        let config = self.path(&format!("{name}.conf"));
        let listen = format!("server_name: {name}\nlisten: \"127.0.0.1:{client}\"\n");
        std::fs::write(&config, listen + &at(cluster, route))?;
        let spec = Spec {
            name: name.to_owned(),
            program: self.control_plane.tools().path("nats-server"),
            args: vec!["-c".to_owned(), config.display().to_string()],
            env: vec![],
            log: self.path(&format!("{name}.log")),
        };
        let part = Part::new(spec, None, Lifetime::Ours);
        part.spawn()?;
        Ok(part)
    }

    /// What a Secret holds.
    pub(crate) async fn secret(&self, part: &str) -> Result<Secret> {
        Ok(self.api::<Secret>().get(&format!("{PREFIX}-nats-{part}")).await?)
    }

    pub(crate) async fn text(&self, part: &str, key: &str) -> Result<String> {
        let data = self.secret(part).await?.data.unwrap_or_default();
        let bytes = data.get(key).with_context(|| format!("{part} has no {key}"))?;
        Ok(String::from_utf8(bytes.0.clone())?)
    }

    pub(crate) async fn delete(&self, part: &str) -> Result<()> {
        self.api::<Secret>().delete(&format!("{PREFIX}-nats-{part}"), &DeleteParams::default()).await?;
        Ok(())
    }

    /// Every Secret that is kept, by what its name ends with.
    pub(crate) async fn secrets(&self) -> Result<BTreeMap<String, Secret>> {
        let all = self.api::<Secret>().list(&kube::api::ListParams::default()).await?;
        let named = all.items.into_iter().filter_map(|secret| {
            let name = secret.metadata.name.clone()?;
            Some((name.strip_prefix("r-nats-")?.to_owned(), secret))
        });
        Ok(named.collect())
    }

    /// A component's connection, made by it as in a pod that mounts its Secret; the mount is to be kept.
    pub(crate) async fn component(&self, role: Role) -> Result<(async_nats::Client, Mount)> {
        let folder = self.path(&format!("{role}-mount"));
        std::fs::create_dir_all(&folder)?;
        let name = format!("{PREFIX}-nats-{role}");
        let mount = Mount::start(self.api(), &name, folder.clone(), Duration::from_millis(300));
        let nats = ops::args::Nats {
            urls: self.urls(),
            creds: Some(folder.join("nats.creds")),
            ca: Some(folder.join("ca.crt")),
            ..ops::args::Nats::default()
        };
        eventually("its files are there", PATIENCE, async || {
            ensure!(folder.join("ca.crt").is_file());
            Ok(())
        })
        .await?;
        let connect = ops::nats::connect(&nats, role, "east");
        Ok((tokio::time::timeout(PATIENCE, connect).await.context("it is not let in")??, mount))
    }

    /// What is told to servers, by the credentials as they are now.
    pub(crate) async fn line(&self) -> Result<certs::nats::Line> {
        let servers = certs::nats::Servers {
            urls: self.urls(),
            creds: self.text("certs", "nats.creds").await?,
            ca: Some(self.text("certs", "ca.crt").await?),
        };
        Ok(servers.connect().await?)
    }
}

/// A cluster's configuration with another port to listen on.
fn at(cluster: &str, route: u16) -> String {
    cluster.replace("0.0.0.0:6222", &format!("127.0.0.1:{route}"))
}

/// Makes an object; the namespaces of a control plane that ends with us need not be taken away.
pub(crate) async fn make<K>(api: Api<K>, object: serde_json::Value) -> Result<()>
where
    K: Resource + Serialize + DeserializeOwned + Clone + std::fmt::Debug,
{
    api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
    Ok(())
}

/// Waits until it is answered.
pub(crate) async fn answered(client: &async_nats::Client) -> Result<()> {
    eventually("it is answered", PATIENCE, async || {
        let asked = client.request("$JS.API.STREAM.INFO.ROADSTEAD_CHANGES", "".into());
        tokio::time::timeout(Duration::from_secs(1), asked).await??;
        Ok(())
    })
    .await
}
