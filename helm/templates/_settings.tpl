{{/* Turns the table settings.yaml into what a pod gets. */}}

{{/* The value at a path such as "polar.server", as JSON. */}}
{{- define "polar-bridge.at" -}}
{{- $value := index . 0 }}
{{- range splitList "." (index . 1) }}
{{- $value = ternary (get (kindIs "map" $value | ternary $value dict) .) nil (kindIs "map" $value) }}
{{- end }}
{{- dict "value" $value | toJson }}
{{- end }}

{{/* A value as text: Helm's numbers are floats, and 1e+06 is none to the program. */}}
{{- define "polar-bridge.text" -}}
{{- if kindIs "slice" . }}{{ join "," . }}
{{- else if kindIs "float64" . }}{{ int64 . }}
{{- else if not (kindIs "invalid" .) }}{{ toString . }}
{{- end }}
{{- end }}

{{/* The settings that are no secrets: a map of texts. */}}
{{- define "polar-bridge.plain" -}}
{{- $settings := dict "LISTEN_ADDR" ":8080" "ADMIN_ADDR" (printf ":%d" (int .Values.adminService.port)) "SHUTDOWN_DELAY" (printf "%ds" (int .Values.shutdownDelaySeconds)) }}
{{- if eq .Values.database.type "sqlite" }}
{{- $_ := set $settings "DATABASE_URL" "sqlite:/data/polar-bridge.db" }}
{{- end }}
{{- range $name, $path := (.Files.Get "settings.yaml" | fromYaml).plain }}
{{- with include "polar-bridge.text" (include "polar-bridge.at" (list $.Values $path) | fromJson).value }}
{{- $_ := set $settings $name . }}
{{- end }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{/* The secrets in use: a map from the setting to the Secret, the key in it and, when the chart makes it, the value. */}}
{{- define "polar-bridge.secrets" -}}
{{- $secrets := dict }}
{{- range $name, $where := (.Files.Get "settings.yaml" | fromYaml).secrets }}
{{- $group := default dict (include "polar-bridge.at" (list $.Values $where.at) | fromJson).value }}
{{- $value := get $group $where.value }}
{{- if $group.existingSecret }}
{{- $_ := set $secrets $name (dict "secret" $group.existingSecret "key" (default $name $group.existingSecretKey)) }}
{{- else if $value }}
{{- $_ := set $secrets $name (dict "secret" (include "polar-bridge.fullname" $) "key" $name "value" $value) }}
{{- end }}
{{- end }}
{{- toYaml $secrets }}
{{- end }}

{{/* The operator's own variables, by name; Kubernetes' form, a list, is taken too. */}}
{{- define "polar-bridge.extraEnv" -}}
{{- $env := dict }}
{{- if kindIs "slice" .Values.extraEnv }}
{{- range .Values.extraEnv }}
{{- $_ := set $env .name (hasKey . "valueFrom" | ternary (pick . "valueFrom") .value) }}
{{- end }}
{{- else }}
{{- $env = default dict .Values.extraEnv }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{/* Whether a secret is given: a list of the root and the setting. What extraEnvFrom has only the cluster knows. */}}
{{- define "polar-bridge.given" -}}
{{- $env := include "polar-bridge.extraEnv" (index . 0) | fromYaml }}
{{- $name := index . 1 }}
{{- if or (hasKey (include "polar-bridge.secrets" (index . 0) | fromYaml) $name) (hasKey $env $name) (hasKey $env (printf "%s_FILE" $name)) (index . 0).Values.extraEnvFrom }}true{{ end }}
{{- end }}

{{/* The content of the Secret that the chart makes, if any. */}}
{{- define "polar-bridge.ownSecret" -}}
{{- range $name, $s := include "polar-bridge.secrets" . | fromYaml }}
{{- if $s.value }}
{{ $name }}: {{ $s.value | b64enc }}
{{- end }}
{{- end }}
{{- end }}

{{/* The container's variables, by name: where the secrets are, then what the operator adds. */}}
{{- define "polar-bridge.env" -}}
{{- $env := dict }}
{{- range $name, $s := include "polar-bridge.secrets" . | fromYaml }}
{{- $_ := set $env (printf "%s_FILE" $name) (dict "value" (printf "/etc/polar-bridge/%s" $name)) }}
{{- end }}
{{- $own := include "polar-bridge.extraEnv" . | fromYaml }}
{{- if or (hasKey $env "DATABASE_URL_FILE") (hasKey $own "DATABASE_URL_FILE") }}
{{- /* The image sets it, and the program refuses to choose between the two. */}}
{{- $_ := set $env "DATABASE_URL" (dict "value" "") }}
{{- end }}
{{- with include "polar-bridge.memoryLimit" . }}
{{- $_ := set $env "GOMEMLIMIT" (dict "value" .) }}
{{- end }}
{{- range $name, $value := $own }}
{{- $_ := set $env $name (kindIs "map" $value | ternary $value (dict "value" (include "polar-bridge.text" $value))) }}
{{- end }}
{{- range $name, $value := $env }}
- name: {{ $name }}
  {{- if hasKey $value "value" }}
  value: {{ tpl (toString $value.value) $ | quote }}
  {{- else }}
  {{- toYaml $value | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Nine tenths of the container's limit, when that is in Mi or Gi. */}}
{{- define "polar-bridge.memoryLimit" -}}
{{- $limit := toString (dig "limits" "memory" "" (default dict .Values.resources)) }}
{{- if regexMatch "^[0-9]+Mi$" $limit }}
{{- printf "%dMiB" (div (mul 9 (trimSuffix "Mi" $limit | int)) 10) }}
{{- else if regexMatch "^[0-9]+Gi$" $limit }}
{{- printf "%dMiB" (div (mul 9 1024 (trimSuffix "Gi" $limit | int)) 10) }}
{{- end }}
{{- end }}

{{/* The names of the webhook routes: the providers' keys. */}}
{{- define "polar-bridge.routes" -}}
{{- $routes := list }}
{{- range $name, $provider := .Values.providers }}
{{- if not (kindIs "invalid" $provider) }}{{ $routes = append $routes $name }}{{ end }}
{{- end }}
{{- toYaml $routes }}
{{- end }}
