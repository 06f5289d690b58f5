{{- /* Which NATS there is, how it is reached, and by what the workloads are known to it. */ -}}

{{- /* "true" where the chart brings its own NATS; else empty. */ -}}
{{- define "roadstead.nats.embedded" -}}
{{- if and .Values.inCluster (not .Values.nats.external.url) -}}true{{- end -}}
{{- end -}}

{{- define "roadstead.nats.url" -}}
{{- with .Values.nats -}}
{{- if and .allowAnonymous (include "roadstead.nats.embedded" $) -}}
{{- fail "nats.allowAnonymous is set, but the chart's own NATS asks everybody who he is: it is for nats.external.url" -}}
{{- end -}}
{{- if not (or $.Values.inCluster .external.url) -}}
{{- fail "nats.external.url is not set: with inCluster=false the chart brings no NATS: pass --set nats.external.url=tls://HOST:4222" -}}
{{- end -}}
{{- .external.url | default (printf "tls://%s-nats.%s.svc:4222" (include "roadstead.fullname" $) $.Release.Namespace) -}}
{{- end -}}
{{- end -}}

{{- /* "true" where an authority that is not publicly known signs the servers' certificates; else empty. */ -}}
{{- define "roadstead.nats.authority" -}}
{{- if or (include "roadstead.nats.embedded" .) .Values.nats.external.ownAuthority -}}true{{- end -}}
{{- end -}}

{{- /* Copies of each stream: as many as the chart has servers, unless said. */ -}}
{{- define "roadstead.nats.streamReplicas" -}}
{{- $servers := ternary .Values.nats.embedded.replicas 1 (eq (include "roadstead.nats.embedded" .) "true") -}}
{{- $replicas := .Values.nats.replicas | default $servers | int -}}
{{- if and (include "roadstead.nats.embedded" .) (gt $replicas (int $servers)) -}}
{{- fail (printf "nats.replicas is %d, but there are %d servers: set nats.embedded.replicas" $replicas (int $servers)) -}}
{{- end -}}
{{- $replicas -}}
{{- end -}}

{{- /* The Secret that a workload is known to NATS by. Parameters: root, part. */ -}}
{{- define "roadstead.nats.secret" -}}
{{- $own := printf "%s-nats-%s" (include "roadstead.fullname" .root) .part -}}
{{- get .root.Values.nats.external.secrets .part | default $own -}}
{{- end -}}

{{- /* Environment, mount and volume of that Secret, where NATS asks who connects. Parameters: root, part. */ -}}
{{- define "roadstead.nats.env" -}}
{{- if not .root.Values.nats.allowAnonymous }}
- {name: ROADSTEAD_NATS_CREDS, value: /etc/roadstead/nats/nats.creds}
{{- end }}
{{- if include "roadstead.nats.authority" .root }}
- {name: ROADSTEAD_NATS_CA, value: /etc/roadstead/nats/ca.crt}
{{- end }}
{{- end -}}

{{- define "roadstead.nats.mounted" -}}
{{- if or (not .Values.nats.allowAnonymous) (include "roadstead.nats.authority" .) -}}true{{- end -}}
{{- end -}}

{{- define "roadstead.nats.mount" -}}
{{- if include "roadstead.nats.mounted" .root }}
- {name: nats, mountPath: /etc/roadstead/nats, readOnly: true}
{{- end }}
{{- end -}}

{{- define "roadstead.nats.volume" -}}
{{- if include "roadstead.nats.mounted" .root }}
- name: nats
  secret: {secretName: {{ include "roadstead.nats.secret" . }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{- /* The names by which the chart's servers find each other. */ -}}
{{- define "roadstead.nats.hosts" -}}
{{- $hosts := list -}}
{{- $nats := printf "%s-nats" (include "roadstead.fullname" .) -}}
{{- range until (int .Values.nats.embedded.replicas) -}}
{{- $hosts = append $hosts (printf "%s-%d.%s.%s.svc" $nats . $nats $.Release.Namespace) -}}
{{- end -}}
{{- join "," $hosts -}}
{{- end -}}

{{- /* Names of the Secrets that `roadstead-certs nats keep` makes, as JSON: the keys, the servers' files, and one for each role that is a component. */ -}}
{{- define "roadstead.nats.secrets" -}}
{{- $secrets := list -}}
{{- range list "keys" "server" "webhook" "executor" "reader" "callout" "guest" "certs" "metrics" "uninstall" -}}
{{- $secrets = append $secrets (printf "%s-nats-%s" (include "roadstead.fullname" $) .) -}}
{{- end -}}
{{- toJson $secrets -}}
{{- end -}}
