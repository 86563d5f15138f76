{{- define "sluice.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The metadata of an object: of the chart's values, and of what its name ends in. */}}
{{- define "sluice.metadata" -}}
{{- $suffix := index . 1 }}
{{- with index . 0 -}}
name: {{ include "sluice.name" . }}{{ $suffix }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "sluice.selector" . | nindent 2 }}
  app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | replace "+" "_" | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
{{- end }}

{{- define "sluice.health" -}}
command:
  - /usr/bin/sluice
  - health
{{- with .Values.admin.tokenKey }}
  - --token-file=/etc/sluice/secrets/{{ . }}
{{- end }}
{{- end }}

{{/* A ConfigMap has no folders, so that lists/a.txt is in it as lists__a.txt. */}}
{{- define "sluice.policies" -}}
{{ .Values.existingPolicies | default (printf "%s-policies" (include "sluice.name" .)) }}
{{- end }}

{{- define "sluice.config" -}}
listen: 0.0.0.0:8080
admin: 0.0.0.0:9080
policies: /etc/sluice/policies
{{ toYaml .Values.config }}
{{- end }}
