{{- /* What both webhook configurations share: whom they match and where the API server finds the webhook. */ -}}

{{- /* Namespaces that are never matched: a cluster must start, and Roadstead itself be changed, without Roadstead. */ -}}
{{- define "roadstead.excluded" -}}
{{- list "kube-system" "kube-node-lease" .Release.Namespace | uniq | toJson -}}
{{- end -}}

{{- define "roadstead.namespaceSelector" -}}
{{- $excluded := include "roadstead.excluded" . | fromJsonArray -}}
{{- range .Values.namespaces -}}
{{- if has . $excluded -}}
{{- fail (printf "namespaces names %s, which Roadstead never serves (nor %s): take it out of the list" . (without $excluded . | join ", ")) -}}
{{- end -}}
{{- end -}}
matchLabels:
  roadstead.dev/enabled: "true"
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values: {{ $excluded | toJson }}
  {{- with .Values.namespaces }}
  - key: kubernetes.io/metadata.name
    operator: In
    values: {{ toJson . }}
  {{- end }}
{{- end -}}

{{- define "roadstead.clientConfig" -}}
{{- $fix := "In this version the webhook runs outside the cluster: pass --set webhook.url=https://HOST:PORT --set-file webhook.caBundle=CA.pem" -}}
{{- with .root.Values.webhook -}}
{{- if not .url -}}{{- fail (printf "webhook.url is not set: the API server needs the URL of the webhook. %s" $fix) -}}{{- end -}}
{{- if not .caBundle -}}{{- fail (printf "webhook.caBundle is not set: the API server needs the CA of the webhook's certificate. %s" $fix) -}}{{- end -}}
url: {{ printf "%s/%s" (trimSuffix "/" .url) $.path }}
caBundle: {{ if hasPrefix "-----BEGIN" .caBundle }}{{ b64enc .caBundle }}{{ else }}{{ nospace .caBundle }}{{ end }}
{{- end -}}
{{- end -}}
