{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- define "uex.name" -}}
{{- if contains "users-export" .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- else -}}{{ printf "%s-users-export" .Release.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "uex.selector" -}}
app.kubernetes.io/name: users-export
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "uex.labels" -}}
{{ include "uex.selector" . }}
app.kubernetes.io/part-of: users-export
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "uex.image" -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{- else -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{- end -}}
{{- end -}}

{{- /* Helm reads every number of a file as a floating one, and would write 1000000 as 1e+06. */ -}}
{{- define "uex.number" -}}
{{- if eq (float64 (int64 .)) . -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{- /* The configuration file. A value of `null` leaves a key out. */ -}}
{{- define "uex.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "shutdown" (merge (dict "timeout" (printf "%ds" (int .Values.shutdownSeconds))) ($config.shutdown | default dict)) -}}
{{- if $config.profile -}}
profile = {{ $config.profile }}
{{ end -}}
{{- range $section := keys (omit $config "profile") | sortAlpha -}}
[{{ $section }}]
{{ $values := index $config $section -}}
{{- range $key := keys $values | sortAlpha -}}
{{- $value := index $values $key -}}
{{- if not (kindIs "invalid" $value) -}}
{{ $key }} = {{ if kindIs "float64" $value }}{{ include "uex.number" $value }}{{ else }}{{ $value }}{{ end }}
{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "uex.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "uex.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* Arguments: root, user (of kafkaUsers). */ -}}
{{- define "uex.env" -}}
- name: EXPORT_CONFIG
  value: /etc/users-export/config/config.ini
- name: EXPORT_KAFKA_CLIENT_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- if .root.Values.kafkaUsers.enabled }}
{{- if eq .root.Values.strimzi.authentication "tls" }}
- name: EXPORT_KAFKA_SSL_CERTIFICATE_LOCATION
  value: /etc/users-export/kafka/user.crt
- name: EXPORT_KAFKA_SSL_KEY_LOCATION
  value: /etc/users-export/kafka/user.key
{{- else }}
- name: EXPORT_KAFKA_SASL_USERNAME
  value: {{ .user }}
- name: EXPORT_KAFKA_SASL_PASSWORD_FILE
  value: /etc/users-export/kafka/password
{{- end }}
{{- end }}
{{- range $name, $file := .root.Values.secrets.files }}
{{- if $file }}
- name: {{ $name }}
  value: /etc/users-export/secrets/{{ $file }}
{{- end }}
{{- end }}
- name: TMPDIR
  value: /tmp
{{- end -}}

{{- define "uex.mounts" -}}
- name: config
  mountPath: /etc/users-export/config
  readOnly: true
- name: secrets
  mountPath: /etc/users-export/secrets
  readOnly: true
{{- if .Values.kafkaUsers.enabled }}
- name: kafka
  mountPath: /etc/users-export/kafka
  readOnly: true
{{- end }}
{{- if .Values.tls }}
- name: tls
  mountPath: /etc/users-export/tls
  readOnly: true
{{- end }}
- name: tmp
  mountPath: /tmp
{{- end -}}

{{- /* Arguments: root, user, spool. */ -}}
{{- define "uex.volumes" -}}
{{- $values := .root.Values -}}
- name: config
  configMap:
    name: {{ include "uex.name" .root }}-config
- name: secrets
  {{- if eq $values.secrets.mode "csi" }}
  csi:
    driver: secrets-store.csi.k8s.io
    readOnly: true
    volumeAttributes:
      secretProviderClass: {{ $values.secrets.name }}
  {{- else }}
  secret:
    secretName: {{ $values.secrets.name }}
    defaultMode: 0440
  {{- end }}
{{- if $values.kafkaUsers.enabled }}
- name: kafka
  secret:
    secretName: {{ .user }}
    defaultMode: 0440
{{- end }}
{{- if $values.tls }}
- name: tls
  projected:
    defaultMode: 0440
    sources:
      {{- range $secret, $items := $values.tls }}
      - secret:
          name: {{ $secret }}
          items:
            {{- range $key, $path := $items }}
            - key: {{ $key }}
              path: {{ $path }}
            {{- end }}
      {{- end }}
{{- end }}
- name: tmp
  emptyDir:
    {{- if .spool.medium }}
    medium: {{ .spool.medium }}
    {{- end }}
    sizeLimit: {{ .spool.sizeLimit }}
{{- end -}}

{{- define "uex.metricsPort" -}}
{{- splitList ":" (.Values.config.http.listen | default "0.0.0.0:9464") | last -}}
{{- end -}}

{{- define "uex.tiers" -}}
{{- $delays := .Values.config.retry.delays | default "30s,5m,30m" -}}
{{- len (splitList "," $delays) -}}
{{- end -}}
