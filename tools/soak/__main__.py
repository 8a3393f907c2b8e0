"""``python -m tools.soak``: one run, a table, and exit status 1 if anything was wrong."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tools.soak.chaos import Chaos
from tools.soak.oracle import Oracle
from tools.soak.topology import Topology


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    seconds = options.minutes * 60 if options.seconds is None else options.seconds
    good = False
    directory = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        topology = Topology(random.Random(seed), directory, options.small)
        print(f"seed {seed}, {seconds:.0f} s, {len(topology.nodes)} processes", flush=True)
        with Chaos(topology, directory, seed) as chaos:
            chaos.start()
            chaos.harm_for(seconds)
            chaos.finish()
        oracle = Oracle(chaos.incarnations, directory)
        oracle.judge()
        good = report(chaos, oracle)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        if good or not options.keep:
            shutil.rmtree(directory)
        else:
            print(f"the journals are in {directory}")
    return 0 if good else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long there is harm (1)")
    parser.add_argument("--seconds", type=float, help="the same, in seconds")
    parser.add_argument("--seed", type=int, help="repeat the topology and the choices of a run")
    parser.add_argument("--small", action="store_true", help="fewer processes")
    parser.add_argument("--keep", action="store_true", help="keep the journals of a bad run")
    return parser.parse_args()


def report(chaos: Chaos, oracle: Oracle) -> bool:
    """Print what happened; whether all was well."""
    explained: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    print(f"{'':14} {'accepted':>10} {'delivered':>10} {'explained':>10} {'wrong':>6}")
    for group, account in sorted(oracle.accounts.items()):
        explained += account.explained
        wrong += account.wrong
        lost, faults = sum(account.explained.values()), sum(account.wrong.values())
        print(f"{group:14} {account.accepted:10} {account.delivered:10} {lost:10} {faults:6}")
    print("harm done:", said(chaos.harm))
    print("not delivered, explained:", said(explained))
    print("most bytes lost with one connection:", oracle.most_lost_at_once)
    print("wrong:", said(wrong))
    for account in oracle.accounts.values():
        for example in account.examples[:10]:
            print("  ", example)
    growth = list(oracle.growth())
    watched = sum(1 for witness in oracle.witnesses.values() if witness.lived_long)
    print(f"growth: {len(growth)} in {watched} processes that lived long enough")
    for witness, what, before, after in growth:
        print(f"   {witness.node.name} ({witness.number}): {what} from {before:.0f} to {after:.0f}")
    for failure in chaos.failures:
        print("failed:", failure)
    good = not (wrong or growth or chaos.failures)
    print("PASS" if good else "FAIL")
    return good


def said(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.most_common() if count) or "none"


if __name__ == "__main__":
    sys.exit(main())
