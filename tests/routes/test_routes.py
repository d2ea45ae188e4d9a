"""Which route stands in a label for a path whose ids are stars."""

from __future__ import annotations

import pytest

from scalpels_exporter.routes import openstack
from scalpels_exporter.routes.routing import FOLDED_BYTES, OTHER, Routing

ROUTES = {
    "": "/",
    "/": "/",
    "*": "*",
    "/v3": "/v3",
    "/v3/auth/tokens": "/v3/auth/tokens",
    "/v3/projects/*": "/v3/projects/{id}",
    "/v3/users/alice": "/v3/users/{id}",
    "/identity/v3/projects/*/users/*/roles/*": "/v3/projects/{id}/users/{id}/roles/{id}",
    "/v3/domains/*/config/ldap/url": "/v3/domains/{id}/config/{group}/{option}",
    "/v3/domains/config/ldap/default": "/v3/domains/config/{group}/default",
    "/v2.1/servers": "/v2.1/servers",
    "/v2.1/servers/": "/v2.1/servers",
    "/v2.1/servers/detail": "/v2.1/servers/detail",
    "/v2.1/servers/*": "/v2.1/servers/{id}",
    "/v2.1/servers/*/action": "/v2.1/servers/{id}/action",
    "/compute/v2.1/servers/*/action": "/v2.1/servers/{id}/action",
    "/v2.1/*/servers/detail": "/v2.1/{project_id}/servers/detail",
    "/v2.1/flavors/m1.tiny": "/v2.1/flavors/{id}",
    "/v2.1/os-keypairs/my-key": "/v2.1/os-keypairs/{id}",
    "/v2.1/servers/*/metadata/owner": "/v2.1/servers/{id}/metadata/{id}",
    "/v2.0/ports/*": "/v2.0/ports/{id}",
    "/networking/v2.0/routers/*/add_router_interface": "/v2.0/routers/{id}/add_router_interface",
    "/v2.0/networks/*/tags/red": "/v2.0/{resource}/{id}/tags/{tag}",
    "/v2.0/qos/policies/*/bandwidth_limit_rules/*": "/v2.0/qos/policies/{id}/bandwidth_limit_rules/{id}",
    "/v2/images": "/v2/images",
    "/image/v2/images/*/file": "/v2/images/{id}/file",
    "/v2/schemas/image": "/v2/schemas/{name}",
    "/v3/*/volumes/detail": "/v3/{project_id}/volumes/detail",
    "/volume/v3/*/volumes/*/action": "/v3/{project_id}/volumes/{id}/action",
    "/v3/*/types/fast/extra_specs/colour": "/v3/{project_id}/types/{id}/extra_specs/{key}",
    "/resource_providers/*/inventories": "/resource_providers/{id}/inventories",
    "/placement/resource_providers/*/inventories/VCPU": "/resource_providers/{id}/inventories/{resource_class}",
    "/placement": "/",
    "/allocation_candidates": "/allocation_candidates",
    "/traits/CUSTOM_SECRET": "/traits/{id}",
    "/v1/*": "/v1/{account}",
    "/v1/*/*": "/v1/{account}/{container}",
    "/v1/*/*/*/*/*": "/v1/{account}/{container}/{object}",
    "/object-store/v1/*/*/*": "/v1/{account}/{container}/{object}",
    "/orders/*/items": "/orders/{number}/items",
    "/orders/open/items": "/orders/{number}/items",
    "/orders/late": "/orders/late",
    "*//example.org:8774/v2.1/servers": "/v2.1/servers",
    "*//*": "/",
    "/something/else/*": "/something/else/*",
}
OWN = ("/orders/{number}/items", "/orders/late", "/orders/{number}")


@pytest.mark.parametrize("folded", ROUTES)
def test_a_path_has_the_route_that_its_api_gives_it(folded: str) -> None:
    assert Routing(OWN).route(folded) == ROUTES[folded]


def test_the_users_own_templates_go_before_openstacks() -> None:
    assert Routing(["/v2.1/servers/{mine}"]).route("/v2.1/servers/*") == "/v2.1/servers/{mine}"


def test_beyond_the_greatest_number_a_route_is_other_and_those_before_stay() -> None:
    routing = Routing(most=2)
    assert [routing.route(path) for path in ("/a", "/b", "/c", "/a", "/c")] == ["/a", "/b", OTHER, "/a", OTHER]


def test_a_path_that_was_cut_off_shows_whole_segments_alone() -> None:
    path = "/v2.1/servers/" + "a/" * 24 + "it"
    assert len(path) == FOLDED_BYTES
    assert Routing().route(path) == "/v2.1/servers/" + "a/" * 24 + "..."


def test_every_template_is_its_own_route() -> None:
    routing = Routing(most=10_000)
    written = {template for template in openstack.templates() if len(template) < FOLDED_BYTES}
    assert len(written) > 500
    assert {template for template in written if routing.route(template) != template} == set()
