{{- /* Names and labels of every object, so that no template spells one by itself. */ -}}

{{- /* Short enough for what is made from it: the label with a StatefulSet's revision is the longest that has a limit (63). */ -}}
{{- define "roadstead.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-roadstead" .Release.Name) (contains "roadstead" .Release.Name) -}}
{{- .Values.fullnameOverride | default $name | replace "." "-" | trunc 46 | trimSuffix "-" -}}
{{- end -}}

{{- define "roadstead.executor.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "roadstead.fullname" . }}-executor
{{- end -}}

{{- define "roadstead.uninstall.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "roadstead.fullname" . }}-uninstall
{{- end -}}

{{- define "roadstead.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: roadstead
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* By what the pods of a part are known to its controller, its Service and others. Parameters: root, part. */ -}}
{{- define "roadstead.selector" -}}
app.kubernetes.io/name: roadstead
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- /* Metadata of an object that belongs to a part. Parameters: root, part, suffix of the name (none: the part's). */ -}}
{{- define "roadstead.metadata" -}}
name: {{ include "roadstead.fullname" .root }}-{{ .suffix | default .part }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "roadstead.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .part }}
{{- end -}}
