"""A small cloud on loopback that becomes slower, watched by the agent: `python -m demo`. Needs root; not installed.

    clients ─▶ api ─▶ MariaDB, RabbitMQ ─▶ compute          (services)
                  all of them ◀─ agent ◀─ Prometheus        (agent, prometheus, history)
                                             └─▶ dashboards (grafana, or page)

`story` is the order in which things happen. Everything ends with it, however it ends.
"""
