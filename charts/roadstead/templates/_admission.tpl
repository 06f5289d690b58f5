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
  {{- with .Values.webhook.namespaceSelector }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* No caBundle unless the user gave one: the others are written by those who rotate, and an upgrade leaves them alone. */ -}}
{{- define "roadstead.clientConfig" -}}
{{- $mode := .root.Values.certificates.mode -}}
{{- with .root.Values.webhook -}}
{{- if not (or .url $.root.Values.inCluster) -}}{{- fail "webhook.url is not set: with inCluster=false the API server needs the URL of the webhook: pass --set webhook.url=https://HOST:PORT" -}}{{- end -}}
{{- if and (eq $mode "existingSecret") (not .caBundle) -}}{{- fail "webhook.caBundle is not set: with certificates.mode=existingSecret the API server needs the CA of your certificate: pass --set-file webhook.caBundle=CA.pem" -}}{{- end -}}
{{- if and (ne $mode "existingSecret") .caBundle -}}{{- fail (printf "webhook.caBundle is set, but with certificates.mode=%s it is kept by the one who rotates: pass --set certificates.mode=existingSecret to bring your own certificate, or leave webhook.caBundle out" $mode) -}}{{- end -}}
{{ if .url -}}
url: {{ printf "%s/%s" (trimSuffix "/" .url) $.path }}
{{- else -}}
service:
  name: {{ include "roadstead.fullname" $.root }}-webhook
  namespace: {{ $.root.Release.Namespace }}
  path: /{{ $.path }}
  port: 443
{{- end }}
{{- with .caBundle }}
caBundle: {{ if hasPrefix "-----BEGIN" . }}{{ b64enc . }}{{ else }}{{ nospace . }}{{ end }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* Conditions of the user, after ours: all have to be met, so that they can only take something away from the hold. */ -}}
{{- define "roadstead.matchConditions" -}}
{{- range .Values.webhook.matchConditions }}
{{- if has .name (list "not-the-executor" "own-keys-on-a-subresource") -}}
{{- fail (printf "webhook.matchConditions: %s is the name of a condition of Roadstead's own: choose another" .name) -}}
{{- end }}
- {{ dict "name" .name "expression" .expression | toJson }}
{{- end }}
{{- end -}}

{{- /* cert-manager's injector fills the caBundle from this certificate's authority. */ -}}
{{- define "roadstead.injection" -}}
{{- if eq .Values.certificates.mode "certManager" }}
annotations:
  cert-manager.io/inject-ca-from: {{ printf "%s/%s-webhook" .Release.Namespace (include "roadstead.fullname" .) }}
{{- end }}
{{- end -}}
