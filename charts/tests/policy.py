"""Tests of the policy that limits ReplicaSets: off by default, and then whom it is about."""
from helm import Helm, named, selects

NAME = "roadstead-replicasets"
ON = "policy.limitReplicaSets.enabled=true"
CONTROLLERS = '"system:serviceaccount:kube-system:deployment-controller","system:kube-controller-manager"'


class Policy:
    """The cases of one Helm, as those of Rendering."""

    helm: Helm

    def policy(self, *settings):
        return named(self.helm.objects(ON, *settings), "ValidatingAdmissionPolicy", NAME)["spec"]

    def test_replica_sets_are_limited_only_where_that_is_wanted(self):
        policies = {o["metadata"]["name"] for o in self.helm.objects() if o["kind"].startswith("ValidatingAdmissionPolicy")}
        self.assertNotIn(NAME, policies)
        binding = named(self.helm.objects(ON), "ValidatingAdmissionPolicyBinding", NAME)["spec"]
        self.assertEqual(binding, {"policyName": NAME, "validationActions": ["Deny"]})

    def test_replica_sets_are_limited_in_the_namespaces_of_the_webhooks(self):
        for settings in ((), ("namespaces={shop,blog}",)):
            selector = self.policy(*settings)["matchConstraints"]["namespaceSelector"]
            gate = named(self.helm.objects(*settings), "ValidatingWebhookConfiguration", "roadstead")["webhooks"][0]
            self.assertEqual(selector, gate["namespaceSelector"])
            for namespace in ("kube-system", "kube-node-lease", "roadstead"):
                labels = {"kubernetes.io/metadata.name": namespace, "roadstead.dev/enabled": "true"}
                self.assertFalse(selects(selector, labels), namespace)

    def test_replica_sets_are_limited_in_every_way_to_write_them(self):
        spec = self.policy()
        self.assertEqual(spec["failurePolicy"], "Fail")
        self.assertEqual(spec["matchConstraints"]["resourceRules"], [
            {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
             "resources": ["replicasets", "replicasets/scale"], "scope": "Namespaced"}])

    def test_who_may_write_replica_sets_is_the_controller_and_whom_the_values_name(self):
        def condition(*settings):
            return self.policy(*settings)["matchConditions"][0]["expression"]
        self.assertIn(f"username in [{CONTROLLERS}]", condition())
        allowed = condition("policy.limitReplicaSets.users={a:b,c\"'}", "policy.limitReplicaSets.groups={d}")
        self.assertIn(f"username in [{CONTROLLERS},\"a:b\",\"c\\\"'\"]", allowed)
        self.assertIn('group in ["d"]', allowed)

    def test_the_executor_is_told_of_each_prometheus_and_may_reach_it(self):
        endpoints = ("policy.checks.prometheus.main.url=http://prometheus.monitoring:9090",
                     "policy.checks.prometheus.main.bearerTokenFile=/token",
                     "policy.checks.prometheus.eu.url=https://mimir.example.com/prometheus",
                     "policy.checks.prometheus.eu.caFile=/ca.crt")
        objects = self.inside("networkPolicy.enabled=true", *endpoints)
        settings = named(objects, "ConfigMap", "roadstead-settings", "roadstead")["data"]
        self.assertEqual(settings["ROADSTEAD_PROMETHEUS"],
                         "eu=https://mimir.example.com/prometheus,main=http://prometheus.monitoring:9090")
        self.assertEqual(settings["ROADSTEAD_PROMETHEUS_TOKEN_FILE"], "main=/token")
        self.assertEqual(settings["ROADSTEAD_PROMETHEUS_CA_FILE"], "eu=/ca.crt")
        egress = named(objects, "NetworkPolicy", "roadstead-executor", "roadstead")["spec"]["egress"]
        self.assertEqual(egress[-1], {"ports": [{"port": 443}, {"port": 9090}]})
        self.assertNotIn("prometheus", str(named(objects, "Deployment", "roadstead-executor", "roadstead")["spec"]["template"]["spec"]["volumes"]))
        without = self.inside("networkPolicy.enabled=true")
        self.assertNotIn("ROADSTEAD_PROMETHEUS", named(without, "ConfigMap", "roadstead-settings", "roadstead")["data"])
        self.assertEqual(len(named(without, "NetworkPolicy", "roadstead-executor", "roadstead")["spec"]["egress"]), len(egress) - 1)

    def test_the_secret_of_an_endpoint_is_in_the_executors_pod(self):
        objects = self.inside("policy.checks.prometheus.main.url=https://p:9090", "policy.checks.prometheus.main.secret=prometheus-reader",
                              "policy.checks.prometheus.eu.url=http://p:9090")
        pod = named(objects, "Deployment", "roadstead-executor", "roadstead")["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        self.assertEqual(volumes["prometheus-main"]["secret"]["secretName"], "prometheus-reader")
        self.assertNotIn("prometheus-eu", volumes)
        mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
        self.assertEqual(mounts["prometheus-main"], "/etc/roadstead/prometheus/main")
        self.assertEqual(set(mounts), set(volumes))

    def test_an_endpoint_is_a_name_and_an_address(self):
        for wrong in ("Main.url=http://x", "main.url=prometheus:9090", "main.caFile=/ca"):
            with self.assertRaises(Exception, msg=wrong):
                self.helm.objects(f"policy.checks.prometheus.{wrong}")
