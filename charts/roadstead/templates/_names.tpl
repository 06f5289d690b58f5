{{- /* Names and labels of every object, so that no template spells one by itself. */ -}}

{{- define "roadstead.fullname" -}}
{{- if contains "roadstead" .Release.Name -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-roadstead" .Release.Name -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.executor.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "roadstead.fullname" . }}-executor
{{- end -}}

{{- define "roadstead.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: roadstead
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
