"""How the tests call Helm: one `Helm` for each version, which renders the chart into objects."""
import base64
import json
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHART = HERE.parent / "roadstead"
PEM = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ0E=\n-----END CERTIFICATE-----\n"
CA = base64.b64encode(PEM.encode()).decode()
# What a user has to say whose workloads run outside the cluster.
ELSEWHERE = ("inCluster=false", "nats.external.url=nats://127.0.0.1:4222", "webhook.url=https://webhook.example.com:8443")
# The same with a certificate of their own; tests add to it.
OUTSIDE = (*ELSEWHERE, "certificates.mode=existingSecret", f"webhook.caBundle={CA}")
# Helm 3 built from its module believes in Kubernetes 1.20 where no cluster tells it better.
KUBERNETES = ("--kube-version", "1.37.0")


class Helm:
    """One Helm binary of PATH."""

    def __init__(self, program):
        self.program = program

    def run(self, *arguments):
        """Runs Helm; returns its exit code, stdout and stderr."""
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def text(self, *settings, release="roadstead", namespace="roadstead", options=("--no-hooks",), given=OUTSIDE):
        """The rendered chart as text, hooks left out; `settings` are those of --set besides those given."""
        code, rendered, error = self.run(
            "template", release, CHART, "--namespace", namespace, *KUBERNETES, *options, *sets(*given, *settings))
        if code:
            raise AssertionError(f"{self.program} template failed: {error}")
        return rendered

    def objects(self, *settings, **which):
        """The rendered chart as a list of objects."""
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rendered:
            rendered.write(self.text(*settings, **which))
            rendered.flush()
            return self.read(rendered.name)

    def read(self, rendered):
        """Objects from a file of YAML, as Helm reads it."""
        code, out, error = self.run("template", "as-json", HERE / "as-json", "--set-file", f"rendered={rendered}")
        if code:
            raise AssertionError(f"{self.program} cannot read what it rendered: {error}")
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def refusal(self, *settings):
        """What Helm says when it refuses these settings, alone; an error if it accepts them."""
        code, out, error = self.run("template", "roadstead", CHART, "--namespace", "roadstead", *KUBERNETES,
                                    *sets(*settings))
        if not code:
            raise AssertionError(f"{self.program} accepts {settings}: {out[:200]}")
        return error


def sets(*settings):
    """Settings as Helm's arguments."""
    return [argument for setting in settings for argument in ("--set", setting)]


def identity(o):
    """What an object is called: kind, namespace, name."""
    return o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]


def named(objects, kind, name, namespace=None):
    """The one object of this kind and name."""
    found = [o for o in objects if identity(o) == (kind, namespace, name)]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} objects are {kind} {namespace}/{name}")
    return found[0]


def selects(selector, labels):
    """Whether a label selector matches these labels, as the API server decides it."""
    expressions = [{"key": k, "operator": "In", "values": [v]} for k, v in selector.get("matchLabels", {}).items()]
    for expression in expressions + selector.get("matchExpressions", []):
        inside = labels.get(expression["key"]) in expression["values"]
        if inside != {"In": True, "NotIn": False}[expression["operator"]]:
            return False
    return True
