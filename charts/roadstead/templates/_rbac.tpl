{{- /* One identity's rights: cluster-wide, or by Role in each served namespace, from the same rules. */ -}}

{{- /* Parameters: root, part (webhook or executor), rules (YAML list of what it may do in a served namespace), cluster (of what it may do to what is in no namespace; none). */ -}}
{{- define "roadstead.rbac" -}}
{{- $root := .root -}}
{{- $name := printf "%s-%s" (include "roadstead.fullname" .root) .part -}}
{{- $rules := .rules -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name }}
  labels: {{- include "roadstead.labels" $root | nindent 4 }}
rules:
  - apiGroups: [""]
    resources: [namespaces]
    verbs: [get, list, watch]
  {{- with .cluster }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- if not $root.Values.namespaces }}
  {{- $rules | nindent 2 }}
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels: {{- include "roadstead.labels" $root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $root.Release.Namespace }}
{{- range $root.Values.namespaces }}
---
{{ include "roadstead.role" (dict "root" $root "part" $.part "namespace" . "rules" $rules) }}
{{- end }}
{{- end -}}

{{- /* Parameters: root, part, namespace, rules. */ -}}
{{- define "roadstead.role" -}}
{{- $name := printf "%s-%s" (include "roadstead.fullname" .root) .part -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ .namespace }}
  labels: {{- include "roadstead.labels" .root | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ .namespace }}
  labels: {{- include "roadstead.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
