{{- define "glimmer.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "glimmer.selector" -}}
app.kubernetes.io/name: glimmer
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "glimmer.labels" -}}
{{ include "glimmer.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
