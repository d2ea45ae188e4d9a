"""The paths of OpenStack's APIs as templates: keystone v3, nova v2.1, neutron v2.0, glance v2, cinder v3, placement.

Written short: `a|b` are alternatives, and what stands in brackets may be left out. What is not here is shown as its
folded path, in which a name that is no id would stand out; so every place of a name is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Before an API's own path, where several of them share one port.
PREFIXES = frozenset(
    (
        *("compute", "compute-api", "identity", "identity_admin", "image", "images", "network", "networking"),
        *("placement", "placement-api", "volume", "volumev3", "volumes", "block-storage", "object-store"),
    )
)

KEYSTONE = """
/v3
/v3/auth/tokens|catalog|projects|domains|system
/v3/auth/tokens/OS-PKI/revoked
/v3/projects|users|groups|domains|roles|services|endpoints|regions|policies|credentials|limits[/{id}]
/v3/registered_limits|role_inferences[/{id}]
/v3/limits/model
/v3/projects/{id}/tags[/{tag}]
/v3/projects/{id}/users|groups/{id}/roles[/{id}]
/v3/domains/{id}/users|groups/{id}/roles[/{id}]
/v3/system/users|groups/{id}/roles[/{id}]
/v3/users/{id}/projects|groups|password
/v3/users/{id}/application_credentials|access_rules[/{id}]
/v3/users/{id}/credentials/OS-EC2[/{id}]
/v3/users/{id}/OS-OAUTH1/access_tokens[/{id}]
/v3/groups/{id}/users[/{id}]
/v3/roles/{id}/implies[/{id}]
/v3/domains/config[/{group}[/{option}]]/default
/v3/domains/{id}/config[/{group}[/{option}]]
/v3/role_assignments|ec2tokens|s3tokens
/v3/OS-TRUST/trusts[/{id}]
/v3/OS-TRUST/trusts/{id}/roles[/{id}]
/v3/OS-FEDERATION/identity_providers|mappings|service_providers[/{id}]
/v3/OS-FEDERATION/identity_providers/{id}/protocols[/{id}]
/v3/OS-FEDERATION/identity_providers/{id}/protocols/{id}/auth
/v3/OS-FEDERATION/projects|domains
/v3/OS-FEDERATION/saml2/metadata
/v3/auth/OS-FEDERATION/identity_providers/{id}/protocols/{id}/websso
/v3/auth/OS-FEDERATION/websso/{protocol}
/v3/auth/OS-FEDERATION/saml2[/ecp]
/v3/OS-EP-FILTER/projects/{id}/endpoints[/{id}]
/v3/OS-EP-FILTER/endpoint_groups[/{id}]
/v3/OS-OAUTH1/consumers[/{id}]
/v3/endpoints/{id}/OS-ENDPOINT-POLICY/policy
"""

NOVA = """
/v2.1[/{project_id}]/servers|flavors|images|os-hypervisors|os-server-groups/detail
/v2.1[/{project_id}]/servers|flavors|images|extensions|os-aggregates|os-hypervisors|os-server-groups|os-services[/{id}]
/v2.1[/{project_id}]/os-keypairs|os-networks|os-security-groups|os-floating-ips|os-volumes|os-snapshots|os-hosts[/{id}]
/v2.1[/{project_id}]/os-migrations|os-agents|os-cells|os-simple-tenant-usage|os-instance_usage_audit_log[/{id}]
/v2.1[/{project_id}]/os-quota-sets|os-quota-class-sets|os-console-auth-tokens[/{id}]
/v2.1[/{project_id}]/os-quota-sets/{id}/defaults|detail
/v2.1[/{project_id}]/limits|os-availability-zone|os-assisted-volume-snapshots|os-server-external-events
/v2.1[/{project_id}]/os-availability-zone/detail
/v2.1[/{project_id}]/os-hypervisors/statistics
/v2.1[/{project_id}]/os-hypervisors/{id}/uptime|servers|search
/v2.1[/{project_id}]/os-services/enable|disable|disable-log-reason|force-down
/v2.1[/{project_id}]/os-aggregates/{id}/action|images
/v2.1[/{project_id}]/servers/{id}/action|diagnostics|ips|metadata|tags|topology|remote-consoles|migrations|shares
/v2.1[/{project_id}]/servers/{id}/os-interface|os-volume_attachments|os-instance-actions|os-security-groups[/{id}]
/v2.1[/{project_id}]/servers/{id}/os-virtual-interfaces|os-server-password
/v2.1[/{project_id}]/servers/{id}/ips|metadata|tags|migrations|shares/{id}
/v2.1[/{project_id}]/servers/{id}/migrations/{id}/action
/v2.1[/{project_id}]/flavors/{id}/action|os-flavor-access|os-extra_specs
/v2.1[/{project_id}]/flavors/{id}/os-extra_specs/{key}
/v2.1[/{project_id}]/images/{id}/metadata[/{key}]
/v2.1
"""

NEUTRON = """
/v2.0[/extensions[/{alias}]]
/v2.0/networks|subnets|ports|routers|floatingips|subnetpools|security-groups|security-group-rules|agents[/{id}]
/v2.0/address-scopes|address-groups|rbac-policies|segments|trunks|flavors|service_profiles|availability_zones[/{id}]
/v2.0/network-ip-availabilities|local_ips|ndp_proxies|metering|default-security-group-rules|auto-allocated-topology[/{id}]
/v2.0/quotas|service-providers|bgp-speakers|bgp-peers|bgpvpn|vpn|log[/{id}]
/v2.0/quotas/{id}/default|details|details.json
/v2.0/routers/{id}/add_router_interface|remove_router_interface|add_extraroutes|remove_extraroutes
/v2.0/routers/{id}/add_external_gateways|remove_external_gateways|update_external_gateways
/v2.0/routers/{id}/l3-agents|conntrack_helpers[/{id}]
/v2.0/networks/{id}/dhcp-agents[/{id}]
/v2.0/agents/{id}/dhcp-networks|l3-routers|bgp-drinstances[/{id}]
/v2.0/ports/{id}/bindings[/{host}[/activate]]
/v2.0/ports/{id}/add_allowed_address_pairs|remove_allowed_address_pairs
/v2.0/floatingips/{id}/port_forwardings[/{id}]
/v2.0/subnetpools/{id}/onboard_network_subnets|add_prefixes|remove_prefixes
/v2.0/trunks/{id}/get_subports|add_subports|remove_subports
/v2.0/address-groups/{id}/add_addresses|remove_addresses
/v2.0/local_ips/{id}/port_associations[/{id}]
/v2.0/qos/policies|rule-types[/{id}]
/v2.0/qos/policies/{id}/bandwidth_limit_rules|dscp_marking_rules|minimum_bandwidth_rules[/{id}]
/v2.0/qos/policies/{id}/minimum_packet_rate_rules|packet_rate_limit_rules[/{id}]
/v2.0/qos/alias_bandwidth_limit_rules|alias_dscp_marking_rules|alias_minimum_bandwidth_rules/{id}
/v2.0/metering/metering-labels|metering-label-rules[/{id}]
/v2.0/log/logs|loggable-resources[/{id}]
/v2.0/vpn/vpnservices|ikepolicies|ipsecpolicies|endpoint-groups|ipsec-site-connections[/{id}]
/v2.0/fwaas/firewall_groups|firewall_policies|firewall_rules[/{id}]
/v2.0/{resource}/{id}/tags[/{tag}]
"""

GLANCE = """
/v2
/v2/images|tasks[/{id}]
/v2/images/{id}/file|stage|import|members|tags|locations|tasks
/v2/images/{id}/actions/deactivate|reactivate
/v2/images/{id}/members|tags/{id}
/v2/schemas/{name}[/{kind}]
/v2/metadefs/namespaces|resource_types[/{name}]
/v2/metadefs/namespaces/{name}/objects|properties|tags|resource_types[/{name}]
/v2/info/import|stores|usage
/v2/info/stores/detail
/v2/stores/{store}/{id}
/v2/cache[/{id}]
/v2/cached_images|queued_images[/{id}]
"""

CINDER = """
/v3/{project_id}/volumes|snapshots|backups|attachments|groups|group_snapshots|consistencygroups|cgsnapshots|messages/detail
/v3/{project_id}/volumes|snapshots|backups|attachments|groups|group_snapshots|consistencygroups|cgsnapshots|messages[/{id}]
/v3/{project_id}/types|group_types|qos-specs|os-services|clusters|os-hosts|extensions|workers|capabilities[/{id}]
/v3/{project_id}/os-quota-sets|os-quota-class-sets|default-types|volume-transfers|os-volume-transfer[/{id}]
/v3/{project_id}/volume-transfers|os-volume-transfer/detail
/v3/{project_id}/volume-transfers|os-volume-transfer/{id}/accept
/v3/{project_id}/volumes|snapshots/summary
/v3/{project_id}/volumes|snapshots|backups|attachments|groups|group_snapshots|consistencygroups|cgsnapshots|types/{id}/action
/v3/{project_id}/volumes|snapshots/{id}/metadata[/{key}]
/v3/{project_id}/volumes/{id}/encryption[/{key}]
/v3/{project_id}/backups/{id}/restore|export_record
/v3/{project_id}/backups/import_record
/v3/{project_id}/types/{id}/extra_specs|encryption[/{key}]
/v3/{project_id}/types/{id}/os-volume-type-access
/v3/{project_id}/group_types/{id}/group_specs[/{key}]
/v3/{project_id}/qos-specs/{id}/associate|disassociate|disassociate_all|associations|delete_keys
/v3/{project_id}/os-quota-sets/{id}/defaults
/v3/{project_id}/os-services/enable|disable|disable-log-reason|failover_host|freeze|thaw|get-log|set-log
/v3/{project_id}/limits|scheduler-stats|os-availability-zone|resource_filters
/v3/{project_id}/scheduler-stats/get_pools
/v3/{project_id}/snapshot_manage|manageable_volumes|manageable_snapshots|os-volume-manage[/detail]
"""

PLACEMENT = """
/resource_providers|resource_classes|traits|allocations|usages|allocation_candidates|reshaper
/resource_providers|resource_classes|traits|allocations/{id}
/resource_providers/{id}/inventories|usages|aggregates|traits|allocations
/resource_providers/{id}/inventories/{resource_class}
"""

_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")


def templates() -> Iterator[str]:
    """All of them, written out."""
    yield "/"
    for api in (KEYSTONE, NOVA, NEUTRON, GLANCE, CINDER, PLACEMENT):
        for line in api.split():
            yield from _written_out(line)


def _written_out(line: str) -> Iterator[str]:
    found = _OPTIONAL.search(line)
    if found:
        yield from _written_out(line[: found.start()] + found[1] + line[found.end() :])
        yield from _written_out(line[: found.start()] + line[found.end() :])
        return
    head, *rest = line[1:].split("/")
    for segment in head.split("|"):
        if rest:
            for tail in _written_out("/" + "/".join(rest)):
                yield f"/{segment}{tail}"
        else:
            yield f"/{segment}"
