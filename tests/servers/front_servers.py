"""Apache and nginx: in front of a uWSGI, as most of OpenStack's APIs are deployed, or alone with plain files.

nginx stands in front of a gunicorn too, to which it opens a connection for each request.

Alone they serve `/files/N`, a file of N bytes, for each N of FILES, by sendfile.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from servers.access_log import READINESS
from servers.http_server import MICROSECONDS, HttpServer
from servers.python_servers import SECONDS, Gunicorn
from servers.server import LOOPBACK, program
from servers.uwsgi_server import Uwsgi

FILES = (0, 10, 1_000, 100_000, 5_000_000)
MODULES = Path("/usr/lib/apache2/modules")
LOADED = "authz_core log_config mpm_event proxy proxy_uwsgi ssl unixd"  # those that are not built in


class FrontServer(HttpServer):
    """`behind`: a running Uwsgi with the protocol uwsgi, reached over its Unix socket or over TCP; None: files."""

    def __init__(self, behind: Uwsgi | Gunicorn | None = None, *, unix: bool = True, tls: bool = False) -> None:
        super().__init__(tls=tls)
        self._behind, self._unix = behind, unix

    def prepare(self) -> None:
        super().prepare()
        files = self.folder / "root" / "files"
        files.mkdir(parents=True)
        for path in (READINESS, "/warm"):  # asked by us, and by loads that open their connections with a call
            (files.parent / path.removeprefix("/")).write_text("x")
        for size in FILES:
            (files / str(size)).write_bytes(b"x" * size)
        (self.folder / "configuration").write_text(self.configuration())

    def configuration(self) -> str:
        raise AssertionError(f"{self.name} has no configuration")


class Apache(FrontServer):
    """apache2 with mpm_event and, in front of uWSGI, mod_proxy_uwsgi. It cannot listen on a Unix socket."""

    name = "apache"
    unit = MICROSECONDS
    has_socket = False

    def configuration(self) -> str:
        modules = "\n".join(
            f"LoadModule {name}_module {MODULES}/mod_{name}.so"
            for name in LOADED.split()
            if (MODULES / f"mod_{name}.so").exists()
        )
        proxy = ""
        if self._behind is not None:
            socket = f"unix:{self._behind.socket}|" if self._unix else ""
            where = "uwsgi" if self._unix else f"{LOOPBACK}:{self._behind.port}"
            proxy = f'ProxyPass "/" "{socket}uwsgi://{where}/"'
        if self.certificate:
            proxy += f"""
            SSLEngine on
            SSLCertificateFile {self.certificate}
            SSLCertificateKeyFile {self.key}"""
        return f"""
            {modules}
            ServerName localhost
            ServerRoot {self.folder}
            Listen {LOOPBACK}:{self.port}
            PidFile {self.folder}/pid
            Mutex file:{self.folder} default
            ErrorLog {self.log}
            User www-data
            Group www-data
            DocumentRoot {self.folder}/root
            StartServers 1
            ServerLimit 2
            ThreadsPerChild 25
            MaxRequestWorkers 50
            MinSpareThreads 1
            MaxSpareThreads 50
            KeepAlive On
            MaxKeepAliveRequests 0
            KeepAliveTimeout 30
            EnableSendfile On
            GracefulShutdownTimeout 1
            LogFormat "%m %U\\t%>s\\t%B\\t%D" exact
            CustomLog {self.access} exact
            <Directory {self.folder}/root>
                Require all granted
            </Directory>
            {proxy}
        """

    def command(self) -> Sequence[str | Path]:
        return [program("apache2"), "-DFOREGROUND", "-f", self.folder / "configuration"]


class Nginx(FrontServer):
    """nginx with, in front of uWSGI, uwsgi_pass; in front of gunicorn, proxy_pass."""

    name = "nginx"
    unit = SECONDS

    def configuration(self) -> str:
        if self._behind is None:
            location = f"root {self.folder}/root;"
        elif isinstance(self._behind, Gunicorn):
            where = f"unix:{self._behind.socket}:" if self._unix else f"{LOOPBACK}:{self._behind.port}"
            location = f"proxy_pass http://{where}; proxy_http_version 1.1;"
        else:
            where = f"unix:{self._behind.socket}" if self._unix else f"{LOOPBACK}:{self._behind.port}"
            location = f"""
                uwsgi_pass {where};
                {_parameters()}
            """
        keys = f"ssl_certificate {self.certificate}; ssl_certificate_key {self.key};" if self.certificate else ""
        temporary = "\n".join(
            f"{name}_temp_path {self.folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return f"""
            daemon off;
            worker_processes 2;
            pid {self.folder}/pid;
            error_log {self.log};
            events {{ worker_connections 512; }}
            http {{
                log_format exact "$request_method $uri\\t$status\\t$body_bytes_sent\\t$request_time";
                access_log {self.access} exact;
                sendfile on;
                keepalive_timeout 30;
                keepalive_requests 1000000;
                client_max_body_size 64m;
                {temporary}
                server {{
                    listen {LOOPBACK}:{self.port}{" ssl" if self.certificate else ""};
                    {keys}
                    listen unix:{self.socket};
                    location / {{
                        {location}
                    }}
                }}
            }}
        """

    def command(self) -> Sequence[str | Path]:
        return [program("nginx"), "-e", self.log, "-p", self.folder, "-c", self.folder / "configuration"]


def _parameters() -> str:
    """What uwsgi_params of the distribution says, without depending on the file."""
    pairs = {
        "QUERY_STRING": "$query_string",
        "REQUEST_METHOD": "$request_method",
        "CONTENT_TYPE": "$content_type",
        "CONTENT_LENGTH": "$content_length",
        "REQUEST_URI": "$request_uri",
        "PATH_INFO": "$document_uri",
        "DOCUMENT_ROOT": "$document_root",
        "SERVER_PROTOCOL": "$server_protocol",
        "REQUEST_SCHEME": "$scheme",
        "REMOTE_ADDR": "$remote_addr",
        "REMOTE_PORT": "$remote_port",
        "SERVER_PORT": "$server_port",
        "SERVER_NAME": "$server_name",
    }
    return "\n".join(f"uwsgi_param {name} {value};" for name, value in pairs.items())
