"""Tests of what the chart brings for policies: definitions, rights of people and of the executor, verbs."""
import tempfile
import shutil
from pathlib import Path

from helm import CHART, Helm, named, selects

PLURALS = ("releasepolicies", "clusterreleasepolicies", "freezes", "clusterfreezes")
VERBS = {"approver": "approve", "releaser": "release", "urgent": "urgent"}
ROLES_OF_PEOPLE = ("policy-viewer", "policy-editor", *VERBS)
KEEP = {"helm.sh/resource-policy": "keep"}


class Policies:
    """The cases of one Helm, as those of Rendering."""

    helm: Helm

    def definitions(self, *settings, **which):
        return [o for o in self.helm.objects(*settings, **which) if o["kind"] == "CustomResourceDefinition"]

    def verbs(self, *settings):
        return named(self.helm.objects(*settings), "ValidatingAdmissionPolicy", "roadstead-verbs")["spec"]

    def test_the_definitions_are_those_of_the_files_and_stay_unless_told_otherwise(self):
        found = self.definitions()
        self.assertEqual({o["metadata"]["name"] for o in found}, {f"{plural}.roadstead.dev" for plural in PLURALS})
        for o in found:
            self.assertEqual(o["metadata"]["annotations"], KEEP)
            self.assertEqual(o["spec"]["group"], "roadstead.dev")
        for o in self.definitions("crds.keep=false"):
            self.assertNotIn("annotations", o["metadata"])
        self.assertEqual(self.definitions("crds.install=false"), [])

    def test_a_definition_is_rendered_without_a_change(self):
        with tempfile.TemporaryDirectory() as folder:
            # The file itself, as Helm reads it.
            chart = Path(folder) / "plain"
            shutil.copytree(CHART / "files" / "crds", chart / "templates")
            (chart / "Chart.yaml").write_text("apiVersion: v2\nname: plain\nversion: 1.0.0\n")
            code, text, error = self.helm.run("template", "plain", chart)
            self.assertEqual(code, 0, error)
            plain = Path(folder) / "plain.yaml"
            plain.write_text(text)
            written = {o["metadata"]["name"]: o["spec"] for o in self.helm.read(plain)}
        self.assertEqual({o["metadata"]["name"]: o["spec"] for o in self.definitions()}, written)

    def test_who_reads_and_writes_policies_is_whom_kubernetes_own_roles_name(self):
        objects = self.helm.objects()
        aggregates = {}
        for role in ROLES_OF_PEOPLE:
            labels = named(objects, "ClusterRole", f"roadstead-{role}")["metadata"]["labels"]
            aggregates[role] = [key.split("aggregate-to-")[1] for key in labels if "aggregate-to-" in key]
        self.assertEqual(aggregates, {"policy-viewer": ["view"], "policy-editor": ["admin"],
                                      "approver": [], "releaser": [], "urgent": []})
        viewer, editor = (named(objects, "ClusterRole", f"roadstead-policy-{who}")["rules"] for who in ("viewer", "editor"))
        self.assertEqual([set(rule["resources"]) for rule in viewer], [set(PLURALS)])
        self.assertEqual([rule["verbs"] for rule in viewer], [["get", "list", "watch"]])
        self.assertEqual([rule["resources"] for rule in editor], [["releasepolicies", "freezes"]])

    def test_each_verb_has_a_role_that_nobody_is_bound_to(self):
        objects = self.helm.objects()
        for role, verb in VERBS.items():
            rules = named(objects, "ClusterRole", f"roadstead-{role}")["rules"]
            self.assertEqual(rules, [{"apiGroups": ["roadstead.dev"], "resources": ["changes"], "verbs": [verb]}])
        bound = {o["roleRef"]["name"] for o in objects if o["kind"].endswith("RoleBinding")}
        self.assertEqual(bound & {f"roadstead-{role}" for role in ROLES_OF_PEOPLE}, set())

    def test_verbs_are_asked_for_in_the_namespaces_of_the_webhooks(self):
        for settings in ((), ("namespaces={shop,blog}",)):
            constraints = self.verbs(*settings)["matchConstraints"]
            hold = named(self.helm.objects(*settings), "MutatingWebhookConfiguration", "zz-roadstead")["webhooks"][0]
            self.assertEqual(constraints["namespaceSelector"], hold["namespaceSelector"])
            self.assertEqual(constraints["resourceRules"], hold["rules"])
            labels = {"kubernetes.io/metadata.name": "kube-system", "roadstead.dev/enabled": "true"}
            self.assertFalse(selects(constraints["namespaceSelector"], labels))
        self.assertEqual(self.verbs("webhook.objectSelector.matchLabels.a=b")["matchConstraints"]["objectSelector"],
                         {"matchLabels": {"a": "b"}})

    def test_verbs_are_asked_of_everybody_but_roadstead(self):
        spec = self.verbs()
        self.assertEqual(spec["failurePolicy"], "Fail")
        accounts = ",".join(f'"system:serviceaccount:roadstead:roadstead-{part}"' for part in ("executor", "uninstall"))
        self.assertEqual([c["expression"] for c in spec["matchConditions"]], [f"!(request.userInfo.username in [{accounts}])"])
        self.assertEqual({v["reason"] for v in spec["validations"]}, {"Forbidden"})
        for verb, validation in zip(VERBS.values(), spec["validations"]):
            self.assertIn(f".check('{verb}')", validation["expression"])
            self.assertIn(f"the verb {verb} on changes.roadstead.dev", validation["messageExpression"])

    def test_verbs_are_asked_for_only_where_that_is_wanted(self):
        kinds = {o["kind"] for o in self.helm.objects("policy.verbs.enabled=false")}
        self.assertFalse(kinds & {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"})

    def test_the_executor_runs_jobs_only_where_that_is_wanted(self):
        for setting, wanted in (("policy.checks.jobs=true", True), ("policy.checks.jobs=false", False)):
            for settings, kind, namespace in (((), "ClusterRole", None), (("namespaces={shop}",), "Role", "shop")):
                rules = named(self.helm.objects(setting, *settings), kind, "roadstead-executor", namespace)["rules"]
                self.assertIs(any(rule["apiGroups"] == ["batch"] for rule in rules), wanted)

    def test_the_uninstall_may_delete_the_definitions_where_that_is_wanted(self):
        def cluster_role(*settings):
            rules = named(self.hooks("pre-delete", *settings), "ClusterRole", "roadstead-uninstall")["rules"]
            return [rule for rule in rules if "customresourcedefinitions" in rule["resources"]]
        self.assertEqual(cluster_role(), [])
        names = [f"{plural}.roadstead.dev" for plural in PLURALS]
        self.assertEqual(cluster_role("uninstall.crds=true"), [
            {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "resourceNames": names,
             "verbs": ["delete"]}])
        job = named(self.hooks("pre-delete", "uninstall.crds=true"), "Job", "roadstead-uninstall", "roadstead")
        self.assertIn("--crds", job["spec"]["template"]["spec"]["containers"][0]["args"])
