# SPDX-License-Identifier: Apache-2.0
"""What each family of clients sends, to the byte, and whether it expects the connection to be kept."""

from dataclasses import dataclass

_JAVA = ("GET {path} HTTP/1.1\r\n"
         "Client-Version: {version}\r\n"
         "Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n"
         "Metaq-Client-RequestTS: 1700000000000\r\n"
         "User-Agent: Java/{java}\r\n"
         "Host: {host}:8080\r\n"
         "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\n"
         "Connection: keep-alive\r\n\r\n")
_CPP = "GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
_GO = "GET {path} HTTP/1.1\r\nHost: {host}:8080\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n\r\n"
_HTTPLIB = ("GET {path} HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\nHost: {host}:8080\r\n"
            "User-Agent: cpp-httplib/0.8\r\n\r\n")
_THROUGH_FABIO = ("GET {path} HTTP/1.1\r\n"
                  "Host: {host}:8080\r\n"
                  "User-Agent: Java/1.8.0_402\r\n"
                  "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\n"
                  "Client-Version: V5_3_1\r\n"
                  "Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n"
                  "Forwarded: for=10.1.2.3; proto=http; by=10.1.2.4; httpproto=http/1.1\r\n"
                  "Metaq-Client-Requestts: 1700000000000\r\n"
                  "X-Forwarded-For: 10.1.2.3\r\n"
                  "X-Forwarded-Host: {host}:8080\r\n"
                  "X-Forwarded-Port: 8080\r\n"
                  "X-Forwarded-Proto: http\r\n"
                  "X-Real-Ip: 10.1.2.3\r\n"
                  "Accept-Encoding: gzip\r\n\r\n")


@dataclass(frozen=True)
class Client:
    text: str
    keeps: bool = True
    query: str = ""  # what follows the id, where the family adds something

    @property
    def is_1_0(self):
        return " HTTP/1.0\r\n" in self.text

    def request(self, path):
        return self.text.format(path=path + self.query, host="nsaddr.example").encode()


def _java(version, java, query=""):
    return Client(_JAVA.replace("{version}", version).replace("{java}", java), query=query)


CLIENTS = {
    "java 4.5.2": _java("V4_5_2", "1.8.0_402"),
    "java 4.9.4": _java("V4_9_4", "11.0.22"),
    "java 5.3.1 with a unit": _java("V5_3_1", "17.0.10", "?nofix=1"),
    "java 5.3.1 with parameters": _java("V5_3_1", "17.0.10", "?nofix=1&k=v"),
    "broker": _java("V5_3_1", "1.8.0_402"),
    "go 2": Client(_GO),
    "go 2 with a unit": Client(_GO, query="?nofix=1"),
    "c++ 1 and 2, python, php, go 1": Client(_CPP, keeps=False),
    "c++ develop": Client(_HTTPLIB, keeps=False, query="?nofix=1"),
    "c++ develop with labels": Client(_HTTPLIB, keeps=False, query="?labels=site:s1,unit:u1,app:a1,stage:p1"),
    "rust": Client("GET {path} HTTP/1.1\r\nclient-version: V5_3_1\r\n"
                   "content-type: application/x-www-form-urlencoded;charset=UTF-8\r\n"
                   "metaq-client-requestts: 1700000000000\r\naccept: */*\r\nhost: {host}:8080\r\n\r\n"),
    "ali-ons": Client("GET {path} HTTP/1.1\r\nUser-Agent: node-urllib/2.44.0 Node.js 14.21.3 (Linux 5.15; x64)\r\n"
                      "Host: {host}:8080\r\nConnection: close\r\n\r\n", keeps=False),
    ".net": Client("GET {path} HTTP/1.1\r\nHost: {host}:8080\r\n\r\n"),
    "curl": Client("GET {path} HTTP/1.1\r\nHost: {host}:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"),
    "curl for HTTP/1.0": Client("GET {path} HTTP/1.0\r\nHost: {host}:8080\r\nUser-Agent: curl/7.88.1\r\n"
                                "Accept: */*\r\n\r\n", keeps=False),
    "java through fabio": Client(_THROUGH_FABIO),
    "java through nginx": Client("GET {path} HTTP/1.0\r\nHost: nsaddr\r\nConnection: close\r\n"
                                 "Client-Version: V5_3_1\r\n"
                                 "Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n"
                                 "Metaq-Client-RequestTS: 1700000000000\r\nUser-Agent: Java/17.0.10\r\n"
                                 "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\n\r\n",
                                 keeps=False),
}

CONSUL_CHECK = Client("GET {path} HTTP/1.1\r\nHost: {host}:8080\r\nUser-Agent: Consul Health Check\r\n"
                      "Accept: text/plain, text/*, */*\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
                      keeps=False)
