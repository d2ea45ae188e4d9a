"""Where and as whom a load connects: made by a server, handed to the child as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Target:
    """`socket` empty: TCP to `host` and `port`; `certificate`: the file that TLS is verified with, empty for none."""

    system: str  # mysql, postgresql, http or amqp
    host: str
    port: int
    socket: str = ""
    user: str = ""
    password: str = ""
    database: str = ""
    certificate: str = ""

    @property
    def url(self) -> str:
        """Of HTTP; TLS where there is a certificate."""
        return f"http{'s' if self.certificate else ''}://{self.host}:{self.port}"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Target:
        return cls(**json.loads(text))
