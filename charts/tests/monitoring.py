"""Tests of the objects for Prometheus and Grafana: off by default, and nothing in them that does not exist."""
import json
import re

import alerts
from helm import CHART, Helm, named

REPOSITORY = CHART.parent.parent
RUNBOOKS = REPOSITORY / "docs" / "runbooks"
KINDS = {"podMonitor": ("PodMonitor", "roadstead"), "prometheusRule": ("PrometheusRule", "roadstead"),
         "dashboard": ("ConfigMap", "roadstead-dashboard")}
# What a metric's name gets by its kind.
SUFFIX = re.compile(r"_(total|bucket|count|sum|info)$")


def on(which):
    return f"monitoring.{which}.enabled=true"


def metrics(expression):
    """Names of Roadstead's metrics in a query, as docs/metrics.md names them."""
    return {SUFFIX.sub("", name) for name in re.findall(r"\broadstead_\w+", expression)}


def documented():
    """The names in docs/metrics.md, which tests of the workloads compare with the code."""
    return set(re.findall(r"^\| `(roadstead_\w+)` \|", (REPOSITORY / "docs" / "metrics.md").read_text(), re.M))


class Monitoring:
    """The cases of one Helm, as those of Rendering."""

    helm: Helm

    def of(self, which, *settings, namespace="roadstead"):
        kind, name = KINDS[which]
        return named(self.helm.objects(on(which), *settings), kind, name, namespace)

    def alerts(self, *settings):
        return self.of("prometheusRule", *settings)["spec"]["groups"][0]["rules"]

    def test_each_object_for_monitoring_is_there_by_its_own_value(self):
        identities = {(o["kind"], o["metadata"]["name"]) for o in self.helm.objects()}
        self.assertFalse(identities & set(KINDS.values()))
        for which, (kind, name) in KINDS.items():
            identities = {(o["kind"], o["metadata"]["name"]) for o in self.helm.objects(on(which))}
            self.assertEqual(identities & set(KINDS.values()), {(kind, name)})

    def test_the_objects_for_monitoring_are_where_and_as_prometheus_looks_for_them(self):
        for which in KINDS:
            found = self.of(which, "monitoring.namespace=watch", "monitoring.labels.release=prometheus", namespace="watch")
            self.assertEqual(found["metadata"]["labels"]["release"], "prometheus")
        self.assertEqual(self.of("dashboard")["metadata"]["labels"]["grafana_dashboard"], "1")

    def test_pods_of_this_release_are_scraped_wherever_the_monitor_is(self):
        spec = self.of("podMonitor", "monitoring.namespace=watch", "monitoring.podMonitor.interval=15s", namespace="watch")["spec"]
        self.assertEqual(spec["namespaceSelector"], {"matchNames": ["roadstead"]})
        self.assertEqual(spec["selector"], {"matchLabels": {
            "app.kubernetes.io/name": "roadstead", "app.kubernetes.io/instance": "roadstead"}})
        self.assertEqual({(e["port"], e["interval"]) for e in spec["podMetricsEndpoints"]},
                         {("metrics", "15s"), ("metrics-nats", "15s")})

    def test_an_alert_asks_only_for_metrics_that_exist_and_only_of_this_release(self):
        for alert in self.alerts():
            names = metrics(alert["expr"])
            self.assertTrue(names, alert["alert"])
            self.assertEqual(names - documented(), set(), alert["alert"])
            series = re.findall(r"\broadstead_\w+(\{[^}]*\})?", alert["expr"])
            self.assertTrue(all('namespace="roadstead"' in labels for labels in series), alert["expr"])

    def test_an_alert_says_how_bad_what_and_where_to_read_on(self):
        for alert in self.alerts():
            self.assertIn(alert["labels"]["severity"], ("warning", "critical"))
            self.assertEqual(set(alert["annotations"]), {"summary", "description", "runbook_url"}, alert["alert"])

    def test_each_alert_has_its_runbook_and_each_runbook_and_line_of_the_docs_its_alert(self):
        def words(alert):
            return "-".join(re.findall(r"[A-Z][a-z]+", alert.removeprefix("Roadstead"))).lower()
        alerts = {alert["alert"]: alert["annotations"]["runbook_url"] for alert in self.alerts("monitoring.prometheusRule.runbooks=https://h/r")}
        self.assertEqual(alerts, {name: f"https://h/r/{words(name)}.md" for name in alerts})
        pages = {page.stem: page.read_text() for page in RUNBOOKS.glob("*.md")}
        self.assertEqual(set(pages), set(map(words, alerts)))
        for name in alerts:
            self.assertTrue(pages[words(name)].startswith(f"# {name}\n"), name)
        listed = re.findall(r"^\| \[`(\w+)`\]\(runbooks/([a-z-]+)\.md\) \|", (REPOSITORY / "docs" / "alerts.md").read_text(), re.M)
        self.assertEqual(listed, [(name, words(name)) for name in alerts])

    def test_each_alert_fires_for_what_it_is_for_and_for_nothing_else(self):
        told = {alert for _, expected in alerts.CASES for alert in expected}
        self.assertEqual(told, {alert["alert"] for alert in self.alerts()})
        docs = (REPOSITORY / "docs" / "alerts.md").read_text()
        [others] = re.findall(r"```yaml\n(groups:\n.*?)```", docs, re.S)
        alerts.promtool(self.of("prometheusRule")["spec"], others)

    def test_thresholds_are_values(self):
        text = json.dumps(self.alerts("monitoring.prometheusRule.heldSeconds=7200000", "monitoring.prometheusRule.certificateSeconds=1234"))
        self.assertIn("> 7200000", text)
        self.assertEqual(text.count("< 1234"), 2)

    def test_the_dashboard_asks_only_for_metrics_that_exist(self):
        dashboard = json.loads(self.of("dashboard")["data"]["roadstead.json"])
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        queries += [v["query"]["query"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
        for query in queries:
            self.assertEqual(metrics(query) - documented(), set(), query)
        self.assertEqual(len({panel["id"] for panel in dashboard["panels"]}), len(dashboard["panels"]))
        self.assertTrue(all('namespace="$namespace"' in query for query in queries[:-1]))
