# SPDX-License-Identifier: Apache-2.0
"""Makes kazoo send one of every request it knows, so that a proxy can record them.

Usage: golden_requests.py HOSTS
"""

import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from kazoo.security import make_digest_acl


def main(hosts):
    zk = KazooClient(hosts=hosts, auth_data=[("digest", "user:password")])
    zk.start()
    zk.ensure_path("/kazoo")
    zk.create("/kazoo/a", b"one")
    zk.create("/kazoo/e-", b"", ephemeral=True, sequence=True)
    zk.create("/kazoo/stat", b"x", include_data=True)
    zk.create("/kazoo/secret", b"s", acl=[make_digest_acl("user", "password", all=True)])
    zk.get("/kazoo/a", watch=lambda event: None)
    zk.set("/kazoo/a", b"two", version=0)
    zk.exists("/kazoo/none", watch=lambda event: None)
    zk.create("/kazoo/none")
    zk.get_children("/kazoo", watch=lambda event: None)
    zk.get_children("/kazoo", include_data=True)
    zk.get_acls("/kazoo/secret")
    zk.set_acls("/kazoo/secret", [make_digest_acl("user", "password", read=True)])
    zk.sync("/kazoo")
    transaction = zk.transaction()
    transaction.check("/kazoo/a", 1)
    transaction.create("/kazoo/t", b"t")
    transaction.set_data("/kazoo/t", b"tt")
    transaction.delete("/kazoo/t")
    transaction.commit()
    transaction = zk.transaction()
    transaction.create("/kazoo/u")
    transaction.check("/kazoo/a", 99)
    transaction.commit()
    try:
        zk.get("/kazoo/missing")
    except NoNodeError:
        pass
    zk.delete("/kazoo", recursive=True)
    zk.stop()
    zk.close()


if __name__ == "__main__":
    main(sys.argv[1])
