{{- /* The Prometheus endpoints that checks of policies may ask. */ -}}

{{- /* NAME=VALUE of a field of each of them, with commas. Parameters: root, field. */ -}}
{{- define "roadstead.prometheus" -}}
{{- $pairs := list -}}
{{- range $name, $endpoint := .root.Values.policy.checks.prometheus -}}
{{- with get $endpoint $.field }}{{ $pairs = append $pairs (printf "%s=%s" $name .) }}{{ end -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{- /* Egress to their ports: where they are is not known as a pod. */ -}}
{{- define "roadstead.prometheus.out" -}}
{{- $ports := list -}}
{{- range .Values.policy.checks.prometheus -}}
{{- $url := urlParse .url -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- $ports = append $ports $port -}}
{{- end -}}
{{- with uniq $ports }}
- ports:
    {{- range . }}
    - port: {{ . }}
    {{- end }}
{{- end }}
{{- end -}}

{{- /* Their Secrets, in the executor's pod. */ -}}
{{- define "roadstead.prometheus.volumes" -}}
{{- range $name, $endpoint := .Values.policy.checks.prometheus }}
{{- with $endpoint.secret }}
- name: prometheus-{{ $name }}
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end -}}

{{- define "roadstead.prometheus.mounts" -}}
{{- range $name, $endpoint := .Values.policy.checks.prometheus }}
{{- if $endpoint.secret }}
- {name: prometheus-{{ $name }}, mountPath: /etc/roadstead/prometheus/{{ $name }}, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}
