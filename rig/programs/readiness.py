#!/usr/bin/env python3
"""What Python's select module says after a RST, and where its documentation's ENOENT is: poll.modify() and epoll.modify() of
a descriptor that was never registered, and never select.select()."""

import select
import socket
import sys
import time

conn = socket.create_connection((sys.argv[1], int(sys.argv[2])))
conn.sendall(b"ABCD")
time.sleep(0.1)
readable, _, _ = select.select([conn], [], [], 5)
print(f"select: {len(readable)} ready", flush=True)
for kind in (select.poll, select.epoll):
    try:
        kind().modify(conn.fileno(), select.POLLIN)
    except OSError as error:
        print(f"{kind.__name__}.modify: errno={error.errno}", flush=True)
