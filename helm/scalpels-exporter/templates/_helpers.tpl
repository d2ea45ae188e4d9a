{{/* The name of all that the chart makes. */}}
{{- define "scalpels.name" -}}
{{- $own := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- .Values.fullnameOverride | default $own | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "scalpels.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "scalpels.labels" -}}
{{ include "scalpels.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "scalpels.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "scalpels.name" .) "default" .Values.serviceAccount.create) -}}
{{- end }}

{{- define "scalpels.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end }}

{{/*
The capabilities of the tracers that the configuration has on, as a list in YAML. files/tracers.yaml has them from the
tracers' declarations (make update): of each one with all that it needs beside it.
*/}}
{{- define "scalpels.capabilities" -}}
{{- $table := .Files.Get "files/tracers.yaml" | fromYaml -}}
{{- $chosen := (.Values.config | default dict).tracers | default dict -}}
{{- $wanted := concat $table.agent .Values.extraCapabilities -}}
{{- range $name, $tracer := $table.tracers -}}
  {{- $on := $tracer.default -}}
  {{- if hasKey $chosen $name -}}
    {{- $on = get $chosen $name -}}
    {{- if kindIs "map" $on -}}{{- $on = dig "default" true $on -}}{{- end -}}
  {{- end -}}
  {{- if not (has (toString $on) (list "false" "off")) -}}
    {{- $wanted = concat $wanted $tracer.capabilities -}}
    {{- if and $.Values.measureCost $tracer.measures -}}{{- $wanted = append $wanted "SYS_ADMIN" -}}{{- end -}}
    {{- range $tracer.switches -}}
      {{- $owner := get $chosen .tracer -}}
      {{- if kindIs "map" $owner -}}
        {{- if has (toString (get $owner .switch)) (list "true" "on") -}}{{- $wanted = concat $wanted .capabilities -}}{{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $wanted | uniq | sortAlpha | toYaml -}}
{{- end }}

{{/*
How the kubelet asks. A web configuration may want a password or a certificate, which the kubelet has not: then over
the control socket, which wants neither.
*/}}
{{- define "scalpels.probe" -}}
{{- $root := first . -}}
{{- if $root.Values.webConfig.secretName -}}
exec:
  command:
    - setpriv  # the socket is the agent's user's alone
    - --reuid=scalpels
    - --regid=scalpels
    - --clear-groups
    - curl
    - -fsS
    - --max-time
    - "5"
    - --unix-socket
    - /run/scalpels/agent.sock
    - http://localhost/-/{{ last . }}
{{- else -}}
httpGet: {path: /-/{{ last . }}, port: metrics}
{{- end -}}
{{- end }}
