"""Ray nodes of a core each on this machine, as a cluster of machines would be; ends with its input.

Prints the cluster's address. For every line ``kill`` it kills a node with all its processes, and says so.
"""

import os
import sys

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    others = [cluster.add_node(num_cpus=1, object_store_memory=80_000_000) for _ in range(int(sys.argv[1]) - 1)]
    print(cluster.address, flush=True)
    for _ in sys.stdin:
        cluster.remove_node(others.pop(), allow_graceful=False)
        print("killed", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
