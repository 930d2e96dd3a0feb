#!/usr/bin/env python3
"""Visits the quickstart's app without a break, and counts every request that was not answered as it should be.

Three visitors keep their connections, a fourth opens a new one each time. One request in ten writes a note. A request is
lost when the connection fails or breaks off, when nothing comes within ten seconds, when the status is another than 200
(201 for a note), or when the answer is not the app's. Nothing is tried again.

Counting begins with the first good answer: before the first release there is nobody to visit. SIGTERM or SIGINT ends it;
so do fifteen minutes and a million requests.

Usage: load.py PORT   (on 127.0.0.1; a line `first answer` when counting begins, the result as JSON at the end)
"""

import http.client
import json
import re
import signal
import sys
import threading
import time

MOST_SECONDS = 900
MOST_REQUESTS = 1_000_000
PATIENCE_SECONDS = 10
PAUSE_SECONDS = 0.008
PAGE = re.compile(rb"notebook (\S+)\n")


class Wrong(Exception):
    """An answer that is not the app's."""


class Visitor(threading.Thread):
    """One client with at most one request at a time."""

    def __init__(self, number, port, ended, keeps_connection):
        super().__init__(daemon=True)
        self.number = number
        self.ended = ended
        self.keeps_connection = keeps_connection
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        self.took = []
        self.versions = {}
        self.notes = []
        self.losses = []

    def run(self):
        for count in range(MOST_REQUESTS // 4):
            if self.ended.is_set():
                break
            began = time.monotonic()
            try:
                self.visit(count)
            except (OSError, http.client.HTTPException, ValueError, Wrong) as why:
                self.connection.close()
                self.losses.append(f"{time.strftime('%H:%M:%S')} {type(why).__name__}: {why}")
            self.took.append(time.monotonic() - began)
            time.sleep(PAUSE_SECONDS)
        self.connection.close()

    def visit(self, count):
        if count % 10 == 9:
            self.write(f"note {self.number}-{count}")
        else:
            self.read()

    def write(self, text):
        status, body = self.ask("POST", "/notes", text.encode())
        if status != 201 or json.loads(body).get("text") != text:
            raise Wrong(f"POST /notes answered {status} {body[:80]!r}")
        self.notes.append(text)

    def read(self):
        status, body = self.ask("GET", "/")
        page = PAGE.fullmatch(body)
        if status != 200 or page is None:
            raise Wrong(f"GET / answered {status} {body[:80]!r}")
        version = page.group(1).decode()
        self.versions[version] = self.versions.get(version, 0) + 1

    def ask(self, method, path, body=None):
        headers = {"Host": "localhost"}
        if not self.keeps_connection:
            headers["Connection"] = "close"
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if not self.keeps_connection:
            self.connection.close()
        return answer.status, body


def await_first_answer(port, ended, deadline):
    scout = Visitor(0, port, ended, keeps_connection=False)
    while not ended.is_set() and time.monotonic() < deadline:
        try:
            return scout.read()
        except (OSError, http.client.HTTPException, ValueError, Wrong):
            scout.connection.close()
            time.sleep(0.02)
    raise SystemExit("load.py: the app never answered")


def kept_notes(port):
    """The notes that the app still has, which releases share."""
    scout = Visitor(0, port, None, keeps_connection=False)
    try:
        status, body = scout.ask("GET", "/notes")
        return {note["text"] for note in json.loads(body)} if status == 200 else set()
    except (OSError, http.client.HTTPException, ValueError):
        return set()


def result(visitors, kept, seconds):
    took = sorted(seconds for visitor in visitors for seconds in visitor.took)
    losses = sorted(loss for visitor in visitors for loss in visitor.losses)
    notes = {note for visitor in visitors for note in visitor.notes}
    versions = {}
    for visitor in visitors:
        for version, count in visitor.versions.items():
            versions[version] = versions.get(version, 0) + count

    def milliseconds(share):
        return round(took[min(len(took) - 1, int(len(took) * share))] * 1000, 1) if took else 0

    return {
        "requests": len(took),
        "lost": len(losses),
        "losses": losses[:10],
        "seconds": round(seconds, 1),
        "versions": dict(sorted(versions.items())),
        "notes_written": len(notes),
        "notes_missing": len(notes - kept),
        "p50_ms": milliseconds(0.50),
        "p99_ms": milliseconds(0.99),
        "longest_ms": milliseconds(1),
    }


def main():
    port = int(sys.argv[1])
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    deadline = time.monotonic() + MOST_SECONDS
    await_first_answer(port, ended, deadline)
    print("first answer", flush=True)
    began = time.monotonic()
    visitors = [Visitor(n, port, ended, keeps_connection=n < 4) for n in range(1, 5)]
    for visitor in visitors:
        visitor.start()
    ended.wait(max(0, deadline - began))
    ended.set()
    for visitor in visitors:
        visitor.join(PATIENCE_SECONDS + 1)
        if visitor.is_alive():
            visitor.losses.append("a request had no whole answer when the load ended")
    seconds = time.monotonic() - began
    print(json.dumps(result(visitors, kept_notes(port), seconds)), flush=True)


if __name__ == "__main__":
    main()
