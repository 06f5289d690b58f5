{{- /* Who makes the webhook's certificate, for which names, and where it lies. */ -}}

{{- define "roadstead.certificates.secret" -}}
{{- .Values.certificates.secret | default (printf "%s-webhook-tls" (include "roadstead.fullname" .)) -}}
{{- end -}}

{{- /* The Secret with the authorities: roadstead-certs alone reads it. */ -}}
{{- define "roadstead.certificates.authorities" -}}
{{- include "roadstead.fullname" . }}-webhook-authorities
{{- end -}}

{{- /* Names of the certificate: those that are addresses, or those that are not. Parameters: root, addresses. */ -}}
{{- define "roadstead.certificates.names" -}}
{{- $address := "^([0-9]+([.][0-9]+){3}|.*:.*)$" -}}
{{- $names := list -}}
{{- $reached := list -}}
{{- if .root.Values.inCluster -}}
{{- $reached = append $reached (printf "%s-webhook.%s.svc" (include "roadstead.fullname" .root) .root.Release.Namespace) -}}
{{- end -}}
{{- with .root.Values.webhook.url -}}
{{- $reached = append $reached (urlParse .).hostname -}}
{{- end -}}
{{- range concat $reached .root.Values.certificates.names | uniq -}}
{{- if eq (regexMatch $address .) $.addresses -}}{{- $names = append $names . -}}{{- end -}}
{{- end -}}
{{- $names | toJson -}}
{{- end -}}
