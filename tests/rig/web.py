#!/usr/bin/env python3
"""web.py FOLDER: the web server of the LAN, on port 80, both families. http.server itself asks the DNS for the machine's
name when it starts, which takes long where there is none."""
import functools
import http.server
import socket
import socketserver
import sys


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "lan", 80


Server(("::", 80), functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])).serve_forever()
