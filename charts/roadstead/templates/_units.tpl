{{- /* Durations and amounts of bytes as numbers, where one value follows from another. */ -}}

{{- /* Seconds of a duration such as 1m30s, rounded up. */ -}}
{{- define "roadstead.seconds" -}}
{{- $total := 0.0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" . -1 -}}
{{- $number := regexFind "^[0-9]+" . | float64 -}}
{{- $total = addf $total (mulf $number (get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0) (regexFind "[a-z]+$" .))) -}}
{{- end -}}
{{- ceil $total | int64 -}}
{{- end -}}

{{- /* Nine tenths of a quantity of Kubernetes, in bytes: what may be filled of it. */ -}}
{{- define "roadstead.mostOf" -}}
{{- $units := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- $text := toString . -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- if not (hasKey $units $unit) -}}
{{- fail (printf "%s is no amount of bytes that the chart can count with: write it in one of k, M, G, T, Ki, Mi, Gi, Ti" $text) -}}
{{- end -}}
{{- mulf (trimSuffix $unit $text | float64) (get $units $unit) 0.9 | floor | int64 -}}
{{- end -}}
