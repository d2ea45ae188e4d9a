"""Dashboards and rules, made from what tracers declare and from the board beside each of them. Needs no Grafana.

    boards (tracers/NAME.board.yaml, boards/) ─▶ reading ─▶ queries ─▶ panels ─▶ json/
                                                    └─────▶ regressions, recording, alerts ─▶ rules/, docs/runbooks/

`python -m dashboards` writes them. Nothing here runs in production or is imported by the agent.
"""
