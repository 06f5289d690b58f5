{{- /* NetworkPolicies: what a part accepts and opens. The kubelet's probes pass in any case; API servers have no pod that a rule could name. */ -}}

{{- /* Parameters: root, part, ports (of its metrics), ingress and egress (rules of its own, YAML; none). */ -}}
{{- define "roadstead.networkPolicy" -}}
{{- $root := .root -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{- include "roadstead.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels: {{- include "roadstead.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        {{- range .ports }}
        - port: {{ . }}
        {{- end }}
      {{- with include "roadstead.network.namespaces" $root.Values.networkPolicy.metricsFrom }}{{ . | nindent 6 }}{{ end }}
    {{- with .ingress }}{{ . | nindent 4 }}{{ end }}
  egress:
    # DNS.
    - ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
    {{- with .egress }}{{ . | nindent 4 }}{{ end }}
{{- end -}}

{{- /* Peers: the namespaces of these names, or whoever asks. */ -}}
{{- define "roadstead.network.namespaces" -}}
{{- with . -}}
from:
  - namespaceSelector:
      matchExpressions:
        - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
{{- end -}}
{{- end -}}

{{- /* To whom every workload connects: API servers and NATS. */ -}}
{{- define "roadstead.network.out" -}}
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - port: {{ . }}
    {{- end }}
- ports:
    {{- range include "roadstead.nats.url" . | splitList "," }}
    - port: {{ regexFind ":[0-9]+$" (urlParse .).host | trimPrefix ":" | default "4222" }}
    {{- end }}
  {{- if include "roadstead.nats.embedded" . }}
  to:
    - podSelector:
        matchLabels: {{- include "roadstead.selector" (dict "root" . "part" "nats") | nindent 10 }}
  {{- end }}
{{- end -}}
