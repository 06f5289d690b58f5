#!/usr/bin/env python3
"""Tests of the chart: what it renders, what it refuses, with each version of Helm. Started by run.sh."""
import shutil
import sys
import tempfile
import unittest

from files import Files  # noqa: F401 (found by unittest)
from admission import Admission
from certificates import Certificates
from helm import CA, CHART, ELSEWHERE, KUBERNETES, OUTSIDE, PEM, Helm, identity, named, selects, sets
from hooks import Hooks
from monitoring import Monitoring
from nats import Nats
from policies import PLURALS, ROLES_OF_PEOPLE, Policies
from policy import Policy
from workloads import EVERYTHING, Workloads

READ_NAMESPACES = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]}
READ_DEPLOYMENTS = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]}
RELEASE_DEPLOYMENTS = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch", "patch"]}
LIST_REPLICA_SETS = {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"]}
WATCH_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}
WRITE_EVENTS = {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]}
OURS, READ = {"apiGroups": ["roadstead.dev"]}, ["get", "list", "watch"]
POLICIES = [{**OURS, "resources": ["releasepolicies", "freezes"], "verbs": READ},
            {**OURS, "resources": ["releasepolicies/status", "freezes/status"], "verbs": ["patch"]}]
CLUSTER_POLICIES = [{**OURS, "resources": ["clusterreleasepolicies", "clusterfreezes"], "verbs": READ},
                    {**OURS, "resources": ["clusterreleasepolicies/status", "clusterfreezes/status"], "verbs": ["patch"]}]
OF_WEBHOOK = [READ_DEPLOYMENTS, {**OURS, "resources": ["releasepolicies", "freezes"], "verbs": READ}]
RUN_JOBS = [{"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["get"]},
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": [*READ, "create"]}]
OF_EXECUTOR = [RELEASE_DEPLOYMENTS, LIST_REPLICA_SETS, WATCH_PODS, WRITE_EVENTS, *POLICIES, *RUN_JOBS]
WRITE_RECORD = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["roadstead-namespaces"],
                "verbs": ["get", "patch", "update"]}
CONFIGURATIONS = (("MutatingWebhookConfiguration", "zz-roadstead"), ("ValidatingWebhookConfiguration", "roadstead"))
TWO_NAMESPACES = "namespaces={shop,blog}"


def expected_identities(fullname, namespace):
    """What a release's objects are called when it serves every namespace."""
    parts = (f"{fullname}-webhook", f"{fullname}-executor")
    return {
        ("MutatingWebhookConfiguration", None, f"zz-{fullname}"), ("ValidatingWebhookConfiguration", None, fullname),
        *((kind, None, part) for part in parts for kind in ("ClusterRole", "ClusterRoleBinding")),
        *(("ServiceAccount", namespace, part) for part in parts),
        *((kind, namespace, f"{fullname}-executor") for kind in ("Role", "RoleBinding")),
        *(("ConfigMap", namespace, f"{fullname}-{content}") for content in ("settings", "namespaces")),
        *(("CustomResourceDefinition", None, f"{plural}.roadstead.dev") for plural in PLURALS),
        *(("ClusterRole", None, f"{fullname}-{role}") for role in ROLES_OF_PEOPLE),
        *((kind, None, f"{fullname}-verbs") for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"))}


class Rendering(Admission, Certificates, Hooks, Monitoring, Nats, Policies, Policy, Workloads):
    """The cases of one Helm; `helm` is set by the subclasses below."""

    helm: Helm

    def rules(self, objects, kind, name, namespace=None):
        return named(objects, kind, name, namespace)["rules"]

    def webhooks(self, *settings, **which):
        objects = self.helm.objects(*settings, **which)
        return [named(objects, kind, name)["webhooks"][0] for kind, name in CONFIGURATIONS]

    def settings(self, *settings):
        return named(self.helm.objects(*settings), "ConfigMap", "roadstead-settings", "roadstead")["data"]

    def test_lint_is_content_without_and_with_values(self):
        for settings in ((), OUTSIDE, (*OUTSIDE, TWO_NAMESPACES), ELSEWHERE, (*ELSEWHERE, "certificates.mode=certManager"), ("certificates.mode=certManager",), EVERYTHING):
            code, out, error = self.helm.run("lint", "--strict", CHART, *KUBERNETES, *sets(*settings))
            self.assertEqual(code, 0, out + error)

    def test_rendering_twice_gives_the_same_text(self):
        for settings, given in (((), OUTSIDE), ((TWO_NAMESPACES,), OUTSIDE), (EVERYTHING, ())):
            self.assertEqual(self.helm.text(*settings, given=given), self.helm.text(*settings, given=given))

    def test_a_misspelt_value_is_refused_with_its_name(self):
        for name in ("slotTimout", "nats.external.ulr", "pods.tolerate", "log.levle", "webhook.cabundle", "certificates.lives"):
            self.assertIn(f"'{name.split('.')[-1]}'", self.helm.refusal(*OUTSIDE, f"{name}=x"))

    def test_a_value_of_the_wrong_form_is_refused_with_its_name(self):
        wrong = ("cluster=A.b", "namespaces=shop", "namespaces={Shop}", "namespaces={a,a}", "slots=0", "slots=many",
                 "slotTimeout=15", "warnings=yes", "nats.external.url=nats://user:secret@nats", "nats.external.url=http://nats",
                 "log.format=xml", "log.level=", "webhook.url=http://plain", "webhook.url=https://h/p?q",
                 "webhook.caBundle=/etc/ca.pem", "webhook.failurePolicy=Maybe", "webhook.timeoutSeconds=31",
                 "webhook.shutdownDelay=5", "certificates.mode=selfSigned", "certificates.secret=A_b",
                 "certificates.names={a b}", "certificates.life=7d", "certificates.settle=", "slots=null", "crashLoopRestarts=-1", "attempts=0")
        for setting in wrong:
            with self.subTest(setting):
                self.assertRegex(self.helm.refusal(*OUTSIDE, setting), setting.split("=", 1)[0].split(".")[-1])

    def test_a_missing_url_or_certificate_authority_says_what_to_pass(self):
        for missing, given, fix in (("webhook.url", ("inCluster=false",), "--set webhook.url=https://HOST:PORT"),
                                    ("nats.external.url", (ELSEWHERE[0], ELSEWHERE[2]), "--set nats.external.url=tls://HOST:4222"),
                                    ("webhook.caBundle", OUTSIDE[:4], "--set-file webhook.caBundle=CA.pem")):
            refusal = self.helm.refusal(*given)
            self.assertIn(f"{missing} is not set", refusal)
            self.assertIn(fix, refusal)

    def test_a_namespace_that_is_never_served_cannot_be_listed(self):
        for namespace in ("kube-system", "kube-node-lease", "roadstead"):
            refusal = self.helm.refusal(*OUTSIDE, f"namespaces={{shop,{namespace}}}")
            self.assertIn(f"namespaces names {namespace}, which Roadstead never serves", refusal)

    def test_release_roadstead_gets_the_fixed_names(self):
        self.assertEqual(set(map(identity, self.helm.objects())), expected_identities("roadstead", "roadstead"))

    def test_another_release_is_named_by_itself_throughout(self):
        for release, fullname in (("x", "x-roadstead"), ("my-roadstead", "my-roadstead")):
            objects = self.helm.objects(release=release, namespace="ns")
            self.assertEqual(set(map(identity, objects)), expected_identities(fullname, "ns"))
            hold = named(objects, "MutatingWebhookConfiguration", f"zz-{fullname}")["webhooks"][0]
            self.assertIn(f"'system:serviceaccount:ns:{fullname}-executor'", hold["matchConditions"][0]["expression"])

    def test_every_object_says_which_release_and_chart_it_is_of(self):
        for o in self.helm.objects(TWO_NAMESPACES):
            labels = {"app.kubernetes.io/name": "roadstead", "app.kubernetes.io/instance": "roadstead"}
            self.assertEqual({key: o["metadata"]["labels"][key] for key in labels}, labels)

    def test_rights_are_cluster_wide_by_default_and_no_more_than_needed(self):
        objects = self.helm.objects()
        self.assertEqual(self.rules(objects, "ClusterRole", "roadstead-webhook"),
                         [READ_NAMESPACES, CLUSTER_POLICIES[0], *OF_WEBHOOK])
        self.assertEqual(self.rules(objects, "ClusterRole", "roadstead-executor"),
                         [READ_NAMESPACES, *CLUSTER_POLICIES, *OF_EXECUTOR])
        self.assertEqual(self.rules(objects, "Role", "roadstead-executor", "roadstead"), [WRITE_RECORD])

    def test_rights_with_namespaces_named_are_roles_in_them(self):
        objects = self.helm.objects(TWO_NAMESPACES)
        for part, cluster in (("webhook", CLUSTER_POLICIES[:1]), ("executor", CLUSTER_POLICIES)):
            self.assertEqual(self.rules(objects, "ClusterRole", f"roadstead-{part}"), [READ_NAMESPACES, *cluster])
        for namespace in ("shop", "blog"):
            self.assertEqual(self.rules(objects, "Role", "roadstead-webhook", namespace), OF_WEBHOOK)
            self.assertEqual(self.rules(objects, "Role", "roadstead-executor", namespace), OF_EXECUTOR)
        self.assertEqual(self.rules(objects, "Role", "roadstead-executor", "roadstead"), [WRITE_RECORD])
        self.assertEqual(sum(o["kind"] == "Role" for o in objects), 5)

    def test_each_role_is_bound_to_the_service_account_of_its_name(self):
        objects = self.helm.objects(TWO_NAMESPACES)
        people = [f"roadstead-{role}" for role in ROLES_OF_PEOPLE]
        roles = [o for o in objects if o["kind"] in ("Role", "ClusterRole") and o["metadata"]["name"] not in people]
        for role in roles:
            name, namespace = role["metadata"]["name"], role["metadata"].get("namespace")
            binding = named(objects, f"{role['kind']}Binding", name, namespace)
            self.assertEqual(binding["roleRef"], {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"],
                                                  "name": name})
            self.assertEqual(binding["subjects"], [{"kind": "ServiceAccount", "name": name, "namespace": "roadstead"}])
            named(objects, "ServiceAccount", name, "roadstead")
        self.assertEqual(len(roles), sum(o["kind"].endswith("RoleBinding") for o in objects))

    def test_system_namespaces_and_our_own_are_never_matched(self):
        for settings in ((), (TWO_NAMESPACES,)):
            for webhook in self.webhooks(*settings, namespace="ships"):
                for name in ("kube-system", "kube-node-lease", "ships"):
                    labels = {"kubernetes.io/metadata.name": name, "roadstead.dev/enabled": "true"}
                    self.assertFalse(selects(webhook["namespaceSelector"], labels), name)

    def test_only_namespaces_that_opted_in_are_matched(self):
        def matched(webhook, name, **labels):
            return selects(webhook["namespaceSelector"], {"kubernetes.io/metadata.name": name, **labels})
        opted_in = {"roadstead.dev/enabled": "true"}
        for webhook in self.webhooks():
            self.assertTrue(matched(webhook, "anything", **opted_in))
            self.assertFalse(matched(webhook, "anything"))
            self.assertFalse(matched(webhook, "anything", **{"roadstead.dev/enabled": "false"}))
        for webhook in self.webhooks(TWO_NAMESPACES):
            self.assertTrue(matched(webhook, "shop", **opted_in))
            self.assertFalse(matched(webhook, "shop"))
            self.assertFalse(matched(webhook, "anything", **opted_in))

    def test_hold_and_gate_are_sent_what_the_design_says(self):
        hold, gate = self.webhooks()
        expected = {"admissionReviewVersions": ["v1"], "failurePolicy": "Fail", "matchPolicy": "Equivalent",
                    "sideEffects": "None", "timeoutSeconds": 5}
        for webhook in (hold, gate):
            self.assertEqual({key: webhook[key] for key in expected}, expected)
        self.assertEqual((hold["name"], hold["reinvocationPolicy"]), ("hold.roadstead.dev", "IfNeeded"))
        self.assertEqual(gate["name"], "gate.roadstead.dev")
        rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "scope": "Namespaced"}
        self.assertEqual(hold["rules"], [{**rule, "resources": ["deployments", "deployments/status"]}])
        self.assertEqual(gate["rules"], [{**rule, "resources": ["replicasets"]}])
        self.assertEqual([c["name"] for c in hold["matchConditions"]],
                         ["not-the-executor", "own-keys-on-a-subresource"])
        self.assertEqual(hold["matchConditions"][0]["expression"],
                         "request.userInfo.username != 'system:serviceaccount:roadstead:roadstead-executor'")
        self.assertEqual([c["name"] for c in gate["matchConditions"]], ["closed", "created-or-grows"])

    def test_the_policy_for_an_absent_webhook_never_opens_the_gate(self):
        hold, gate = self.webhooks("webhook.failurePolicy=Ignore", "webhook.timeoutSeconds=10")
        self.assertEqual((hold["failurePolicy"], gate["failurePolicy"]), ("Ignore", "Fail"))
        self.assertEqual((hold["timeoutSeconds"], gate["timeoutSeconds"]), (10, 10))

    def test_each_webhook_has_its_path_under_the_url(self):
        for base in ("https://webhook.example.com:8443", "https://webhook.example.com:8443/", "https://h/roadstead"):
            objects = self.helm.objects(f"webhook.url={base}")
            urls = [w["clientConfig"]["url"] for kind, name in CONFIGURATIONS for w in named(objects, kind, name)["webhooks"]]
            self.assertEqual(urls, [f"{base.rstrip('/')}/{path}" for path in ("hold", "gate", "policies", "policies")])

    def test_policies_of_the_cluster_are_let_through_where_only_some_namespaces_are_served(self):
        for settings, policy in (((), "Fail"), ((TWO_NAMESPACES,), "Ignore")):
            webhooks = named(self.helm.objects(*settings), *CONFIGURATIONS[1])["webhooks"]
            policies = {w["name"]: w["failurePolicy"] for w in webhooks if w["name"] != "gate.roadstead.dev"}
            self.assertEqual(policies, {"policies.roadstead.dev": "Fail", "cluster-policies.roadstead.dev": policy})

    def test_the_certificate_authority_may_be_pem_or_base64_also_in_lines(self):
        with tempfile.NamedTemporaryFile("w") as pem:
            pem.write(PEM)
            pem.flush()
            code, rendered, error = self.helm.run("template", "roadstead", CHART, *KUBERNETES, *sets(*OUTSIDE[:4]),
                                                  "--set-file", f"webhook.caBundle={pem.name}")
        self.assertEqual(code, 0, error)
        self.assertEqual(rendered.count(f"caBundle: {CA}\n"), 4)
        for webhook in self.webhooks(f"webhook.caBundle={CA[:76]}\n{CA[76:]}\n"):
            self.assertEqual(webhook["clientConfig"]["caBundle"], CA)

    def test_settings_are_the_environment_variables_of_the_binaries(self):
        self.assertEqual(self.settings(), {
            "ROADSTEAD_CLUSTER": "default", "ROADSTEAD_NAMESPACES": "", "ROADSTEAD_NATS_URL": "nats://127.0.0.1:4222",
            "ROADSTEAD_NATS_ALLOW_ANONYMOUS": "false", "ROADSTEAD_NATS_REPLICAS": "1",
            "ROADSTEAD_LOG_FORMAT": "text", "ROADSTEAD_LOG": "info", "ROADSTEAD_WARNINGS": "true",
            "ROADSTEAD_SHUTDOWN_DELAY": "10s",
            "ROADSTEAD_SLOTS": "8", "ROADSTEAD_URGENT_SLOTS": "2", "ROADSTEAD_SLOT_TIMEOUT": "15m", "ROADSTEAD_CRASH_LOOP_RESTARTS": "5",
            "ROADSTEAD_ATTEMPTS": "10",
            "ROADSTEAD_NAMESPACE": "roadstead",
            "ROADSTEAD_SWEPT": "roadstead-namespaces"})

    def test_settings_follow_the_values(self):
        data = self.settings("cluster=eu-1", TWO_NAMESPACES, "slots=40", "slotTimeout=1h30m", "warnings=false",
                             "nats.external.url=tls://nats:4222", "log.format=json", "log.level=debug",
                             "webhook.shutdownDelay=20s")
        changed = {key: data[f"ROADSTEAD_{key}"] for key in
                   ("CLUSTER", "NAMESPACES", "SLOTS", "SLOT_TIMEOUT", "WARNINGS", "NATS_URL", "LOG_FORMAT", "LOG",
                    "SHUTDOWN_DELAY")}
        self.assertEqual(changed, {
            "CLUSTER": "eu-1", "NAMESPACES": "shop,blog", "SLOTS": "40", "SLOT_TIMEOUT": "1h30m", "WARNINGS": "false",
            "NATS_URL": "tls://nats:4222", "LOG_FORMAT": "json", "LOG": "debug", "SHUTDOWN_DELAY": "20s"})

    def test_the_record_of_swept_namespaces_is_rendered_without_data(self):
        record = named(self.helm.objects(), "ConfigMap", "roadstead-namespaces", "roadstead")
        self.assertEqual(set(record), {"apiVersion", "kind", "metadata"})


class WithHelm4(Rendering, unittest.TestCase):
    helm = Helm("helm")

    # Only here: Helm 3 asks a cluster for its version before it prints notes.
    def notes(self, *settings, given=()):
        code, out, error = self.helm.run("install", "roadstead", CHART, "--namespace", "roadstead",
                                         "--dry-run=client", *sets(*given, *settings))
        self.assertEqual(code, 0, error)
        return out.split("NOTES:\n")[1]

    def test_the_notes_say_how_to_go_on_wherever_the_workloads_run(self):
        for given, where in (((), "kubectl -n roadstead get pods"), (OUTSIDE, "create token roadstead-webhook")):
            notes = self.notes("nats.external.url=tls://nats:4222", given=given)
            self.assertIn("kubectl label namespace NAME roadstead.dev/enabled=true", notes)
            self.assertIn("docs/break-glass.md", notes)
            self.assertIn(where, notes)
            self.assertNotIn("WARNING", notes)
        self.assertNotIn("WARNING", self.notes())

    def test_the_notes_warn_of_each_risky_value(self):
        for setting, warning in (
                ("webhook.failurePolicy=Ignore", "while the webhook is away, changes pass"),
                ("webhook.replicas=1", "there is one webhook (webhook.replicas=1): while its node is drained or lost, Deployments"),
                ("executor.replicas=1", "there is one executor (executor.replicas=1): while its node is drained or lost, nothing is let"),
                ("pods.disruptionBudgets=false", "nothing keeps a drain from taking all replicas"),
                ("nats.embedded.storage.persistent=false", "history and dead letters are lost with the NATS pod"),
                ("nats.embedded.storage.whenDeleted=Delete", "uninstalling deletes the streams"),
                ("nats.external.url=nats://n:4222", "nats://n:4222 is not encrypted"),
                ("nats.external.url=tls://n,nats.allowAnonymous=true", "a NATS that asks nobody who he is is accepted")):
            notes = self.notes(setting)
            self.assertEqual(notes.count("WARNING: "), 1, setting)
            self.assertIn(f"WARNING: {warning}", notes)


class WithHelm3(Rendering, unittest.TestCase):
    helm = Helm("helm3")


def main():
    """Runs the tests and prints the closing line that CI reads."""
    missing = [program for program in ("helm", "helm3", "promtool") if not shutil.which(program)]
    if missing:
        sys.exit(f"{' and '.join(missing)} not in PATH: testbed/tools/build.sh builds them and prints their folder")
    program = unittest.main(exit=False)
    # A test counts as failed once, however many of its sub-tests did.
    broken = {getattr(test, "test_case", test).id() for test, _ in program.result.failures + program.result.errors}
    print(f"{program.result.testsRun - len(broken)} passed, {len(broken)} failed", flush=True)
    sys.exit(1 if broken or not program.result.testsRun else 0)


if __name__ == "__main__":
    main()
