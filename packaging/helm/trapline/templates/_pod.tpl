{{- define "trapline.name" -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- end }}

{{- define "trapline.selector" -}}
app.kubernetes.io/name: trapline
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "trapline.labels" -}}
{{ include "trapline.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{- define "trapline.image" -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{- end }}

{{- define "trapline.spool" -}}{{ if .Values.persistence.enabled }}disk{{ else }}memory{{ end }}{{- end }}

{{- /* Every setting by the environment; an option's name sasl.username is KAFKA__OPTIONS__SASL_USERNAME. */ -}}
{{- define "trapline.environment" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
- name: TRAPLINE_AGENT__ID
  value: {{ if eq .Values.mode "daemonset" }}$(NODE_NAME){{ else }}$(POD_NAME){{ end }}
- name: TRAPLINE_KAFKA__BOOTSTRAP_SERVERS
  value: {{ .Values.kafka.bootstrapServers | quote }}
- name: TRAPLINE_SPOOL__KIND
  value: {{ include "trapline.spool" . }}
{{- if .Values.persistence.enabled }}
- name: TRAPLINE_SPOOL__BYTES_MAX
  value: {{ .Values.persistence.spoolBytesMax | quote }}
- name: TRAPLINE_SPOOL__FREE_BYTES_MIN
  value: "256 MiB"
{{- end }}
- name: TRAPLINE_STATUS__BIND
  value: "[::]:9514"
{{- range $name, $value := .Values.kafka.options }}
- name: TRAPLINE_KAFKA__OPTIONS__{{ $name | upper | replace "." "_" }}
  value: {{ $value | quote }}
{{- end }}
{{- if .Values.kafka.passwordSecret }}
- name: TRAPLINE_KAFKA__OPTIONS__SASL_PASSWORD_FILE
  value: /run/secrets/trapline/password
{{- end }}
{{- if .Values.kafka.caSecret }}
- name: TRAPLINE_KAFKA__OPTIONS__SSL_CA_LOCATION
  value: /run/secrets/trapline-ca/ca.crt
{{- end }}
{{- if .Values.identity.inventory }}
- name: TRAPLINE_IDENTITY__INVENTORY_FILE
  value: /run/inventory/inventory.csv
{{- end }}
{{- with .Values.identity.relays }}
- name: TRAPLINE_IDENTITY__RELAYS
  value: {{ join "," . | quote }}
{{- end }}
{{- if .Values.storm.eventsPerSecond }}
- name: TRAPLINE_STORM__EVENTS_PER_SECOND
  value: {{ .Values.storm.eventsPerSecond | quote }}
- name: TRAPLINE_STORM__BURST
  value: {{ .Values.storm.burst | quote }}
{{- end }}
{{- range $name, $value := .Values.environment }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "trapline.pod" -}}
metadata:
  labels:
    {{- include "trapline.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    checksum/config: {{ .Values.config | sha256sum }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  automountServiceAccountToken: false
  # The names of Services beside it would otherwise become variables that begin with TRAPLINE_.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    # Volumes become writable for this group.
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: trapline
      image: {{ include "trapline.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      env: {{- include "trapline.environment" . | nindent 8 }}
      ports:
        {{- range .Values.ports }}
        - name: {{ .name }}
          protocol: {{ .protocol }}
          containerPort: {{ .containerPort }}
          {{- if and (eq $.Values.mode "daemonset") $.Values.hostPorts }}
          hostPort: {{ .port }}
          {{- end }}
        {{- end }}
        - {name: status, protocol: TCP, containerPort: 9514}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      # A disk spool is read once at the start, which takes time where it is large.
      startupProbe:
        httpGet: {path: /healthz, port: status}
        periodSeconds: 2
        failureThreshold: 60
      # Its threads move. A Kafka that is away is no reason to restart: events wait in the spool.
      livenessProbe:
        httpGet: {path: /healthz, port: status}
        periodSeconds: 10
        failureThreshold: 6
      # Listeners are bound and an event can be kept.
      readinessProbe:
        httpGet: {path: /readyz, port: status}
        periodSeconds: 5
      resources: {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - {name: run, mountPath: /run/trapline}
        - {name: {{ if .Values.persistence.enabled }}spool{{ else }}state{{ end }}, mountPath: /var/lib/trapline}
        {{- if .Values.identity.inventory }}
        - {name: inventory, mountPath: /run/inventory, readOnly: true}
        {{- end }}
        {{- range .Values.secrets }}
        - {name: secret-{{ . | replace "." "-" }}, mountPath: /run/secrets/{{ . }}, readOnly: true}
        {{- end }}
        {{- if .Values.config }}
        - {name: config, mountPath: /etc/trapline, readOnly: true}
        {{- end }}
        {{- if .Values.kafka.passwordSecret }}
        - {name: password, mountPath: /run/secrets/trapline, readOnly: true}
        {{- end }}
        {{- if .Values.kafka.caSecret }}
        - {name: ca, mountPath: /run/secrets/trapline-ca, readOnly: true}
        {{- end }}
  volumes:
    - name: run
      emptyDir: {medium: Memory, sizeLimit: 1Mi}
    {{- if and .Values.persistence.enabled (eq .Values.mode "daemonset") }}
    - name: spool
      hostPath: {path: {{ .Values.persistence.hostPath | quote }}, type: Directory}
    {{- end }}
    {{- if not .Values.persistence.enabled }}
    # What is learned of devices, as long as the pod lives.
    - name: state
      emptyDir: {sizeLimit: 64Mi}
    {{- end }}
    {{- if .Values.config }}
    - name: config
      configMap: {name: {{ include "trapline.name" . }}, items: [{key: trapline.toml, path: trapline.toml}]}
    {{- end }}
    {{- if .Values.identity.inventory }}
    - name: inventory
      configMap: {name: {{ include "trapline.name" . }}, items: [{key: inventory.csv, path: inventory.csv}]}
    {{- end }}
    {{- range .Values.secrets }}
    - name: secret-{{ . | replace "." "-" }}
      secret: {secretName: {{ . | quote }}, defaultMode: 0440}
    {{- end }}
    {{- with .Values.kafka.passwordSecret }}
    - name: password
      secret: {secretName: {{ . | quote }}, defaultMode: 0440, items: [{key: password, path: password}]}
    {{- end }}
    {{- with .Values.kafka.caSecret }}
    - name: ca
      secret: {secretName: {{ . | quote }}, items: [{key: ca.crt, path: ca.crt}]}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
