#!/usr/bin/env python3
"""badweb.py FOLDER: a web server of the LAN, on port 80, that wishes its clients ill. /hang says nothing, /drip an octet a
second for ever, /flood is endless, /lie is an answer that is none, /page is a web page; anything else is a file of FOLDER."""
import socket
import sys
import threading
import time


def serve(peer):
    try:
        path = peer.recv(4096).split(b" ")[1].decode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/pkix-crl\r\n"
        if path == "/hang":
            time.sleep(60)
        elif path == "/drip":
            peer.sendall(head + b"Content-Length: 100000\r\n\r\n")
            while True:
                peer.sendall(b"0")
                time.sleep(1)
        elif path == "/flood":
            peer.sendall(head + b"\r\n")
            while True:
                peer.sendall(bytes(65536))
        elif path == "/lie":
            peer.sendall(b"SSH-2.0-nonsense\r\n" + bytes(3000))
        elif path == "/page":
            peer.sendall(head + b"Content-Length: 30\r\n\r\n<html>not what you want</html>")
        else:
            with open(sys.argv[1] + path, "rb") as file:
                body = file.read()
            peer.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        peer.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        peer.close()


with socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True) as server:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
