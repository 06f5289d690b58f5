"""Tests of what Helm makes for a moment: before an uninstall, and for `helm test`."""
import json

from helm import Helm, identity, named

POLICY = "before-hook-creation,hook-succeeded"
TWO_NAMESPACES = "namespaces={shop,blog}"
OPEN_DEPLOYMENTS = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list", "patch"]}


class Hooks:
    """The cases of one Helm, as those of Rendering."""

    helm: Helm

    def hooks(self, event, *settings, **which):
        def of_event(o):
            return (o["metadata"].get("annotations") or {}).get("helm.sh/hook") == event
        return [o for o in self.helm.objects(*settings, options=(), **which) if of_event(o)]

    def test_what_a_hook_makes_is_taken_away_and_made_in_its_order(self):
        weights = {"Namespace": "-3", "ServiceAccount": "-2", "ClusterRole": "-1", "ClusterRoleBinding": "-1", "Role": "-1",
                   "RoleBinding": "-1", "Job": "0", "Pod": "0"}
        for event in ("pre-delete", "test"):
            found = self.hooks(event)
            self.assertGreaterEqual(len(found), 6, event)
            for o in found:
                annotations = o["metadata"]["annotations"]
                self.assertEqual(annotations["helm.sh/hook-delete-policy"], POLICY, identity(o))
                self.assertEqual(annotations["helm.sh/hook-weight"], weights[o["kind"]], identity(o))

    def test_hooks_are_named_by_their_part_and_by_nothing_that_stays(self):
        stays = set(map(identity, self.helm.objects(TWO_NAMESPACES, "uninstall.streams=true")))
        made = [identity(o) for event in ("pre-delete", "test") for o in self.hooks(event, TWO_NAMESPACES)]
        self.assertEqual(stays & set(made), set())
        self.assertEqual(len(made), len(set(made)))
        for kind, _, name in made:
            self.assertIn(name, ("roadstead-uninstall", "roadstead-self-test"), kind)

    def test_pods_of_hooks_keep_to_the_restricted_profile(self):
        job = named(self.hooks("pre-delete"), "Job", "roadstead-uninstall", "roadstead")["spec"]["template"]["spec"]
        test = named(self.hooks("test"), "Pod", "roadstead-self-test", "roadstead")["spec"]
        for pod in (job, test):
            self.assertEqual((pod["restartPolicy"], pod["automountServiceAccountToken"]), ("Never", True))
            self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            container = pod["containers"][0]["securityContext"]
            self.assertEqual(container, {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                         "capabilities": {"drop": ["ALL"]}})

    def test_the_uninstall_ends_before_helm_gives_up_on_it(self):
        for settings, limit in (((), 270), (("uninstall.timeoutSeconds=60",), 90)):
            spec = named(self.hooks("pre-delete", *settings), "Job", "roadstead-uninstall", "roadstead")["spec"]
            self.assertEqual(spec["activeDeadlineSeconds"], limit)
            self.assertIn(f"--timeout={limit - 30}s", spec["template"]["spec"]["containers"][0]["args"])
            self.assertLess(spec["activeDeadlineSeconds"], 300)

    def test_the_uninstall_is_told_the_release_its_namespaces_and_what_is_to_go(self):
        def args(*settings, **which):
            jobs = [o for o in self.hooks("pre-delete", *settings, **which) if o["kind"] == "Job"]
            return jobs[0]["spec"]["template"]["spec"]["containers"][0]["args"]
        self.assertEqual(args(release="x", namespace="ships"), [
            "uninstall", "--namespace=ships", "--release=x", "--fullname=x-roadstead", "--timeout=240s"])
        self.assertEqual(args(TWO_NAMESPACES, "uninstall.streams=true")[5:], ["--namespaces=shop,blog", "--streams"])

    def test_the_uninstall_knows_an_external_nats_only_where_its_streams_are_to_go(self):
        url = "nats.external.url=tls://nats.test:4222"
        def pod(*settings):
            job = named(self.hooks("pre-delete", *settings, given=()), "Job", "roadstead-uninstall", "roadstead")
            return job["spec"]["template"]["spec"]
        for settings in ((), (url,), ("uninstall.streams=true",)):
            self.assertNotIn("env", pod(*settings)["containers"][0], settings)
            self.assertNotIn("volumes", pod(*settings), settings)
        given = pod(url, "uninstall.streams=true", "cluster=east", "nats.external.secrets.uninstall=mine")
        env = {variable["name"]: variable["value"] for variable in given["containers"][0]["env"]}
        self.assertEqual(env, {"ROADSTEAD_CLUSTER": "east", "ROADSTEAD_NATS_URL": "tls://nats.test:4222",
                               "ROADSTEAD_NATS_CREDS": "/etc/roadstead/nats/nats.creds"})
        self.assertEqual(given["volumes"][0]["secret"]["secretName"], "mine")
        self.assertEqual(given["containers"][0]["volumeMounts"][0]["mountPath"], "/etc/roadstead/nats")

    def test_the_uninstall_may_do_what_it_does_and_no_more(self):
        found = self.hooks("pre-delete")
        one = {"apiGroups": ["admissionregistration.k8s.io"], "verbs": ["delete"]}
        self.assertEqual(named(found, "ClusterRole", "roadstead-uninstall")["rules"], [
            {**one, "resources": ["mutatingwebhookconfigurations"], "resourceNames": ["zz-roadstead"]},
            {**one, "resources": ["validatingwebhookconfigurations"], "resourceNames": ["roadstead"]},
            OPEN_DEPLOYMENTS])
        rules = named(found, "Role", "roadstead-uninstall", "roadstead")["rules"]
        for rule in rules:
            self.assertTrue(rule.get("resourceNames") or rule["resources"] == ["pods"], rule)
            self.assertFalse({"*", "create", "watch", "deletecollection"} & set(rule["verbs"]), rule)
        secrets = [rule for rule in rules if rule["resources"] == ["secrets"]]
        self.assertEqual([rule["verbs"] for rule in secrets], [["get", "delete"]])
        self.assertLess({"roadstead-webhook-tls", "roadstead-nats-keys"}, set(secrets[0]["resourceNames"]))
        self.assertNotIn("persistentvolumeclaims", json.dumps(rules))
        streams = named(self.hooks("pre-delete", "uninstall.streams=true"), "Role", "roadstead-uninstall", "roadstead")
        self.assertEqual(streams["rules"][-1]["resources"], ["persistentvolumeclaims"])

    def test_with_namespaces_named_deployments_are_opened_in_them_alone(self):
        found = self.hooks("pre-delete", TWO_NAMESPACES)
        cluster = named(found, "ClusterRole", "roadstead-uninstall")["rules"]
        self.assertNotIn(OPEN_DEPLOYMENTS, cluster)
        for namespace in ("shop", "blog"):
            self.assertEqual(named(found, "Role", "roadstead-uninstall", namespace)["rules"], [OPEN_DEPLOYMENTS])
            subject = named(found, "RoleBinding", "roadstead-uninstall", namespace)["subjects"][0]
            self.assertEqual((subject["name"], subject["namespace"]), ("roadstead-uninstall", "roadstead"))

    def test_a_secret_of_another_name_may_be_deleted_too(self):
        found = self.hooks("pre-delete", "certificates.mode=self", "certificates.secret=other",
                           given=("webhook.url=https://webhook.example.com:8443",))
        rules = named(found, "Role", "roadstead-uninstall", "roadstead")["rules"]
        self.assertIn("other", [name for rule in rules for name in rule.get("resourceNames", [])])

    def test_the_uninstall_can_be_left_out(self):
        self.assertEqual(self.hooks("pre-delete", "uninstall.enabled=false"), [])

    def test_helm_test_has_a_namespace_of_its_own_or_takes_the_first_that_is_served(self):
        found = self.hooks("test")
        labels = named(found, "Namespace", "roadstead-self-test")["metadata"]["labels"]
        self.assertEqual(labels["roadstead.dev/enabled"], "true")
        self.assertEqual(labels["pod-security.kubernetes.io/enforce"], "restricted")
        named(found, "Role", "roadstead-self-test", "roadstead-self-test")
        found = self.hooks("test", TWO_NAMESPACES)
        self.assertEqual([o for o in found if o["kind"] == "Namespace"], [])
        named(found, "Role", "roadstead-self-test", "shop")
        args = named(found, "Pod", "roadstead-self-test", "roadstead")["spec"]["containers"][0]["args"]
        self.assertEqual(args, ["self-test", "--namespace=shop", "--release=roadstead", "--fullname=roadstead",
                                "--release-namespace=roadstead"])
