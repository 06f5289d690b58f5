{{- /* What all pods of the chart have in common: who they run as, where they run, how they are looked after. */ -}}

{{- /* Metadata of a pod template. Parameters: root, part, annotations of its own (none). */ -}}
{{- define "roadstead.podMetadata" -}}
{{- $values := .root.Values.pods -}}
labels: {{- merge (include "roadstead.selector" . | fromYaml) $values.labels | toYaml | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) $values.annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /*
The beginning of a pod's spec, as the restricted Pod Security Standard wants it. Parameters: root, part, token (whether
it talks to the API server), grace (seconds to end in), affinity (none). No variables of Services: a Service whose name
begins with `roadstead` would look like a setting.
*/ -}}
{{- define "roadstead.podSpec" -}}
{{- $values := .root.Values.pods -}}
serviceAccountName: {{ include "roadstead.fullname" .root }}-{{ .part }}
automountServiceAccountToken: {{ .token }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .grace }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- include "roadstead.pullSecrets" .root }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Replicas apart from each other. Parameters: root, part, revision (pod label that tells old pods from new; none). */ -}}
{{- define "roadstead.spread" -}}
{{- with .root.Values.pods.spreadOver }}
topologySpreadConstraints:
  {{- range . }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $.root.Values.pods.spread }}
    # A node that is drained is no place to be even with.
    nodeTaintsPolicy: Honor
    labelSelector:
      matchLabels: {{- include "roadstead.selector" $ | nindent 8 }}
    {{- with $.revision }}
    matchLabelKeys: [{{ . }}]
    {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "roadstead.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- /* Probes of the admin endpoint behind this port. A pod waits for others by not being ready, never by being restarted. */ -}}
{{- define "roadstead.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: {{ . }}}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 2
  timeoutSeconds: 2
{{- end -}}

{{- /* Pods with the old settings are replaced: a ConfigMap that changes restarts nobody by itself. */ -}}
{{- define "roadstead.settingsChecksum" -}}
roadstead.dev/settings: {{ include "roadstead.settings" . | sha256sum }}
{{- end -}}

{{- /* One pod of a part at a time may be taken away; for a single one this would mean nothing. Parameters: root, part, replicas. */ -}}
{{- define "roadstead.disruptionBudget" -}}
{{- if and .root.Values.pods.disruptionBudgets (gt (int .replicas) 1) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "roadstead.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "roadstead.selector" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{- /* Who a part is towards the API server; a pod that does not talk to it mounts no token. Parameters: root, part. */ -}}
{{- define "roadstead.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata: {{- include "roadstead.metadata" . | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}
