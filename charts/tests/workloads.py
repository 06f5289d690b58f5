"""Tests of the pods: what every one of them has, whatever it runs; and what makes them be replaced."""
import re

from helm import CHART, OUTSIDE, Helm, named, selects

LONG_RUNNING = ("Deployment", "StatefulSet")
WITH_PODS = (*LONG_RUNNING, "DaemonSet", "Job")
# Everything that has a pod, and every container that a pod can have.
EVERYTHING = ("nats.callout.enabled=true", "nats.embedded.replicas=3", "networkPolicy.enabled=true")
CONTROLLERS = (("Deployment", "roadstead-webhook"), ("Deployment", "roadstead-executor"),
               ("Deployment", "roadstead-certs"), ("Deployment", "roadstead-callout"), ("StatefulSet", "roadstead-nats"))
DIGEST = "sha256:" + "0123456789abcdef" * 4


def templates(objects):
    """(name, pod template) of every object that makes pods, hooks among them."""
    for o in objects:
        if o["kind"] in WITH_PODS:
            yield o["metadata"]["name"], o["spec"]["template"]
        elif o["kind"] == "CronJob":
            yield o["metadata"]["name"], o["spec"]["jobTemplate"]["spec"]["template"]
        elif o["kind"] == "Pod":
            yield o["metadata"]["name"], o


def containers(objects):
    """(name, container) of every container, those that run before the others too."""
    for name, template in templates(objects):
        spec = template["spec"]
        for container in spec.get("initContainers", []) + spec["containers"]:
            yield f"{name}/{container['name']}", container


class Workloads:
    """The cases of one Helm, as those of Rendering."""

    helm: Helm

    def everything(self, *settings, **which):
        return self.helm.objects(*EVERYTHING, *settings, given=(), options=(), **which)

    def template(self, part, *settings, kind="Deployment"):
        return named(self.everything(*settings), kind, f"roadstead-{part}", "roadstead")["spec"]["template"]

    def test_the_chart_installs_everything_and_needs_no_value(self):
        objects = self.helm.objects(given=())
        found = {(o["kind"], o["metadata"]["name"], o["spec"]["replicas"]) for o in objects if o["kind"] in LONG_RUNNING}
        self.assertEqual(found, {("Deployment", "roadstead-webhook", 2), ("Deployment", "roadstead-executor", 2),
                                 ("Deployment", "roadstead-certs", 1), ("StatefulSet", "roadstead-nats", 1)})
        self.assertEqual([o["metadata"]["name"] for o in objects if "helm.sh/hook" in o["metadata"].get("annotations", {})
                          and "install" in o["metadata"]["annotations"]["helm.sh/hook"].split("-")], [])

    def test_with_the_workloads_elsewhere_no_pod_is_rendered(self):
        objects = self.helm.objects("networkPolicy.enabled=true", "nats.callout.enabled=true")
        kinds = {o["kind"] for o in objects} & {"Deployment", "StatefulSet", "Service", "PodDisruptionBudget", "NetworkPolicy"}
        self.assertEqual(kinds, set())

    def test_every_pod_and_hook_keeps_to_the_restricted_pod_security_standard(self):
        objects = self.everything()
        self.assertGreaterEqual({name for name, _ in templates(objects)}, {name for _, name in CONTROLLERS})
        for name, template in templates(objects):
            spec = template["spec"]
            pod = spec["securityContext"]
            self.assertEqual((pod["runAsNonRoot"], pod["seccompProfile"]), (True, {"type": "RuntimeDefault"}), name)
            self.assertGreater(pod["runAsUser"], 0, name)
            for forbidden in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"):
                self.assertNotIn(forbidden, spec, name)
            for volume in spec.get("volumes", []):
                self.assertLessEqual(set(volume), {"name", "configMap", "emptyDir", "projected", "secret"}, name)
        for name, container in containers(objects):
            self.assertEqual(container["securityContext"], {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, name)
            self.assertEqual([port for port in container.get("ports", []) if "hostPort" in port], [], name)

    def test_every_container_has_requests_a_limit_of_memory_and_none_of_the_processor(self):
        for name, container in containers(self.everything()):
            resources = container["resources"]
            self.assertEqual(set(resources["requests"]), {"cpu", "memory"}, name)
            self.assertEqual(set(resources["limits"]), {"memory"}, name)

    def test_every_container_that_stays_is_probed_and_waits_by_not_being_ready(self):
        stays = [o for o in self.everything() if o["kind"] in LONG_RUNNING]
        for name, container in containers(stays):
            ports = [port["name"] for port in container["ports"]]
            probes = [container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")]
            self.assertLessEqual({probe["port"] for probe in probes}, set(ports), name)
            self.assertEqual(len({probe["path"] for probe in probes[1:]}), 2, f"{name}: what is not ready is not restarted")

    def test_an_image_can_be_of_another_registry_or_named_by_its_digest(self):
        def images(*settings):
            return {container["image"] for _, container in containers(self.everything(*settings))}
        nats = "nats:2.15.2-scratch"
        self.assertEqual(images(), {"roadstead/roadstead:0.1.0", nats})
        self.assertEqual(images("image.registry=a.test:5000", "image.tag=v9"), {"a.test:5000/roadstead/roadstead:v9", nats})
        self.assertEqual(images("image.repository=x/y", f"image.digest={DIGEST}"), {f"x/y@{DIGEST}", nats})
        both = images("global.imageRegistry=b.test/mirror/", "image.registry=a.test", f"nats.embedded.image.digest={DIGEST}")
        self.assertEqual(both, {"b.test/mirror/roadstead/roadstead:0.1.0", f"b.test/mirror/nats@{DIGEST}"})

    def test_every_pod_and_hook_is_pulled_with_the_secrets_as_names_or_as_objects(self):
        for given in ("global.imagePullSecrets={one,two}",
                      "global.imagePullSecrets[0].name=one,global.imagePullSecrets[1].name=two"):
            for name, template in templates(self.everything(given)):
                self.assertEqual(template["spec"]["imagePullSecrets"], [{"name": "one"}, {"name": "two"}], name)

    def test_values_for_all_pods_reach_every_pod_and_hook(self):
        given = ("pods.priorityClassName=system-cluster-critical", "pods.nodeSelector.disk=ssd", "pods.labels.team=a",
                 "pods.tolerations[0].operator=Exists", "pods.annotations.note=b")
        for name, template in templates(self.everything(*given)):
            spec, metadata = template["spec"], template["metadata"]
            self.assertEqual((spec["priorityClassName"], spec["nodeSelector"], spec["tolerations"]),
                             ("system-cluster-critical", {"disk": "ssd"}, [{"operator": "Exists"}]), name)
            self.assertEqual((metadata["labels"]["team"], metadata["annotations"]["note"]), ("a", "b"), name)

    def test_a_label_or_annotation_of_the_user_cannot_replace_ours(self):
        plain, given = self.template("webhook"), self.template(
            "webhook", r"pods.labels.app\.kubernetes\.io/component=x", r"pods.annotations.roadstead\.dev/settings=x")
        self.assertEqual(given["metadata"], plain["metadata"])

    def test_a_token_for_the_api_server_is_mounted_only_where_it_is_used(self):
        objects = self.everything()
        for name, template in templates(objects):
            self.assertIs(template["spec"]["automountServiceAccountToken"], name != "roadstead-nats", name)
            self.assertIs(template["spec"]["enableServiceLinks"], False, name)
        for o in objects:
            if o["kind"] == "ServiceAccount":
                self.assertIs(o["automountServiceAccountToken"], False, o["metadata"]["name"])

    def test_a_new_pod_is_ready_before_an_old_one_goes(self):
        for o in self.everything():
            if o["kind"] == "Deployment":
                self.assertEqual(o["spec"]["strategy"], {
                    "type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}, o["metadata"]["name"])

    def test_a_webhook_has_the_time_to_serve_on_and_to_finish(self):
        for delay, grace in (("10s", 35), ("1m", 85), ("1h1m1s", 3686), ("1500ms", 27)):
            spec = self.template("webhook", f"webhook.shutdownDelay={delay}")["spec"]
            self.assertEqual(spec["terminationGracePeriodSeconds"], grace, delay)
            self.assertNotIn("lifecycle", spec["containers"][0], "the webhook itself waits")

    def test_pods_are_replaced_when_their_settings_change_and_those_of_nats_only_when_its_own_do(self):
        def versions(*settings):
            return {name: template["metadata"]["annotations"] for name, template in templates(self.everything(*settings))
                    if name in dict((name, kind) for kind, name in CONTROLLERS)}
        plain, slots = versions(), versions("slots=9")
        self.assertEqual([name for name in plain if plain[name] == slots[name]], ["roadstead-nats"])
        size = versions("nats.embedded.storage.size=20Gi")
        self.assertEqual([name for name in plain if plain[name] != size[name]], ["roadstead-nats"])

    def test_replicas_are_spread_over_nodes_and_zones(self):
        for kind, name in CONTROLLERS:
            o = named(self.everything(), kind, name, "roadstead")
            if o["spec"]["replicas"] == 1:
                continue
            spread = o["spec"]["template"]["spec"]["topologySpreadConstraints"]
            self.assertEqual([(s["topologyKey"], s["whenUnsatisfiable"]) for s in spread],
                             [("topology.kubernetes.io/zone", "ScheduleAnyway"), ("kubernetes.io/hostname", "ScheduleAnyway")])
            self.assertEqual({s["nodeTaintsPolicy"] for s in spread}, {"Honor"}, "drained nodes do not count")
            for constraint in spread:
                self.assertTrue(selects(constraint["labelSelector"], o["spec"]["template"]["metadata"]["labels"]), name)
        strict = self.template("webhook", "pods.spread=DoNotSchedule", "pods.spreadOver={rack}")["spec"]
        self.assertEqual([(s["topologyKey"], s["whenUnsatisfiable"]) for s in strict["topologySpreadConstraints"]],
                         [("rack", "DoNotSchedule")])

    def test_drains_take_one_replica_at_a_time_where_there_are_several(self):
        def budgets(*settings):
            return {o["metadata"]["name"]: o["spec"] for o in self.everything(*settings) if o["kind"] == "PodDisruptionBudget"}
        found = budgets()
        self.assertEqual(set(found), {f"roadstead-{part}" for part in ("webhook", "executor", "callout", "nats")})
        objects = self.everything()
        for name, spec in found.items():
            self.assertEqual(spec["maxUnavailable"], 1)
            hit = [other for other, template in templates(objects) if selects(spec["selector"], template["metadata"]["labels"])]
            self.assertEqual(hit, [name])
        self.assertEqual(set(budgets("webhook.replicas=1", "nats.embedded.replicas=1")), {"roadstead-executor", "roadstead-callout"})
        self.assertEqual(budgets("pods.disruptionBudgets=false"), {})

    def test_affinity_is_of_each_part(self):
        rule = "podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey=zone"
        for part, path, kind in (("webhook", "webhook", "Deployment"), ("executor", "executor", "Deployment"),
                                 ("certs", "certs", "Deployment"), ("callout", "nats.callout", "Deployment"),
                                 ("nats", "nats.embedded", "StatefulSet")):
            spec = self.template(part, f"{path}.affinity.{rule}", kind=kind)["spec"]
            self.assertEqual(spec["affinity"], {"podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}, part)

    def test_every_selector_finds_the_pods_of_its_name_and_no_others(self):
        objects = self.everything()
        for o in objects:
            if o["kind"] not in (*LONG_RUNNING, "Service", "NetworkPolicy"):
                continue
            spec = o["spec"]
            selector = {"matchLabels": spec["selector"]} if o["kind"] == "Service" else spec.get("selector") or spec["podSelector"]
            hit = [name for name, template in templates(objects) if selects(selector, template["metadata"]["labels"])]
            self.assertEqual(hit, [o["metadata"]["name"]], o["kind"])

    def test_no_name_of_a_long_release_is_too_long_where_it_matters(self):
        for settings, release in (((), "r" * 53), (("fullnameOverride=" + "f" * 46,), "r"), ((), "a.b")):
            for o in self.everything(*settings, release=release):
                name = o["metadata"]["name"]
                # A StatefulSet's revision, its name and eleven characters, is a label of its pods.
                limit = {"Service": 63, "Deployment": 63, "Job": 63, "StatefulSet": 52}.get(o["kind"], 253)
                self.assertLessEqual(len(name), limit, f"{o['kind']} {name}")
                if o["kind"] == "Service":
                    self.assertRegex(name, r"^[a-z]([-a-z0-9]*[a-z0-9])?$")

    def test_what_a_pod_mounts_is_there_or_made_by_certs(self):
        objects = self.everything()
        kept = named(objects, "Role", "roadstead-certs", "roadstead")["rules"][0]["resourceNames"]
        rendered = [o["metadata"]["name"] for o in objects if o["kind"] == "ConfigMap"]
        for name, template in templates([o for o in objects if o["kind"] in LONG_RUNNING]):
            for volume in template["spec"].get("volumes", []):
                for source in [volume, *volume.get("projected", {}).get("sources", [])]:
                    if secret := source.get("secret"):
                        self.assertIn(secret.get("secretName") or secret.get("name"), kept, name)
                        self.assertIsNot(secret.get("optional"), True, "the pod waits for it")
                    if config := source.get("configMap"):
                        self.assertIn(config["name"], rendered, name)

    def test_the_example_for_high_availability_leaves_nothing_alone(self):
        file = ("--values", CHART / "values-ha.yaml")
        objects = self.helm.objects(given=(), options=file)
        for o in objects:
            if o["kind"] in LONG_RUNNING and o["metadata"]["name"] != "roadstead-certs":
                self.assertGreaterEqual(o["spec"]["replicas"], 2, o["metadata"]["name"])
        self.assertEqual(named(objects, "StatefulSet", "roadstead-nats", "roadstead")["spec"]["replicas"], 3)
        self.assertEqual(sum(o["kind"] == "PodDisruptionBudget" for o in objects), 3)
        self.assertIn("NetworkPolicy", {o["kind"] for o in objects})

    def test_the_service_of_the_webhook_is_what_the_api_server_calls_and_the_certificate_is_for(self):
        for release, namespace in (("roadstead", "roadstead"), ("x", "ns")):
            fullname = "roadstead" if release == "roadstead" else "x-roadstead"
            objects = self.helm.objects(given=(), release=release, namespace=namespace)
            service = named(objects, "Service", f"{fullname}-webhook", namespace)["spec"]
            self.assertEqual([(port["port"], port["targetPort"]) for port in service["ports"]], [(443, "reviews")])
            data = named(objects, "ConfigMap", f"{fullname}-settings", namespace)["data"]
            self.assertEqual(data["ROADSTEAD_CERTS_DNS"], f"{fullname}-webhook.{namespace}.svc")
            for kind, name, path in (("MutatingWebhookConfiguration", f"zz-{fullname}", "/hold"),
                                     ("ValidatingWebhookConfiguration", fullname, "/gate")):
                client = named(objects, kind, name)["webhooks"][0]["clientConfig"]
                self.assertEqual(client, {"service": {"name": f"{fullname}-webhook", "namespace": namespace,
                                                      "path": path, "port": 443}})
        both = named(self.helm.objects("webhook.url=https://h.test", given=()), "ConfigMap", "roadstead-settings", "roadstead")
        self.assertEqual(both["data"]["ROADSTEAD_CERTS_DNS"], "roadstead-webhook.roadstead.svc,h.test")

    def test_the_certificate_is_mounted_whoever_makes_it(self):
        for settings in (("certificates.mode=self",), ("certificates.mode=certManager",), OUTSIDE[3:]):
            for secret, given in (("roadstead-webhook-tls", ()), ("mine", ("certificates.secret=mine",))):
                spec = named(self.helm.objects(*settings, *given, given=()), "Deployment", "roadstead-webhook", "roadstead")
                spec = spec["spec"]["template"]["spec"]
                self.assertEqual([v["secret"]["secretName"] for v in spec["volumes"] if v["name"] == "tls"], [secret])
                env = {e["name"]: e.get("value") for e in spec["containers"][0]["env"]}
                self.assertTrue(all(re.match("/etc/roadstead/tls/tls.", env[f"ROADSTEAD_TLS_{name}"]) for name in ("CERT", "KEY")))
