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
