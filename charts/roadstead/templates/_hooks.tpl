{{- /* What Helm makes for a moment only, before an uninstall and for `helm test`, and takes away again itself. */ -}}

{{- /*
Metadata of an object of a hook. Parameters: root, part, hook (pre-delete or test), weight (Helm goes from low to high),
namespace (none: the release's; "-": none at all), labels and annotations of its own (none).
*/ -}}
{{- define "roadstead.hookMetadata" -}}
name: {{ include "roadstead.fullname" .root }}-{{ .part }}
{{- if ne (.namespace | default "") "-" }}
namespace: {{ .namespace | default .root.Release.Namespace }}
{{- end }}
labels: {{- merge (include "roadstead.labels" .root | fromYaml) (dict "app.kubernetes.io/component" .part) (.labels | default dict) | toYaml | nindent 2 }}
annotations:
  # What failed stays, to be read; the next run replaces it.
  {{- $own := dict "helm.sh/hook" .hook "helm.sh/hook-weight" (toString .weight) "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" }}
  {{- merge $own (.annotations | default dict) | toYaml | nindent 2 }}
{{- end -}}

{{- /* Rights of the ServiceAccount of a hook. Parameters: those of its metadata, and kind (Role or ClusterRole), rules (YAML list). */ -}}
{{- define "roadstead.hookRole" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata: {{- include "roadstead.hookMetadata" . | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata: {{- include "roadstead.hookMetadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ include "roadstead.fullname" .root }}-{{ .part }}
subjects:
  - kind: ServiceAccount
    name: {{ include "roadstead.fullname" .root }}-{{ .part }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
