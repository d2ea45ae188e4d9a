"""What happens in the demo, in its order, and what is said of it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo import grafana, history
from demo.agent import Agent
from demo.assets import lay_out
from demo.backends import backends
from demo.children import LOOPBACK, Child
from demo.methods import METHOD, SLOWER
from demo.prometheus import Prometheus
from demo.services import NAMES, Services
from demo.waiting import wait, wait_for

WARM = 60  # seconds until what is seen is what is usual: the first minute of a service is none like the others
USUAL = 20  # seconds of the usual, once there is a past
PATIENCE = 420  # seconds within which the alert fires; about 200 are expected
FIRING = 'ALERTS{alertname=~"Scalpels.*",alertstate="firing"}'
CULPRIT = f'ALERTS{{alertname="ScalpelsRpcServerSlower",alertstate="firing",method="{METHOD}"}}'


@dataclass(frozen=True, slots=True)
class Ports:
    prometheus: int
    agent: int
    api: int
    grafana: int


class Story:
    def __init__(self, stack: ExitStack, folder: Path, ports: Ports) -> None:
        self._began = time.monotonic()
        self._stack, self._folder, self._ports = stack, folder, ports
        self.children: list[Child] = []

    def say(self, text: str) -> None:
        past = int(time.monotonic() - self._began)
        print(f"{past // 60:2}:{past % 60:02}  {text}", flush=True)

    def tell(self) -> None:
        """Up to the alert."""
        self._begin()
        wait(WARM, *self.children)
        self._make_a_past()
        wait(USUAL, *self.children)
        self._services.become_slower()
        self.say(
            f"the regression: from now on {METHOD} of cloud-compute takes {SLOWER - 1:.0%} longer. Nothing fails,"
            " nothing is restarted"
        )
        self.say("its alert wants the mean of ten minutes to be too high for two minutes: expect it in three to four")
        self._await_the_alert()

    def go_on(self) -> None:
        """Until somebody ends it; says which alerts begin."""
        known = {_named(one) for one in self._prometheus.ask(FIRING)}
        while True:
            wait(5, *self.children)
            now = {_named(one) for one in self._prometheus.ask(FIRING)}
            for one in sorted(now - known):
                self.say(f"ALERT {one}")
            known |= now

    def _begin(self) -> None:
        folder, stack, ports = self._folder, self._stack, self._ports
        assets = lay_out(folder)
        self.say(
            "a small cloud starts: cloud-client asks cloud-api, which calls cloud-compute, which calls cloud-conductor,"
            " over MariaDB and RabbitMQ"
        )
        self._services = Services(stack, folder, stack.enter_context(backends()), ports.api)
        self.say("the agent starts, with its default tracers; it compiles its kernel programs")
        agent = Agent(stack, folder, NAMES, ports.agent)
        for name, why in agent.not_running().items():
            self.say(f"without the tracer {name}: {why}")
        self._prometheus = Prometheus(stack, folder, f"{LOOPBACK}:{ports.agent}", ports.prometheus, assets)
        self.children = [*self._services.children, agent]
        self._point_out(agent)

    def _point_out(self, agent: Agent) -> None:
        address = self._prometheus.url
        self.say("all runs. Look at")
        server = grafana.command()
        if server is not None:
            self.children.append(grafana.started(self._stack, self._folder, address, self._ports.grafana, server))
            print(f"         Grafana             http://{LOOPBACK}:{self._ports.grafana}/dashboards")
        print(f"         the dashboards      {address}/user/index.html")
        print(f"         alerts              {address}/alerts")
        print(f"         the agent           {agent.url}/", flush=True)

    def _make_a_past(self) -> None:
        series = history.present(self._prometheus)
        many = sum(map(len, series.values()))
        blocks = self._folder / "history"
        history.write(history.openmetrics(series, time.time()), self._folder, blocks)
        self._prometheus.take_in(blocks)
        self.say(
            f"the rules compare with the same hour of past days. There are none, so {many} series of a week are made up"
            " from the last minute, every day a little different. The rules and their thresholds are the shipped ones"
        )

    def _await_the_alert(self) -> None:
        found = wait_for(
            lambda: self._prometheus.ask(CULPRIT), PATIENCE, "the alert fires", *self.children, self._prometheus.child
        )
        self.say(f"ALERT {_named(found[0])}")
        print(f"         {self._described()}")
        print(f"         what to do          docs/runbooks/{found[0]['metric']['alertname']}.md", flush=True)

    def _described(self) -> str:
        """The alert's own description, as Prometheus has filled it in."""
        alerts = self._prometheus.alerts()
        mine = (one for one in alerts if one["labels"].get("method") == METHOD and one["state"] == "firing")
        return next(iter(mine), {"annotations": {"description": ""}})["annotations"]["description"]


def _named(alert: dict[str, Any]) -> str:
    labels = alert["metric"]
    rest = (f"{key}={labels[key]}" for key in sorted(labels) if key in ("program", "method", "route", "side", "window"))
    return " ".join((labels["alertname"], labels["severity"], *rest))
