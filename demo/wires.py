"""How the services of the demo reach MariaDB and RabbitMQ. Ordinary clients: nothing here knows that it is watched."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import oslo_messaging
import pymysql
from oslo_config import cfg

_mine = threading.local()


@cache
def transport() -> Any:
    """oslo.messaging's, on RabbitMQ; of this process."""
    conf = cfg.CONF
    conf([], project="demo", default_config_files=[])
    return oslo_messaging.get_rpc_transport(conf, url=os.environ["DEMO_BROKER"])


@cache
def client(topic: str) -> Any:
    """Of the service that serves the topic."""
    return oslo_messaging.get_rpc_client(transport(), oslo_messaging.Target(topic=topic, version="1.0"), timeout=20)


@contextmanager
def transaction() -> Iterator[pymysql.cursors.Cursor]:
    """A cursor on this thread's connection; committed, or rolled back and the exception raised again."""
    if not hasattr(_mine, "connection"):
        _mine.connection = pymysql.connect(
            host="127.0.0.1",
            port=int(os.environ["DEMO_DATABASE_PORT"]),
            user="shop",
            password=os.environ["DEMO_DATABASE_PASSWORD"],
            database="shop",
        )
    connection = _mine.connection
    try:
        with connection.cursor() as cursor:
            connection.begin()
            yield cursor
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
