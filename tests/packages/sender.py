#!/usr/bin/env python3
"""Numbered syslog datagrams at a steady rate: sender.py NAME RATE SECONDS. Prints how many it has sent.

Every message says NAME and its number, so that whoever reads the topic knows which are missing.
"""

import socket
import sys
import time

name, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
padding = "x" * 200
start = time.monotonic()
sent = 0
while (now := time.monotonic() - start) < seconds:
    due = int(now * rate)
    while sent < due:
        text = f"<134>1 - device{sent % 20} load - - - run={name} number={sent} {padding}"
        out.sendto(text.encode(), ("127.0.0.1", 514))
        sent += 1
    time.sleep(0.002)
print(sent)
