"""Tests of the certificates: each mode renders what it needs, and nothing that changes by itself."""
import base64
import re

from helm import CA, ELSEWHERE, Helm, identity, named

CONFIGURATIONS = (("MutatingWebhookConfiguration", "zz-roadstead"), ("ValidatingWebhookConfiguration", "roadstead"))
MODES = ("self", "certManager")
SECRETS = {"apiGroups": [""], "resources": ["secrets"]}
KEEP = ["get", "list", "watch"]


class Certificates:
    """The cases of one Helm, as those of Rendering."""

    helm: Helm

    def of_mode(self, mode, *settings, **which):
        return self.helm.objects(f"certificates.mode={mode}", *settings, given=ELSEWHERE, **which)

    def test_roadstead_rotates_by_default(self):
        self.assertEqual(self.helm.text(given=ELSEWHERE), self.helm.text("certificates.mode=self", given=ELSEWHERE))

    def test_who_rotates_keeps_the_ca_bundle_so_none_is_rendered_and_none_is_accepted(self):
        for mode in MODES:
            for kind, name in CONFIGURATIONS:
                client = named(self.of_mode(mode), kind, name)["webhooks"][0]["clientConfig"]
                self.assertEqual(list(client), ["url"], mode)
            refusal = self.helm.refusal(*ELSEWHERE, f"certificates.mode={mode}", f"webhook.caBundle={CA}")
            self.assertIn("certificates.mode=existingSecret", refusal)

    def test_no_key_no_certificate_and_no_secret_is_rendered(self):
        for mode in MODES:
            text = self.helm.text(f"certificates.mode={mode}", given=ELSEWHERE)
            self.assertNotRegex(text, r"(?m)^kind: Secret$|BEGIN|" + base64.b64encode(b"-----BEGIN").decode()[:12])
            self.assertEqual(text, self.helm.text(f"certificates.mode={mode}", given=ELSEWHERE), mode)

    def test_only_the_one_that_rotates_has_rights_and_only_on_what_it_keeps(self):
        objects = self.of_mode("self")
        self.assertEqual(named(objects, "Role", "roadstead-certs", "roadstead")["rules"], [
            {**SECRETS, "resourceNames": ["roadstead-webhook-authorities", "roadstead-webhook-tls"],
             "verbs": [*KEEP, "update"]},
            {**SECRETS, "verbs": ["create"]}])
        self.assertEqual(named(objects, "ClusterRole", "roadstead-certs")["rules"], [
            {"apiGroups": ["admissionregistration.k8s.io"], "resources": [resources], "resourceNames": [name],
             "verbs": [*KEEP, "patch"]}
            for resources, name in (("mutatingwebhookconfigurations", "zz-roadstead"),
                                    ("validatingwebhookconfigurations", "roadstead"))])
        for mode in ("certManager", "existingSecret"):
            given = {} if mode == "existingSecret" else {"given": ELSEWHERE}
            others = self.helm.objects(f"certificates.mode={mode}", **given)
            self.assertEqual([o for o in others if o["metadata"]["name"] == "roadstead-certs"], [], mode)

    def test_its_settings_are_its_environment_variables(self):
        data = named(self.of_mode("self"), "ConfigMap", "roadstead-settings", "roadstead")["data"]
        self.assertEqual({key: value for key, value in data.items() if "CERTS" in key}, {
            "ROADSTEAD_CERTS_AUTHORITIES": "roadstead-webhook-authorities",
            "ROADSTEAD_CERTS_LEAF": "roadstead-webhook-tls",
            "ROADSTEAD_CERTS_HOLD": "zz-roadstead", "ROADSTEAD_CERTS_GATE": "roadstead",
            "ROADSTEAD_CERTS_DNS": "webhook.example.com",
            "ROADSTEAD_CERTS_AUTHORITY_LIFE": "8760h", "ROADSTEAD_CERTS_LIFE": "168h", "ROADSTEAD_CERTS_SETTLE": "1m"})

    def test_addresses_and_names_are_told_apart(self):
        objects = self.of_mode("self", "webhook.url=https://[2001:db8::1]:8443/x", "certificates.secret=other",
                               "certificates.names={10.0.0.1,a.b,2001:db8::1,*.c.d,1.2.3.example}", release="x")
        data = named(objects, "ConfigMap", "x-roadstead-settings", "roadstead")["data"]
        self.assertEqual(data["ROADSTEAD_CERTS_IP"], "2001:db8::1,10.0.0.1")
        self.assertEqual(data["ROADSTEAD_CERTS_DNS"], "a.b,*.c.d,1.2.3.example")
        self.assertEqual(data["ROADSTEAD_CERTS_LEAF"], "other")
        only = self.of_mode("self", "webhook.url=https://10.0.0.1:8443")
        data = named(only, "ConfigMap", "roadstead-settings", "roadstead")["data"]
        self.assertEqual((data["ROADSTEAD_CERTS_IP"], "ROADSTEAD_CERTS_DNS" in data), ("10.0.0.1", False))

    def test_cert_manager_is_asked_for_a_certificate_and_for_the_ca_bundle(self):
        objects = self.of_mode("certManager", "certificates.names={10.0.0.1}")
        for kind, name in CONFIGURATIONS:
            annotations = named(objects, kind, name)["metadata"]["annotations"]
            self.assertEqual(annotations, {"cert-manager.io/inject-ca-from": "roadstead/roadstead-webhook"})
        leaf = named(objects, "Certificate", "roadstead-webhook", "roadstead")["spec"]
        self.assertEqual((leaf["secretName"], leaf["duration"], leaf["dnsNames"], leaf["ipAddresses"]),
                         ("roadstead-webhook-tls", "168h", ["webhook.example.com"], ["10.0.0.1"]))
        self.assertEqual(leaf["privateKey"], {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"})
        authority = named(objects, "Certificate", "roadstead-webhook-authority", "roadstead")["spec"]
        self.assertEqual((authority["isCA"], authority["secretName"], authority["duration"]),
                         (True, "roadstead-webhook-authorities", "8760h"))
        for referring, issuer in ((leaf, "roadstead-webhook-authority"), (authority, "roadstead-self-signed")):
            self.assertEqual(referring["issuerRef"], {"kind": "Issuer", "name": issuer})
            named(objects, "Issuer", issuer, "roadstead")

    def test_with_an_issuer_of_the_users_no_other_is_rendered(self):
        objects = self.of_mode("certManager", "certificates.certManager.issuer=corp",
                               "certificates.certManager.issuerKind=ClusterIssuer")
        of_cert_manager = [o for o in objects if o["apiVersion"].startswith("cert-manager.io/")]
        self.assertEqual([identity(o) for o in of_cert_manager], [("Certificate", "roadstead", "roadstead-webhook")])
        self.assertEqual(of_cert_manager[0]["spec"]["issuerRef"], {"kind": "ClusterIssuer", "name": "corp"})
        for mode in ("self", "existingSecret"):
            given = {"given": ELSEWHERE} if mode == "self" else {}
            text = self.helm.text(f"certificates.mode={mode}", **given)
            self.assertIsNone(re.search("cert-manager", text), mode)
