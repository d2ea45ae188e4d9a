"""The built-in rules, in the order in which they are tried; a user's own go before them. Data, and how it is written.

What counts is what runs, the first word of a command line (behind `python3` the script), so that an editor or a
`tail -f` of a service's files is not taken for the service. Names are those of the services, not of their packages.

There is no rule for any Python script or any systemd unit: each name costs series in every tracer. Whoever wants
one writes it: `{name: '\\1', unit: '^(.+)[.]service$'}`. Only what is a service by its nature is named after itself:
what uWSGI, mod_wsgi, gunicorn, uvicorn and hypercorn serve, and Prometheus exporters.
"""

from __future__ import annotations

import re

from scalpels_exporter.programs.rules import Rule

_OPENSTACK = (
    "nova|neutron|keystone|glance|cinder|placement|heat|swift|ironic|octavia|barbican|designate|manila|magnum|trove|"
    "aodh|gnocchi|ceilometer|masakari|watcher|mistral|senlin|zun|blazar|cloudkitty|horizon|tacker|vitrage|freezer|"
    "sahara|murano|cyborg|adjutant|monasca|zaqar|panko|congress|skyline|storlets|solum|amphora"
)

# ---------------------------------------------------------------------------- parts of patterns

_FOLDER = r"(?:\S*/)?"  # /usr/bin/, /var/lib/kolla/venv/bin/, nothing
_END = r"(?=[ :]|$)"
# An interpreter and its flags; those with a value (-X dev, -W ignore) take it along. Behind -c and -m is no script.
_PYTHON = rf"{_FOLDER}(?:platform-)?python[0-9.]*(?: -[XW] ?\S+| -[^cmXW\s]\S*)* "
_SCRIPT = rf"^(?:{_PYTHON})?{_FOLDER}"  # a program by itself, or a script run by Python
_UWSGI = rf"^{_FOLDER}uwsgi(?:[-_]python[0-9]*|-core)? "
_GUNICORN = (
    rf"{_SCRIPT}(?:gunicorn[0-9]*|uvicorn|hypercorn|daphne) |^{_PYTHON}-m (?:gunicorn|uvicorn|hypercorn|daphne) "
)
_NO_NAME = r"(?:main|app|wsgi|asgi|server|application|api|run)"  # of a module: says nothing about the service


def _rule(name: str, cmdline: str) -> Rule:
    return Rule(name, re.compile(cmdline))


def _runs(words: str, name: str = r"\1") -> Rule:
    """Programs named after themselves, or all given one name."""
    group = "(" if name == r"\1" else "(?:"
    return _rule(name, rf"^{_FOLDER}{group}{'|'.join(words.split())}){_END}")


# ---------------------------------------------------------------------------- OpenStack

_PRIVSEP = (
    # Started by rootwrap or sudo on behalf of a service, which its configuration file tells.
    _rule(r"\1-privsep", rf"{_SCRIPT}(?:sudo (?:.* )?{_FOLDER})?privsep-helper .*?/etc/({_OPENSTACK})/"),
    _rule(
        r"\1-privsep", rf"{_SCRIPT}(?:sudo (?:.* )?{_FOLDER})?privsep-helper .*--privsep_context[ =]({_OPENSTACK})\."
    ),
    _rule("privsep-helper", rf"{_SCRIPT}(?:sudo (?:.* )?{_FOLDER})?privsep-helper{_END}"),
)

_SERVICES = (
    # nova-compute, neutron-server: rpc worker (…), octavia-worker: master process [...], swift-object-server.
    _rule(r"\1", rf"{_SCRIPT}((?:{_OPENSTACK})-[a-z0-9-]*[a-z0-9]){_END}"),
    _rule(r"\1-\2", rf"^{_PYTHON}-m ({_OPENSTACK})\.cmd\.([a-z0-9]+){_END}"),
    _rule("keystone", rf"^keystone{_END}"),  # a daemon process named by display-name=keystone
    _rule("placement-api", r"^placement(?=[ :]|uWSGI|$)"),
    _rule(r"\1", rf"^{_FOLDER}sudo (?:-\S+ )*{_FOLDER}((?:{_OPENSTACK})-rootwrap(?:-daemon)?){_END}"),
)

_WSGI = (
    # mod_wsgi writes `(wsgi:GROUP)` over its first argument, cut to that one's length.
    _rule("keystone-public", r"^\(wsgi:keystone[-_]p"),
    _rule("keystone-admin", r"^\(wsgi:keystone[-_]a"),
    _rule("placement-api", r"^\(wsgi:placement"),
    _rule("nova-metadata", r"^\(wsgi:nova[-_](?:api[-_])?m"),
    _rule("cinder-api", r"^\(wsgi:osapi[-_]vol"),
    _rule("heat-api-cfn", r"^\(wsgi:heat[-_]api[-_]c"),
    _rule("horizon", r"^\(wsgi:horizon"),
    _rule(r"\1-api", rf"^\(wsgi:({_OPENSTACK})(?:[-_](?:w|ws|wsg|wsgi|a|ap|api|wsgi[-_]api))?(?=[) ]|$)"),
    _rule(r"\1", r"^\(wsgi:([\w.-]+)"),
    # uWSGI's own titles: `nova-apiuWSGI worker 1` with procname-prefix, `billing uWSGI master` with -spaced.
    _rule(r"\1", r"^([\w.-]+?) ?uWSGI (?:master|worker|http|https|cheaper|spooler|mule|emperor|fastrouter)"),
    _rule("uwsgi", r"^uWSGI (?:master|worker|http|https|cheaper|spooler|mule|emperor|fastrouter)"),
    _rule(r"\1", rf"{_UWSGI}.*--(?:auto-)?procname-prefix(?:-spaced)?[ =]([\w.-]+)"),
    _rule(r"\1-\2", rf"{_UWSGI}.*?/([\w.-]+)-uwsgi-([\w-]+)\.ini{_END}"),  # keystone-uwsgi-public.ini
    _rule(r"\1", rf"{_UWSGI}(?:.*?[ =/])?([\w.-]+?)(?:[-_]uwsgi)?\.(?:ini|ya?ml|xml|json){_END}"),
    _rule(r"\1-\2", rf"{_UWSGI}.*?/({_OPENSTACK})-wsgi-([\w-]+){_END}"),  # --wsgi-file …/keystone-wsgi-public
    _rule(r"\1", rf"{_UWSGI}.*?/((?:{_OPENSTACK})[\w-]*?)(?:-wsgi)?{_END}"),
    _rule("uwsgi", rf"{_UWSGI[:-1]}{_END}"),
)

_APPLICATIONS = (
    _rule(r"\1", rf"^(?:gunicorn|uvicorn): (?:master|worker) \[(?!{_NO_NAME}[\].:])([\w-]+)"),
    _rule(
        r"\1", rf"(?:{_GUNICORN})(?:.* )?(?!{_NO_NAME}[.:])([A-Za-z][\w-]*)(?:\.\w+)*:[A-Za-z_]\w*(?:\(\S*\))?(?= |$)"
    ),
    _rule("gunicorn", rf"^gunicorn: |{_SCRIPT}gunicorn[0-9]*{_END}|^{_PYTHON}-m gunicorn{_END}"),
    _rule("uvicorn", rf"{_SCRIPT}uvicorn{_END}|^{_PYTHON}-m uvicorn{_END}"),
)

# ---------------------------------------------------------------------------- everything else

_SCALPELS = _rule("scalpels", rf"{_SCRIPT}scalpels(?:-exporter)?{_END}|^{_PYTHON}-m scalpels_exporter")

_BINARIES = (
    # Programs that go by their own name. One pattern: a process that is none of them is asked once.
    _runs(
        # databases
        "mariadbd mysqld postgres redis-server redis-sentinel valkey-server memcached mongod mongos etcd influxd "
        "clickhouse-server valkey-sentinel mysqlrouter pgbouncer proxysql maxscale garbd cockroach "
        # brokers
        "epmd erl_child_setup inet_gethost qpidd qdrouterd mosquitto nats-server "
        # virtual machines
        "libvirtd virtqemud virtlogd virtlockd virtnetworkd virtnodedevd virtproxyd virtsecretd virtstoraged "
        "virtnwfilterd virtinterfaced virtiofsd swtpm qemu-ga qemu-nbd qemu-pr-helper "
        # networks
        "ovs-vswitchd ovsdb-server ovsdb-client ovn-northd ovn-controller ovn-controller-vtep ovn-ic dnsmasq radvd "
        "haproxy keepalived nginx apache2 httpd envoy traefik varnishd squid conntrackd named unbound pdns_server "
        "zebra bgpd bfdd ospfd ospf6d staticd watchfrr bird openvpn charon frr mgmtd "
        # storage
        "ceph-osd ceph-mon ceph-mgr ceph-mds ceph-fuse ceph-exporter cephfs-mirror radosgw rbd-mirror rbd-nbd "
        "tcmu-runner glusterd glusterfsd glusterfs minio tgtd iscsid multipathd smbd "
        # clusters
        "corosync pacemakerd pacemaker-based pacemaker-controld pacemaker-execd pacemaker-fenced pacemaker-attrd "
        "pacemaker-schedulerd pacemaker-remoted consul vault nomad "
        # Kubernetes and containers
        "kubelet kube-apiserver kube-controller-manager kube-scheduler kube-proxy kube-vip kube-state-metrics "
        "kube-rbac-proxy metrics-server coredns containerd dockerd docker-proxy crio conmon podman buildkitd flanneld "
        "calico-node calico-felix calico-kube-controllers calico-typha cilium-agent cilium-operator k3s rke2 "
        "nginx-ingress-controller kube-router csi-[a-z-]+ cephcsi "
        # the machine
        "systemd-[a-z]+ dbus-daemon dbus-broker polkitd NetworkManager chronyd ntpd rsyslogd syslog-ng cron crond "
        "agetty auditd irqbalance sshd atd exim4 snapd udisksd lldpd acpid rpcbind smartd thermald "
        "snmpd in.tftpd dmeventd sssd gssproxy ptp4l phc2sys "
        # watching
        "prometheus alertmanager pushgateway loki promtail telegraf collectd fluent-bit filebeat metricbeat vector "
        "netdata zabbix_agentd zabbix_agent2 zabbix_server otelcol otelcol-contrib jaeger "
        "victoria-metrics vmagent thanos"
    ),
    _runs("sshd-session sshd-auth", "sshd"),
    _runs(r"qemu-system-\w+ qemu-kvm kvm", "qemu"),
    _runs(r"containerd-shim(?:-\w+)*", "containerd-shim"),
    _rule("pause", r"^/pause$"),  # holds the namespaces of a pod
    _runs("grafana grafana-server", "grafana"),
    _runs(r"(?:prometheus-)?node[-_]exporter", "node_exporter"),
    _runs(r"(?:prometheus-)?[a-z0-9_-]+[-_]exporter"),
    _runs("systemd", "systemd"),
    Rule("systemd", exe=re.compile(r"/systemd$")),  # /sbin/init and (sd-pam)
)

_INTERPRETED = (
    # Programs behind a runtime, told by its arguments.
    _rule("rabbitmq", rf"^{_FOLDER}beam(?:\.smp)? .*rabbit"),
    _rule("zookeeper", rf"^{_FOLDER}java .*zookeeper[^ ]*\.QuorumPeerMain"),
    _rule("kafka", rf"^{_FOLDER}java .*(?:\bkafka\.Kafka\b|-Dkafka\.logs\.dir=)"),
    _rule("elasticsearch", rf"^{_FOLDER}java .*(?:org\.elasticsearch\.|-Des\.path\.home=)"),
    _rule("opensearch", rf"^{_FOLDER}java .*(?:org\.opensearch\.|-Dopensearch\.path\.home=)"),
    _rule("cassandra", rf"^{_FOLDER}java .*(?:org\.apache\.cassandra\.|-Dcassandra\.logdir=)"),
    _rule(r"\1", rf"^{_FOLDER}ruby[0-9.]* {_FOLDER}(fluentd|td-agent|puppet){_END}"),
    _rule(
        r"\1",
        rf"{_SCRIPT}(ovn-[a-z-]+-agent|patroni|ceph-crash|supervisord|salt-minion|fail2ban-server|tuned|firewalld){_END}",
    ),
    _rule("celery", rf"{_SCRIPT}celery{_END}|^{_PYTHON}-m celery{_END}|^\[celeryd:"),
)

KNOWN: tuple[Rule, ...] = (
    *_PRIVSEP,
    *_SERVICES,
    *_WSGI,
    *_APPLICATIONS,
    _SCALPELS,
    *_BINARIES,
    *_INTERPRETED,
)
