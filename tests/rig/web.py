#!/usr/bin/env python3
"""web.py FOLDER [RATE]: the web server of the LAN, on port 80, both families; RATE: octets a second, evenly, of each
answer. http.server itself asks the DNS for the machine's name when it starts, which takes long where there is none."""
import functools
import http.server
import socket
import socketserver
import sys
import time

STEP = 0.05
RATE = int(sys.argv[2]) if len(sys.argv) > 2 else None


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "lan", 80


class Handler(http.server.SimpleHTTPRequestHandler):
    def copyfile(self, source, outputfile):
        if RATE is None:
            super().copyfile(source, outputfile)
            return
        while part := source.read(int(RATE * STEP)):
            outputfile.write(part)
            time.sleep(STEP)


Server(("::", 80), functools.partial(Handler, directory=sys.argv[1])).serve_forever()
