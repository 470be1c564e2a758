{{/* The pod of both shapes, from its metadata on. */}}
{{- define "polar-bridge.pod" -}}
{{- $sqlite := eq .Values.database.type "sqlite" }}
{{- $secrets := include "polar-bridge.secrets" . | fromYaml -}}
metadata:
  labels:
    {{- /* Without helm.sh/chart: another version of the chart alone is no reason for another pod. */}}
    {{- mergeOverwrite (omit (include "polar-bridge.labels" . | fromYaml) "helm.sh/chart") (tpl (toYaml .Values.podLabels) . | fromYaml) (include "polar-bridge.selectorLabels" . | fromYaml) | toYaml | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: polar-bridge
    {{- /* Both are read at start only. Secrets of others are read again when they change. */}}
    checksum/config: {{ include "polar-bridge.plain" . | sha256sum }}
    {{- with include "polar-bridge.ownSecret" . }}
    checksum/secret: {{ sha256sum . }}
    {{- end }}
    {{- with merge dict (default dict .Values.podAnnotations) (default dict .Values.commonAnnotations) }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "polar-bridge.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with include "polar-bridge.imagePullSecrets" . }}
  {{- nindent 2 . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ include "polar-bridge.gracePeriod" . }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  containers:
    - name: polar-bridge
      image: {{ include "polar-bridge.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve]
      securityContext:
        {{- toYaml .Values.containerSecurityContext | nindent 8 }}
      ports:
        - {name: http, containerPort: 8080, protocol: TCP}
        - {name: admin, containerPort: {{ .Values.adminService.port }}, protocol: TCP}
      envFrom:
        - configMapRef:
            name: {{ include "polar-bridge.fullname" . }}
        {{- with .Values.extraEnvFrom }}
        {{- tpl (toYaml .) $ | nindent 8 }}
        {{- end }}
      env:
        {{- include "polar-bridge.env" . | trim | nindent 8 }}
      startupProbe:
        {{- toYaml .Values.startupProbe | nindent 8 }}
      livenessProbe:
        {{- toYaml .Values.livenessProbe | nindent 8 }}
      readinessProbe:
        {{- toYaml .Values.readinessProbe | nindent 8 }}
      {{- with .Values.lifecycle }}
      lifecycle:
        {{- tpl (toYaml .) $ | nindent 8 }}
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if $secrets }}
        - {name: secrets, mountPath: /etc/polar-bridge, readOnly: true}
        {{- end }}
        {{- if $sqlite }}
        - {name: data, mountPath: /data}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- tpl (toYaml .) $ | nindent 8 }}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    {{- if $secrets }}
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- range $name, $s := $secrets }}
          - secret:
              name: {{ tpl $s.secret $ }}
              items:
                - {key: {{ $s.key | quote }}, path: {{ $name }}}
          {{- end }}
    {{- end }}
    {{- if $sqlite }}
    {{- if not .Values.persistence.enabled }}
    - name: data
      emptyDir: {}
    {{- else if .Values.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ tpl .Values.persistence.existingClaim . }}
    {{- end }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{ toYaml (merge dict . (dict "labelSelector" (dict "matchLabels" (include "polar-bridge.selectorLabels" $ | fromYaml)))) | nindent 6 | trim }}
    {{- end }}
  {{- end }}
  {{- range $key := list "affinity" "nodeSelector" "tolerations" "dnsConfig" "hostAliases" }}
  {{- with get $.Values $key }}
  {{ $key }}:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- range $key := list "dnsPolicy" "priorityClassName" "runtimeClassName" }}
  {{- with get $.Values $key }}
  {{ $key }}: {{ . }}
  {{- end }}
  {{- end }}
{{- end }}
