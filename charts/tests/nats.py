"""Tests of the queue: the chart's own NATS, one of the user's, who may connect, and the callout."""
from helm import Helm, identity, named
from workloads import templates

SECRETS = ("webhook", "executor", "callout")


def mounted(objects, part):
    """Name of the Secret that a workload is known to NATS by; None where it has none."""
    spec = named(objects, "Deployment", f"roadstead-{part}", "roadstead")["spec"]["template"]["spec"]
    found = [v["secret"]["secretName"] for v in spec.get("volumes", []) if v["name"] in ("nats", "identities")]
    return found[0] if found else None


def environment(objects, part, container=0):
    """Environment of a workload, besides its settings."""
    spec = named(objects, "Deployment", f"roadstead-{part}", "roadstead")["spec"]["template"]["spec"]
    return {e["name"]: e.get("value") for e in spec["containers"][container]["env"]}


class Nats:
    """The cases of one Helm, as those of Rendering."""

    helm: Helm

    def inside(self, *settings):
        return self.helm.objects(*settings, given=())

    def servers(self, *settings):
        return named(self.inside(*settings), "StatefulSet", "roadstead-nats", "roadstead")["spec"]

    def data(self, *settings):
        return named(self.inside(*settings), "ConfigMap", "roadstead-settings", "roadstead")["data"]

    def test_what_is_acknowledged_is_on_the_disk(self):
        conf = named(self.inside(), "ConfigMap", "roadstead-nats", "roadstead")["data"]["nats.conf"]
        self.assertIn("sync_interval: always\n", conf)
        self.assertEqual([line for line in conf.splitlines() if line.startswith("include")],
                         ['include "resolver.conf"', 'include "tls.conf"', 'include "cluster.conf"'])

    def test_streams_have_as_many_copies_as_there_are_servers_unless_said(self):
        for settings, copies in (((), "1"), (("nats.embedded.replicas=3",), "3"),
                                 (("nats.embedded.replicas=5", "nats.replicas=3"), "3"),
                                 (("nats.external.url=tls://n",), "1"), (("nats.external.url=tls://n", "nats.replicas=5"), "5")):
            self.assertEqual(self.data(*settings)["ROADSTEAD_NATS_REPLICAS"], copies, settings)
        refusal = self.helm.refusal("nats.replicas=3")
        self.assertIn("nats.replicas is 3, but there are 1 servers: set nats.embedded.replicas", refusal)

    def test_servers_of_a_cluster_are_told_of_each_other_and_leave_as_lame_ducks(self):
        hosts = environment(self.inside("nats.embedded.replicas=3"), "certs", 1)["ROADSTEAD_CERTS_NATS_HOSTS"]
        self.assertEqual(hosts, ",".join(f"roadstead-nats-{n}.roadstead-nats.roadstead.svc" for n in range(3)))
        self.assertEqual(environment(self.inside(), "certs", 1)["ROADSTEAD_CERTS_NATS_HOSTS"],
                         "roadstead-nats-0.roadstead-nats.roadstead.svc")
        several = self.servers("nats.embedded.replicas=3")
        self.assertEqual((several["replicas"], several["podManagementPolicy"]), (3, "Parallel"))
        pod = several["template"]["spec"]
        self.assertEqual(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"],
                         ["/nats-server", "--signal", "ldm=/run/nats/nats.pid"])
        self.assertGreaterEqual(pod["terminationGracePeriodSeconds"], 30 + 20, "the conf's lame_duck_duration, and a rest")
        self.assertNotIn("lifecycle", self.servers()["template"]["spec"]["containers"][0], "one has nobody to hand over to")
        service = named(self.inside(), "Service", "roadstead-nats", "roadstead")["spec"]
        self.assertEqual((service["clusterIP"], service["publishNotReadyAddresses"]), ("None", True))

    def test_a_server_knows_what_memory_and_disk_it_has(self):
        def limit(*settings):
            env = self.servers(*settings)["template"]["spec"]["containers"][0]["env"]
            return [e["value"] for e in env if e["name"] == "GOMEMLIMIT"]
        for memory, expected in (("512Mi", 483183820), ("1Gi", 966367641), ("1.5Gi", 1449551462), ("1000000", 900000), ("1G", 900000000)):
            self.assertEqual(limit(f"nats.embedded.resources.limits.memory={memory}"), [str(expected)], memory)
        self.assertEqual(limit("nats.embedded.resources.limits=null"), [])
        self.assertIn("512mb is no amount of bytes", self.helm.refusal("nats.embedded.resources.limits.memory=512mb"))
        conf = named(self.inside("nats.embedded.storage.size=20Gi"), "ConfigMap", "roadstead-nats", "roadstead")
        self.assertIn("max_file_store: 19327352832\n", conf["data"]["nats.conf"])

    def test_streams_outlive_an_uninstall_unless_asked(self):
        self.assertEqual(self.servers()["persistentVolumeClaimRetentionPolicy"], {"whenDeleted": "Retain", "whenScaled": "Retain"})
        asked = self.servers("nats.embedded.storage.whenDeleted=Delete")
        self.assertEqual(asked["persistentVolumeClaimRetentionPolicy"]["whenDeleted"], "Delete")
        claim = self.servers("nats.embedded.storage.class=fast", "nats.embedded.storage.size=3Gi")["volumeClaimTemplates"][0]["spec"]
        self.assertEqual((claim["storageClassName"], claim["resources"]), ("fast", {"requests": {"storage": "3Gi"}}))
        self.assertNotIn("storageClassName", self.servers()["volumeClaimTemplates"][0]["spec"])
        gone = self.servers("nats.embedded.storage.persistent=false")
        self.assertNotIn("volumeClaimTemplates", gone)
        self.assertIn({"name": "data", "emptyDir": {"sizeLimit": "10Gi"}}, gone["template"]["spec"]["volumes"])

    def test_workloads_are_known_to_the_charts_nats_by_what_certs_makes(self):
        objects = self.inside("nats.callout.enabled=true")
        for part in SECRETS:
            self.assertEqual(mounted(objects, part), f"roadstead-nats-{part}")
        for part in ("webhook", "executor"):
            env = environment(objects, part)
            self.assertEqual((env["ROADSTEAD_NATS_CREDS"], env["ROADSTEAD_NATS_CA"]),
                             ("/etc/roadstead/nats/nats.creds", "/etc/roadstead/nats/ca.crt"))
        self.assertEqual(self.data()["ROADSTEAD_NATS_URL"], "tls://roadstead-nats.roadstead.svc:4222")

    def test_with_a_nats_of_the_users_the_chart_brings_none_and_keeps_no_identities(self):
        given = ("nats.external.url=tls://a:4222\\,tls://b:4222", "nats.callout.enabled=true")
        objects = self.inside(*given)
        self.assertEqual([identity(o) for o in objects if o["metadata"]["name"] == "roadstead-nats"], [])
        for part in SECRETS:
            self.assertEqual(mounted(objects, part), f"roadstead-nats-{part}")
        self.assertEqual(mounted(self.inside(*given, "nats.external.secrets.executor=mine"), "executor"), "mine")
        self.assertNotIn("ROADSTEAD_NATS_CA", environment(objects, "webhook"))
        self.assertIn("ROADSTEAD_NATS_CA", environment(self.inside(*given, "nats.external.ownAuthority=true"), "webhook"))
        certs = dict(templates(objects))["roadstead-certs"]["spec"]
        self.assertEqual([container["name"] for container in certs["containers"]], ["tls"])
        kept = named(objects, "Role", "roadstead-certs", "roadstead")["rules"][0]["resourceNames"]
        self.assertEqual(kept, ["roadstead-webhook-authorities", "roadstead-webhook-tls"])
        nobody = self.inside(*given, "certificates.mode=certManager")
        self.assertEqual([identity(o) for o in nobody if o["metadata"]["name"] == "roadstead-certs"], [])

    def test_a_nats_that_asks_nobody_is_of_the_users_and_gets_no_credentials(self):
        objects = self.inside("nats.external.url=nats://n", "nats.allowAnonymous=true")
        for part in ("webhook", "executor"):
            self.assertIsNone(mounted(objects, part))
            self.assertNotIn("ROADSTEAD_NATS_CREDS", environment(objects, part))
        self.assertIn("nats.allowAnonymous is set, but the chart's own NATS asks", self.helm.refusal("nats.allowAnonymous=true"))

    def test_certs_keeps_identities_and_servers_by_name_also_without_the_webhooks_certificate(self):
        objects = self.inside("certificates.mode=certManager")
        secrets, create, restart = named(objects, "Role", "roadstead-certs", "roadstead")["rules"]
        self.assertTrue(all(name.startswith("roadstead-nats-") for name in secrets["resourceNames"]))
        self.assertEqual((create["verbs"], restart["resourceNames"], restart["verbs"]), (["create"], ["roadstead-nats"], ["get", "patch"]))
        self.assertEqual([o for o in objects if identity(o) == ("ClusterRole", None, "roadstead-certs")], [])
        certs = dict(templates(objects))["roadstead-certs"]["spec"]
        self.assertEqual([container["command"] for container in certs["containers"]], [["/roadstead-certs", "nats", "keep"]])

    def test_the_callout_has_of_the_keys_those_that_it_signs_with_and_reviews_tokens(self):
        self.assertNotIn("roadstead-callout", dict(templates(self.inside())))
        objects = self.inside("nats.callout.enabled=true")
        volume = dict(templates(objects))["roadstead-callout"]["spec"]["volumes"][0]["secret"]
        self.assertEqual([item["path"] for item in volume["items"]],
                         ["creds/callout.creds", "keys/role-callout.nk", "keys/role-namespace.nk", "ROADSTEAD.jwt", "CALLOUT.jwt", "ca.crt"])
        self.assertEqual(named(objects, "ClusterRole", "roadstead-callout")["rules"], [
            {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}])

    def network_policy(self, part, *settings):
        objects = self.inside("networkPolicy.enabled=true", "nats.callout.enabled=true", *settings)
        spec = named(objects, "NetworkPolicy", f"roadstead-{part}", "roadstead")["spec"]
        self.assertEqual(spec["policyTypes"], ["Ingress", "Egress"])
        def rules(direction, peers):
            return [([port["port"] for port in rule["ports"]], peers in rule) for rule in spec[direction]]
        return spec, rules("ingress", "from"), rules("egress", "to")

    def test_each_part_accepts_and_opens_what_it_needs(self):
        self.assertEqual([o for o in self.inside() if o["kind"] == "NetworkPolicy"], [])
        out = [([53, 53], False), ([443, 6443], False), ([4222], True)]
        for part, accepted in (("webhook", [(["metrics"], False), ([8443], False)]), ("executor", [(["metrics"], False)]),
                               ("certs", [(["metrics", "metrics-nats"], False)]), ("callout", [(["metrics"], False)])):
            self.assertEqual(self.network_policy(part)[1:], (accepted, out), part)
        self.assertEqual(self.network_policy("nats")[1:], ([(["monitor"], False), (["client"], True), (["cluster"], True)],
                                                   [([53, 53], False), ([6222], True)]))

    def test_policies_know_other_ports_and_the_namespaces_that_are_named(self):
        ports = "nats.external.url=tls://nats1:1\\,nats://b\\,tls://[::1]:77"
        self.assertEqual(self.network_policy("webhook", ports, "networkPolicy.apiServerPorts={16443}")[2],
                         [([53, 53], False), ([16443], False), ([1, 4222, 77], False)])
        spec = self.network_policy("nats", "networkPolicy.natsFrom={shop}", "networkPolicy.metricsFrom={monitoring}")[0]
        def of(name):
            key = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [name]}
            return [{"namespaceSelector": {"matchExpressions": [key]}}]
        self.assertIn({"ports": [{"port": "client"}], "from": of("shop")}, spec["ingress"])
        self.assertIn({"ports": [{"port": "monitor"}], "from": of("monitoring")}, spec["ingress"])
