"""Collect the brute-force values of laws and joint tests in one small file, for the tests.

    python tests/data/make_few_clusters.py GOLDEN

GOLDEN is the directory that holds `few_clusters/*.json`: laws, joint tests, randomization and
placebo tests on the data beside this file, in which every loading, permutation and placebo is a
refit. Laws are by numerical inversion and by 200,000 draws. Writes `few_clusters.json.gz`, the
files by their names.
"""

import gzip
import json
import sys
from pathlib import Path

OUT = Path(__file__).with_name("few_clusters.json.gz")


def main(golden):
    paths = sorted(Path(golden, "few_clusters").glob("*.json"))
    cases = {path.stem: json.loads(path.read_text()) for path in paths}
    text = json.dumps(cases, separators=(",", ":"))
    # No time stamp, so that making the file again gives the same bytes.
    OUT.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{OUT}: {len(cases)} cases, {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
