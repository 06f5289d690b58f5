"""Tests of what a user may narrow: selectors and conditions that come after Roadstead's own, and never in their place."""
from helm import Helm, named, selects

CONDITIONS = ("webhook.matchConditions[0].name=not-the-robot",
              "webhook.matchConditions[0].expression=request.userInfo.username != 'robot'")
OPTED_IN = {"roadstead.dev/enabled": "true", "kubernetes.io/metadata.name": "shop"}


class Admission:
    """The cases of one Helm, as those of Rendering."""

    helm: Helm

    def both(self, *settings):
        objects = self.helm.objects(*settings)
        return [named(objects, kind, name)["webhooks"][0] for kind, name in (
            ("MutatingWebhookConfiguration", "zz-roadstead"), ("ValidatingWebhookConfiguration", "roadstead"))]

    def test_conditions_of_the_user_come_after_ours_and_only_for_the_hold(self):
        (plain, gate), (hold, given) = self.both(), self.both(*CONDITIONS)
        self.assertEqual(hold["matchConditions"], [*plain["matchConditions"], {
            "name": "not-the-robot", "expression": "request.userInfo.username != 'robot'"}])
        self.assertEqual(given, gate, "what is held stays held")

    def test_a_condition_of_ours_cannot_be_named(self):
        for name in ("not-the-executor", "own-keys-on-a-subresource"):
            refusal = self.helm.refusal(f"webhook.matchConditions[0].name={name}", "webhook.matchConditions[0].expression=object != null")
            self.assertIn(f"webhook.matchConditions: {name} is the name of a condition of Roadstead's own", refusal)

    def test_more_expressions_narrow_the_namespaces_of_both(self):
        expression = "webhook.namespaceSelector[0]"
        for webhook in self.both(f"{expression}.key=stage", f"{expression}.operator=In", f"{expression}.values={{test}}"):
            self.assertTrue(selects(webhook["namespaceSelector"], {**OPTED_IN, "stage": "test"}))
            self.assertFalse(selects(webhook["namespaceSelector"], {**OPTED_IN, "stage": "production"}))
            for never in ({"roadstead.dev/enabled": "false"}, {"kubernetes.io/metadata.name": "kube-system"},
                          {"kubernetes.io/metadata.name": "roadstead"}):
                self.assertFalse(selects(webhook["namespaceSelector"], {**OPTED_IN, "stage": "test", **never}))

    def test_a_selector_of_objects_narrows_the_hold_and_not_the_gate(self):
        hold, gate = self.both("webhook.objectSelector.matchLabels.queue=yes")
        self.assertEqual(hold["objectSelector"], {"matchLabels": {"queue": "yes"}})
        self.assertNotIn("objectSelector", gate, "a ReplicaSet does not have its Deployment's labels")
        self.assertNotIn("objectSelector", self.both()[0])

    def test_what_is_no_selector_and_no_condition_is_refused_with_its_name(self):
        for setting in ("webhook.objectSelector.queue=yes", "webhook.namespaceSelector[0].operator=Is",
                        "webhook.matchConditions[0].expression=1", "webhook.matchConditions[0].expresion=x"):
            self.assertRegex(self.helm.refusal(setting), setting.split("=")[0].split(".")[-1].split("[")[0])
