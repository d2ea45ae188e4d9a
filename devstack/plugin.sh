#!/bin/bash
# devstack's plugin: installs the agent, and starts it before the services that it traces.
#
# In local.conf:
#   enable_plugin scalpels-exporter URL-OF-THIS-REPOSITORY
#
# devstack calls it with MODE and PHASE; functions such as run_process are devstack's own.

function install_scalpels {
    if is_ubuntu; then
        install_package python3-venv python3-bpfcc "linux-headers-$(uname -r)"
    else
        install_package python3-bcc kernel-devel
    fi
    # A venv of its own: with the distribution's packages and without OpenStack's pins.
    "$SCALPELS_PYTHON" -m venv --system-site-packages "$SCALPELS_VENV"
    "$SCALPELS_VENV/bin/pip" install --quiet "$SCALPELS_DIR"
}

function configure_scalpels {
    # The agent takes a file from root alone where it names tracers of its own.
    sudo install -d -m 755 "$(dirname "$SCALPELS_CONF")"
    printf 'tracers: %s\n' "$SCALPELS_TRACERS" | sudo tee "$SCALPELS_CONF" > /dev/null
    "$SCALPELS_VENV/bin/scalpels" check --config.file="$SCALPELS_CONF"
}

function start_scalpels {
    run_process scalpels "$SCALPELS_VENV/bin/scalpels agent --config.file=$SCALPELS_CONF --web.listen-address=$SCALPELS_LISTEN" root root
    if ! wait_for_service "$SERVICE_TIMEOUT" "http://$SCALPELS_LISTEN/-/ready"; then
        die $LINENO "scalpels-exporter is not ready: journalctl --unit devstack@scalpels"
    fi
}

function stop_scalpels {
    stop_process scalpels
}

function cleanup_scalpels {
    sudo rm -rf "$SCALPELS_VENV" "$SCALPELS_CONF"
}

if is_service_enabled scalpels; then
    case $1/${2:-} in
        stack/install)
            echo_summary "Installing scalpels-exporter"
            install_scalpels
            ;;
        stack/post-config)
            echo_summary "Configuring and starting scalpels-exporter"
            configure_scalpels
            start_scalpels
            ;;
        unstack/*)
            stop_scalpels
            ;;
        clean/*)
            cleanup_scalpels
            ;;
    esac
fi
