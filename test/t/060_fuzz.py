"""Fuzz: random calls, writes, triggers and damage; a fixed seed for half a minute, longer by environment.

BACKORDER_FUZZ_SECONDS (30) is the time for all parts together, BACKORDER_FUZZ_SEED (1) where chance begins.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, 'fuzz'))
sys.dont_write_bytecode = True

try:
    import psycopg2
except ImportError as missing:
    print('1..0 # SKIP %s (Debian: python3-psycopg2)' % missing)
    sys.exit(0)

import calls  # noqa: E402
import damage  # noqa: E402
import messages  # noqa: E402
import triggers  # noqa: E402
import writes  # noqa: E402
from fuzz import Fuzzer  # noqa: E402

PARTS = [
    (calls, 'every function called with what it is not meant for'),
    (writes, 'every table and view written with extreme values'),
    (messages, 'no message tells what its reader may not know'),
    (triggers, 'every trigger function fired from wrong places'),
    (damage, 'ledgers damaged and dressed up by their owner'),
]
seconds = float(os.environ.get('BACKORDER_FUZZ_SECONDS') or 30)
seed = int(os.environ.get('BACKORDER_FUZZ_SEED') or 1)
failures = 0
for number, (part, name) in enumerate(PARTS, 1):
    fuzzer = Fuzzer(seed, seconds / len(PARTS), 0)
    try:
        part.run(fuzzer)
    except psycopg2.Error as error:
        fuzzer.findings['setup'] = 'the run itself failed: %s' % error
    findings = fuzzer.report()
    failures += bool(findings)
    print('%s %d - %s' % ('not ok' if findings else 'ok', number, name))
    print('# %s, seed %d: %d statements, %d went well, %d kinds of error' % (
        part.__name__, seed, fuzzer.sent, fuzzer.states.get('00000', 0), len(fuzzer.states) - 1))
    for text in findings:
        print('\n'.join('# ' + line for line in text.split('\n')))
    fuzzer.close()
    sys.stdout.flush()
print('1..%d' % len(PARTS))
sys.exit(1 if failures else 0)
