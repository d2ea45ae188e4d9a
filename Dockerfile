# The agent for nodes whose programs are elsewhere: in containers of their own, or on the node itself. It needs the node's
# process numbers and some capabilities; helm/scalpels-exporter gives exactly those. With Docker alone:
#
#   docker run -d --pid=host --network=host --read-only --tmpfs /run/scalpels --cap-drop=ALL \
#     --cap-add={BPF,CHOWN,DAC_READ_SEARCH,KILL,PERFMON,SETGID,SETPCAP,SETUID,SYS_PTRACE} --security-opt no-new-privileges \
#     --security-opt apparmor=unconfined -v /sys/kernel/tracing:/sys/kernel/tracing:ro scalpels-exporter

FROM debian:12-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv
COPY . /src
# With the distribution's packages, because bcc is there and nowhere else.
RUN python3 -m venv --system-site-packages /opt/scalpels-exporter \
    && /opt/scalpels-exporter/bin/pip install --no-cache-dir --disable-pip-version-check /src

FROM debian:12-slim
# Any kernel headers serve any node's kernel: they give types alone, and structures are read by the node's own BTF.
# curl asks the control socket, for probes; nftables is what the tracer `port` counts with.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates curl nftables python3 python3-bpfcc "linux-headers-$(dpkg --print-architecture)" \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 61910 scalpels \
    && useradd --uid 61910 --gid scalpels --no-create-home --home-dir / --shell /usr/sbin/nologin scalpels \
    && groupadd --gid 61911 scalpels-worker \
    && useradd --uid 61911 --gid scalpels-worker --no-create-home --home-dir / --shell /usr/sbin/nologin scalpels-worker \
    && mkdir /run/scalpels /etc/scalpels /etc/scalpels-web /opt/scalpels
COPY --from=build /opt/scalpels-exporter /opt/scalpels-exporter
RUN ln -s /opt/scalpels-exporter/bin/scalpels /usr/local/bin/scalpels
# Its root filesystem is read-only.
ENV PYTHONDONTWRITEBYTECODE=1
EXPOSE 10919
# Started as root, which holds what it was given and starts workers; what serves the port becomes `scalpels` first.
ENTRYPOINT ["scalpels"]
CMD ["agent"]
