{{- /* Which image a container runs, and the secrets that it is pulled with: every pod and hook asks here. */ -}}

{{- /* Parameters: root, image (registry, repository, tag, digest), tag (where the image names none). */ -}}
{{- define "roadstead.image" -}}
{{- $registry := (.root.Values.global).imageRegistry | default .image.registry -}}
{{- $name := ternary (printf "%s/%s" (trimSuffix "/" $registry) .image.repository) .image.repository (ne $registry "") -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.image.tag | default .tag) -}}
{{- end -}}
{{- end -}}

{{- /* The image with Roadstead's programs, as a container names it. */ -}}
{{- define "roadstead.ownImage" -}}
image: {{ include "roadstead.image" (dict "root" . "image" .Values.image "tag" .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{- /* Names of Secrets, given as names or in the form that Kubernetes has for them. */ -}}
{{- define "roadstead.pullSecrets" -}}
{{- $secrets := list -}}
{{- range (.Values.global).imagePullSecrets -}}
{{- $secrets = append $secrets (ternary . (dict "name" .) (kindIs "map" .)) -}}
{{- end -}}
{{- with $secrets }}
imagePullSecrets: {{ toJson . }}
{{- end -}}
{{- end -}}
