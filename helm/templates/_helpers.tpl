{{- define "polar-bridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Room for the endings -headless and -test stays below Kubernetes' 63. */}}
{{- define "polar-bridge.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- $name = .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- $name = .Release.Name }}
{{- else }}
{{- $name = printf "%s-%s" .Release.Name $name }}
{{- end }}
{{- $name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "polar-bridge.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "polar-bridge.serviceAccountName" -}}
{{- default (ternary (include "polar-bridge.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{/* What selects the pods: it must never change, so it has no version. */}}
{{- define "polar-bridge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "polar-bridge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Those of helm test's pod, which no Service may select. */}}
{{- define "polar-bridge.testLabels" -}}
app.kubernetes.io/name: {{ include "polar-bridge.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "polar-bridge.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "polar-bridge.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: polar-bridge
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
metadata of an object: a list of the root, what is appended to the name, and
optionally its own labels, annotations and namespace.
*/}}
{{- define "polar-bridge.metadata" -}}
{{- $root := index . 0 }}
{{- $own := dict }}
{{- if gt (len .) 2 }}{{ $own = index . 2 }}{{ end -}}
name: {{ include "polar-bridge.fullname" $root }}{{ index . 1 }}
namespace: {{ default (include "polar-bridge.namespace" $root) $own.namespace }}
labels:
  {{- $labels := mergeOverwrite (include "polar-bridge.labels" $root | fromYaml) (default dict $own.labels) }}
  {{- toYaml $labels | nindent 2 }}
{{- with merge dict (default dict $own.annotations) (default dict $root.Values.commonAnnotations) }}
annotations:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
{{- end }}

{{- define "polar-bridge.image" -}}
{{- with .Values.image }}
{{- $registry := default .registry $.Values.global.imageRegistry }}
{{- $name := ternary .repository (printf "%s/%s" $registry .repository) (empty $registry) }}
{{- if .digest }}
{{- printf "%s@%s" $name .digest }}
{{- else }}
{{- printf "%s:%s" $name (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "polar-bridge.imagePullSecrets" -}}
{{- $names := list }}
{{- range concat (default list .Values.global.imagePullSecrets) (default list .Values.imagePullSecrets) }}
{{- $names = append $names (kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) "name") .) }}
{{- end }}
{{- with uniq $names }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "polar-bridge.scaled" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) }}true{{ end }}
{{- end }}

{{/* Requests and attempts under way may take 10 s and 12 s after the delay, and 5 s are for the rest. */}}
{{- define "polar-bridge.shortestGracePeriod" -}}
{{- add .Values.shutdownDelaySeconds 10 12 5 }}
{{- end }}

{{- define "polar-bridge.gracePeriod" -}}
{{- default (add (include "polar-bridge.shortestGracePeriod" .) 3) .Values.terminationGracePeriodSeconds | int }}
{{- end }}

{{/* The number of bytes that a size such as 2Gi is: Kubernetes gives back 2048Mi as 2Gi. */}}
{{- define "polar-bridge.bytes" -}}
{{- $factors := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- mulf (regexFind "^[0-9.]+" . | float64) (get $factors (regexFind "[A-Za-z]*$" .)) }}
{{- end }}
