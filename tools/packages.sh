#!/bin/bash
# Installs the Debian packages that are missing, without starting or enabling any service they bring.
#
# Usage: packages.sh run|dev|test|bench|deploy|kernels|demo
# As root it installs; as anyone else it says what is missing. A package that cannot be had is a warning: what needs
# it says so itself (a test skips with the reason), and Python itself is looked for by python.sh.
set -eu

purpose=$1

# package, and what shows that it is there: a command, or a Python module of the distribution's python3
wanted="
python3                     command:python3
python3-venv                module:ensurepip
ca-certificates             file:/etc/ssl/certs/ca-certificates.crt
"
headers=linux-headers-$(dpkg --print-architecture 2> /dev/null || echo amd64)  # bpf/headers.py says the same
if grep -qsE '^ID(_LIKE)?=.*ubuntu' /etc/os-release; then headers=linux-headers-generic; fi
# The toolkit of the BPF tracers; large, so a machine that only runs tests of the other parts goes without it.
bpf="
python3-bpfcc               module:bcc
$headers glob:/usr/src/linux-headers-*
"
tests="
git                         command:git
curl                        command:curl
iproute2                    command:ip
procps                      command:ps
util-linux                  command:setpriv
libcap2-bin                 command:capsh
bpftool                     command:bpftool
python3-fusepy              module:fusepy
nftables                    command:nft
openssl                     command:openssl
shellcheck                  command:shellcheck
systemd                     command:systemd-analyze
prometheus                  command:promtool
prometheus-node-exporter    command:prometheus-node-exporter
prometheus-process-exporter command:prometheus-process-exporter
chromium                    command:chromium
openvswitch-switch          command:ovs-vswitchd
mariadb-server              glob:/usr/share/mysql/*_system_tables.sql
python3-mysqldb             module:MySQLdb
postgresql                  glob:/usr/lib/postgresql/*/bin/postgres
rabbitmq-server             file:/usr/lib/rabbitmq/bin/rabbitmq-server
apache2-bin                 command:apache2
nginx                       command:nginx
uwsgi-core                  command:uwsgi-core
uwsgi-plugin-python3        file:/usr/lib/uwsgi/plugins/python3_plugin.so
"
benches="
golang-go                   command:go
"
deploys="
npm                         command:npm
mmdebstrap                  command:mmdebstrap
golang-go                   command:go
"
demos="
npm                         command:npm
util-linux                  command:setpriv
prometheus                  command:promtool
mariadb-server              glob:/usr/share/mysql/*_system_tables.sql
rabbitmq-server             file:/usr/lib/rabbitmq/bin/rabbitmq-server
"
kernels="
qemu-system-x86             command:qemu-system-x86_64
"
case $purpose in
    run) wanted="$wanted$bpf" ;;
    dev) ;;
    test) wanted="$wanted$bpf$tests" ;;
    bench) wanted="$wanted$bpf$tests$benches" ;;
    deploy) wanted="$wanted$bpf$tests$deploys" ;;
    kernels) wanted="$wanted$bpf$tests$kernels" ;;
    demo) wanted="$wanted$bpf$demos" ;;
    *) echo "packages.sh: run, dev, test, bench, deploy, kernels or demo, not $purpose" >&2; exit 2 ;;
esac

PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin

is_there() {
    case $1 in
        command:*) command -v "${1#command:}" > /dev/null ;;
        module:*) /usr/bin/python3 -c "import ${1#module:}" 2> /dev/null ;;
        glob:*) compgen -G "${1#glob:}" > /dev/null ;;
        file:*) test -e "${1#file:}" ;;
    esac
}

missing=
while read -r package sign; do
    if [ -n "$package" ] && ! is_there "$sign"; then
        missing="$missing $package"
    fi
done <<< "$wanted"

[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "not installed, because this is not root:$missing   (sudo apt-get install$missing)" >&2
    exit 0
fi
if ! command -v apt-get > /dev/null; then
    echo "no apt-get here; please install what corresponds to:$missing" >&2
    exit 0
fi

log=$(mktemp)
ours=
trap 'rm -f "$log"; [ -z "$ours" ] || rm -f "$policy"' EXIT

# dpkg asks this program whether a service may be started; 101 says no. One that is there already is the host's own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive

# What apt says matters only when it fails.
apt() { apt-get -qq "$@" > "$log" 2>&1 || { tail -n 5 "$log" >&2; return 1; }; }

echo "installing:$missing"
apt update || echo "apt-get update failed; trying with the lists that are there" >&2
available=
for package in $missing; do
    if apt-cache show "$package" > /dev/null 2>&1; then
        available="$available $package"
    else
        echo "$package is not to be had from the configured sources" >&2
    fi
done
if [ -n "$available" ]; then
    # shellcheck disable=SC2086  # words are meant
    if ! apt install -y --no-install-recommends $available; then
        echo "apt-get could not install all of:$available; one by one" >&2
        for package in $available; do
            apt install -y --no-install-recommends "$package" || echo "without $package" >&2
        done
    fi
    # They are here for tests, which start them on ports of their own; at the next boot nothing should run.
    for package in prometheus prometheus-node-exporter prometheus-process-exporter openvswitch-switch \
        mariadb-server postgresql rabbitmq-server nginx; do
        unit=$package
        [ "$package" != mariadb-server ] || unit=mariadb
        case "$available " in
            *" $package "*) systemctl disable --quiet "$unit.service" 2> /dev/null || true ;;
        esac
    done
    case "$available " in  # Erlang's own, which comes along
        *" rabbitmq-server "*) systemctl disable --quiet epmd.service epmd.socket 2> /dev/null || true ;;
    esac
fi
