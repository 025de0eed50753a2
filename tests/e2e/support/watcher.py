"""Somebody who follows a job to its end, whatever becomes of the server meanwhile."""

import threading
import time

import grpc

from support.client import Client


class Watcher(threading.Thread):
    """Goes on from the last sequence it saw; `events` are all that it was sent."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.name, self.events, self.ends = server, name, [], []

    def run(self):
        while True:
            try:
                with Client(self.server.address) as client:
                    for message in client.watch(self.name, len(self.events) + 1):
                        if message.HasField("event"):
                            self.events.append(message.event)
                return
            except grpc.RpcError as error:
                self.ends.append(error)
                time.sleep(0.05)
