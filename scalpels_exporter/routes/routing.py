"""A folded path → the route that stands in a label: the user's templates, OpenStack's, else the path itself; capped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scalpels_exporter.routes import openstack
from scalpels_exporter.routes.templates import Templates

OTHER = "other"  # where there are too many routes, or the path is not known
FOLDED_BYTES = 64  # of a path that are kept; what is as long may have been cut off
_AUTHORITY = re.compile(r"^\*//[^/]*")  # of a request to a proxy: GET http://host/path
_SWIFT = re.compile(r"^/v1/\*(/\*){0,}$")
_SWIFT_ROUTES = ("/v1/{account}", "/v1/{account}/{container}", "/v1/{account}/{container}/{object}")


class Routing:
    """`templates` are the user's own, which go first; at most `most` routes are told apart."""

    def __init__(self, templates: Sequence[str] = (), most: int = 200) -> None:
        self._own = Templates(templates)
        self._openstack = Templates(openstack.templates())
        self._most = most
        self._given: set[str] = set()

    def route(self, folded: str) -> str:
        """The same for the same path, as long as this lives."""
        found = self._find(_AUTHORITY.sub("", folded) or "/")
        if found not in self._given:
            if len(self._given) >= self._most:
                return OTHER
            self._given.add(found)
        return found

    def _find(self, path: str) -> str:
        if len(path) >= FOLDED_BYTES:
            return path.rpartition("/")[0] + "/..."  # its last segment may be a part of one
        own = self._own.match(path)
        if own:
            return own
        for tried in (path, _without_prefix(path)):
            if found := self._openstack.match(tried):
                return found
            if _SWIFT.match(tried):
                return _SWIFT_ROUTES[min(tried.count("*"), len(_SWIFT_ROUTES)) - 1]
        return path


def _without_prefix(path: str) -> str:
    """Less what stands before an API's own path where several share one port: /identity/v3/… is /v3/…"""
    _, first, *rest = path.split("/", 2) if path.startswith("/") else ("", path)
    return "/" + "".join(rest) if first in openstack.PREFIXES else path
