{{- /* Stand-ins for what the pods of the chart have in common, in the names and parameters of the part that makes the workloads. */ -}}

{{- define "roadstead.selector" -}}
app.kubernetes.io/name: roadstead
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "roadstead.podMetadata" -}}
labels: {{- include "roadstead.selector" . | nindent 2 }}
{{- end -}}

{{- define "roadstead.podSpec" -}}
serviceAccountName: {{ include "roadstead.fullname" .root }}-{{ .part }}
automountServiceAccountToken: {{ .token }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .grace }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "roadstead.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- define "roadstead.ownImage" -}}
image: roadstead/roadstead:{{ .Chart.AppVersion }}
imagePullPolicy: IfNotPresent
{{- end -}}
