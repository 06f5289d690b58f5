{{- /* What the objects for Prometheus and Grafana share: where they are and how they are chosen. */ -}}

{{- /* Parameters: root, name (what follows the release's name; may be empty), labels (of this kind). */ -}}
{{- define "roadstead.monitoring.metadata" -}}
name: {{ include "roadstead.fullname" .root }}{{ .name }}
namespace: {{ .root.Values.monitoring.namespace | default .root.Release.Namespace }}
labels:
  {{- include "roadstead.labels" .root | nindent 2 }}
  {{- with merge (dict) .root.Values.monitoring.labels (.labels | default dict) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
