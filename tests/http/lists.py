# SPDX-License-Identifier: Apache-2.0
"""The clusters that the daemon serves here. Every list is another one, so its body says whose it is."""

LONGEST = "n" * 128

LISTS = {
    "a": "10.0.0.9:9876;10.0.0.10:1",
    "b": "10.0.1.1:9876",
    "1": "10.0.2.1:9876",
    "10": "10.0.2.10:9876",
    "A": "10.0.3.1:9876",
    "x.y_z-1": "10.0.4.1:9876",
    "prod": "10.0.5.1:9876",
    "prod-east": "10.0.5.2:9876",
    "probe": "10.0.6.1:9876",
    LONGEST: "10.0.7.1:9876",
    # As long as twelve IPv4 addresses can be.
    "twelve": ";".join(f"192.168.100.{100 + i}:{65500 + i}" for i in range(12)),
}
DEFAULT = "b"  # what /rocketmq/nsaddr stands for

OPTIONS = {
    "consul.enabled": False,
    "default_cluster": DEFAULT,
    "static_clusters": [{"id": cluster, "addresses": text.split(";")} for cluster, text in LISTS.items()],
}
