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

{{- /* No caBundle unless the user gave one: the others are written by those who rotate, and an upgrade leaves them alone. */ -}}
{{- define "roadstead.clientConfig" -}}
{{- $mode := .root.Values.certificates.mode -}}
{{- with .root.Values.webhook -}}
{{- if not .url -}}{{- fail "webhook.url is not set: the API server needs the URL of the webhook. In this version the webhook runs outside the cluster: pass --set webhook.url=https://HOST:PORT" -}}{{- end -}}
{{- if and (eq $mode "existingSecret") (not .caBundle) -}}{{- fail "webhook.caBundle is not set: with certificates.mode=existingSecret the API server needs the CA of your certificate: pass --set-file webhook.caBundle=CA.pem" -}}{{- end -}}
{{- if and (ne $mode "existingSecret") .caBundle -}}{{- fail (printf "webhook.caBundle is set, but with certificates.mode=%s it is kept by the one who rotates: pass --set certificates.mode=existingSecret to bring your own certificate, or leave webhook.caBundle out" $mode) -}}{{- end -}}
url: {{ printf "%s/%s" (trimSuffix "/" .url) $.path }}
{{- with .caBundle }}
caBundle: {{ if hasPrefix "-----BEGIN" . }}{{ b64enc . }}{{ else }}{{ nospace . }}{{ end }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* cert-manager's injector fills the caBundle from this certificate's authority. */ -}}
{{- define "roadstead.injection" -}}
{{- if eq .Values.certificates.mode "certManager" }}
annotations:
  cert-manager.io/inject-ca-from: {{ printf "%s/%s-webhook" .Release.Namespace (include "roadstead.fullname" .) }}
{{- end }}
{{- end -}}
