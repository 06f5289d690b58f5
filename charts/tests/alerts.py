"""What each alert is for, as cases for promtool: series that are healthy but for a few, and the alerts that they set off."""
import json
import re
import subprocess
import tempfile
from pathlib import Path

# All that a webhook, an executor and certs say while all is well. Time begins at 0 and is looked at after two hours.
WEBHOOK = {
    'roadstead_nats_connected{pod="webhook"}': "1x130", "roadstead_reviews_in_flight": "0x130",
    'roadstead_review_duration_seconds_bucket{le="0.001"}': "0+60x130", 'roadstead_review_duration_seconds_bucket{le="1.0"}': "0+60x130",
    'roadstead_review_duration_seconds_bucket{le="5.0"}': "0+60x130", 'roadstead_review_duration_seconds_bucket{le="+Inf"}': "0+60x130",
    "roadstead_panics_total": "0x130", 'roadstead_requests_rejected_total{reason="body"}': "0x130",
    'roadstead_requests_rejected_total{reason="handshake"}': "0+1x130", 'roadstead_gate_reads_total{result="read"}': "0+9x130",
    'roadstead_gate_reads_total{result="missing"}': "0+1x130", 'roadstead_gate_reads_total{result="refused"}': "0x130",
    "roadstead_publish_failures_total": "0x130", "roadstead_held_changes": "0x130", "roadstead_oldest_held_timestamp_seconds": "0x130",
    "roadstead_certificate_expiry_timestamp_seconds": "200000x130", "roadstead_certificate_load_failures_total": "0x130"}
EXECUTOR = {
    'roadstead_nats_connected{pod="executor"}': "1x130", 'roadstead_queue_oldest_timestamp_seconds{lane="normal"}': "0x130",
    "roadstead_releases_total": "0x130", "roadstead_slots": "10x130", "roadstead_slots_urgent": "2x130", "roadstead_slots_in_use": "0x130",
    "roadstead_dead_letters_total": "0x130"}
CERTS = {
    "roadstead_authority_expiry_timestamp_seconds": "30000000x130", "roadstead_rotation_failures_total": "0x130",
    "roadstead_webhook_configurations_missing": "0x130"}

# What is different, and what is told of. `None`: who says so is away.
CASES = (
    ({}, ()),
    (dict.fromkeys(WEBHOOK), ("RoadsteadWebhookAbsent",)),
    (dict.fromkeys(EXECUTOR), ("RoadsteadExecutorAbsent",)),
    ({'roadstead_review_duration_seconds_bucket{le="1.0"}': "0+59x130",
      'roadstead_review_duration_seconds_bucket{le="0.001"}': "0+59x130"}, ("RoadsteadWebhookSlow",)),
    ({"roadstead_panics_total": "0+1x130"}, ("RoadsteadWebhookFailing",)),
    ({'roadstead_gate_reads_total{result="refused"}': "0+1x130"}, ("RoadsteadWebhookFailing",)),
    ({'roadstead_requests_rejected_total{reason="body"}': "0+1x130"}, ("RoadsteadWebhookFailing",)),
    ({"roadstead_publish_failures_total": "0+1x130"}, ()),
    ({"roadstead_publish_failures_total": "0+1x130", "roadstead_held_changes": "3x130"}, ("RoadsteadNothingPublished",)),
    ({'roadstead_nats_connected{pod="executor"}': "0x130"}, ("RoadsteadNatsDisconnected",)),
    ({"roadstead_oldest_held_timestamp_seconds": "60x130", "roadstead_held_changes": "1x130"}, ("RoadsteadHeldTooLong",)),
    ({"roadstead_oldest_held_timestamp_seconds": "6000x130", "roadstead_held_changes": "1x130"}, ()),
    ({'roadstead_queue_oldest_timestamp_seconds{lane="normal"}': "60x130"}, ("RoadsteadNothingReleased",)),
    ({'roadstead_queue_oldest_timestamp_seconds{lane="normal"}': "60x130", "roadstead_releases_total": "0+1x130"}, ()),
    ({'roadstead_queue_oldest_timestamp_seconds{lane="normal"}': "60x130", "roadstead_slots_in_use": "7x130"}, ()),
    ({"roadstead_slots_in_use": "8x130"}, ("RoadsteadSlotsFull",)),
    ({"roadstead_slots": "0x130", "roadstead_slots_urgent": "0x130"}, ()),
    ({"roadstead_dead_letters_total": "0x114 1x20"}, ("RoadsteadDeadLetters",)),
    ({"roadstead_dead_letters_total": "0x60 1x70"}, ()),
    ({"roadstead_certificate_expiry_timestamp_seconds": "90000x130"}, ("RoadsteadCertificateExpires",)),
    ({"roadstead_authority_expiry_timestamp_seconds": "90000x130"}, ("RoadsteadCertificateExpires",)),
    ({"roadstead_authority_expiry_timestamp_seconds": "0x130"}, ()),
    ({"roadstead_rotation_failures_total": "0+1x130"}, ("RoadsteadRotationFailing",)),
    ({"roadstead_certificate_load_failures_total": "0+1x130"}, ("RoadsteadRotationFailing",)),
    ({"roadstead_webhook_configurations_missing": "1x130"}, ("RoadsteadConfigurationMissing",)),
)

# A Deployment whose generation is not seen, with this label of ours; and what docs/alerts.md has told of it.
LAGS = {'kube_deployment_status_observed_generation{namespace="shop",deployment="web"}': "1x130",
        'kube_deployment_metadata_generation{namespace="shop",deployment="web"}': "2x130"}
MISMATCHES = tuple(
    ({**LAGS, f'kube_deployment_labels{{namespace="shop",deployment="web",label_roadstead_dev_phase="{phase}"}}': "1x130"}, alerts)
    for phase, alerts in (("held", ()), ("dead", ()), ("released", ("KubeDeploymentGenerationMismatch",)),
                          ("", ("KubeDeploymentGenerationMismatch",))))


def of_release(series):
    """The series with the label that Prometheus Operator adds."""
    name, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})?", series).groups()
    return f'{name}{{namespace="roadstead"{"," + labels if labels else ""}}}'


def case(series, alerts):
    """One test of promtool: exactly these alerts fire in the end."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items() if values],
        "promql_expr_test": [{
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "2h",
            "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts]}]}


def cases():
    """All of them, for the rules of the chart and of the docs together."""
    healthy = {**WEBHOOK, **EXECUTOR, **CERTS}
    ours = [({of_release(name): values for name, values in {**healthy, **different}.items()}, alerts)
            for different, alerts in CASES]
    whole = {of_release(name): values for name, values in healthy.items()}
    return [case(*one) for one in ours] + [case({**whole, **series}, alerts) for series, alerts in MISMATCHES]


def promtool(rules, others):
    """What promtool says of our rules and of those in the docs (text); an error if a case is not as it should be."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rules.json").write_text(json.dumps(rules))
        (Path(folder) / "docs.yaml").write_text(others)
        files = ["rules.json", "docs.yaml"]
        (Path(folder) / "cases.json").write_text(json.dumps(
            {"rule_files": files, "evaluation_interval": "1m", "tests": cases()}))
        for command in (["check", "rules", "--lint=all", "--lint-fatal", *files], ["test", "rules", "cases.json"]):
            done = subprocess.run(["promtool", *command], cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise AssertionError(f"promtool {' '.join(command)}: {done.stdout}{done.stderr}")
