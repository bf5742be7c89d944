"""Statements nobody would write, against a ledger: none may crash the server, fail an assertion or be an internal error (class XX).

fuzz.py PART SEED SECONDS [STATEMENTS]: what it needs is in the environment (PGHOST, PGPORT, PGUSER, PGDATABASE).
"""
import os
import random
import re
import sys
import time

sys.dont_write_bytecode = True

import psycopg2  # noqa: E402

from values import KNOWN, Values, join, quote  # noqa: E402

TIMEOUT_MS = 3000
STATEMENTS_PER_LEDGER = 600
# not counted
CONTROL = (b'BEGIN', b'SAVEPOINT', b'ROLLBACK', b'COMMIT', b'SET ')

SETUP = '''
INSERT INTO {0}.location (location) VALUES ('north'), ('south');
INSERT INTO {0}.item (item, lead_time, unit_price) VALUES ('a', '14 days', 9.99), ('b', NULL, 1), ('c', '1 day', NULL), ('short', '3 days', 5);
INSERT INTO {0}.item (item, backorder_limit) VALUES ('limited', 3);
INSERT INTO {0}.item (item, on_short) VALUES ('refused', 'refuse');
INSERT INTO {0}.item (item, auto_allocate) VALUES ('manual', false);
INSERT INTO {0}.priority_rule (name, condition, priority, head_start) VALUES ('gold', '$.customer == "gold"', 1, '2 days');
INSERT INTO {0}.stock_move (item, location, quantity, moved_at) SELECT i, l, 10, '2026-01-01' FROM unnest('{{a,b,c,limited,refused,manual}}'::text[]) AS i, unnest('{{main,north}}'::text[]) AS l;
INSERT INTO {0}.inbound (item, quantity, expected_at) VALUES ('a', 10, '2026-02-01'), ('short', 5, '2026-02-02'), ('short', 5, NULL);
INSERT INTO {0}.order_line (order_id, line_no, item, quantity, customer, placed_at)
	SELECT o::text, l, (ARRAY['a','b','c','short','manual'])[1 + (o + l) % 5], o, (ARRAY['ann','bob','gold'])[1 + o % 3], '2026-01-02' FROM generate_series(1, 8) AS o, generate_series(1, 2) AS l;
GRANT USAGE ON SCHEMA {0} TO clerk, stranger;
GRANT ALL ON ALL TABLES IN SCHEMA {0} TO clerk;
'''


class Crash(Exception):
    pass


class Fuzzer:
    """One run: connections of several roles, a seeded source of chance, counts of what happened."""

    def __init__(self, seed, seconds, statements):
        self.random = random.Random(seed)
        self.seed = seed
        self.end = time.monotonic() + seconds
        self.limit = statements
        self.sent = 0
        self.states = {}
        self.findings = {}
        self.connections = {}
        self.number = 0
        self.recent = []
        self.ledger = None
        self.secret = None

    # ---- sending

    def connection(self, role):
        if role not in self.connections:
            c = psycopg2.connect(user=role)
            c.autocommit = True
            c.set_client_encoding('UTF8')
            with c.cursor() as cursor:
                cursor.execute("SET statement_timeout = %d; SET client_min_messages = error; SET TimeZone = 'UTC'" % TIMEOUT_MS)
            self.connections[role] = c
        return self.connections[role]

    def send(self, role, statement, copy=None):
        """Sends a statement; returns its SQLSTATE, '00000' when it went well."""
        statement = join(statement)
        control = statement.startswith(CONTROL)
        self.sent += not control
        self.recent = self.recent[-39:] + [(role, statement)]
        state, message = '00000', ''
        try:
            with self.connection(role).cursor() as cursor:
                if copy is None:
                    cursor.execute(statement)
                else:
                    cursor.copy_expert(statement, copy)
        except psycopg2.Error as error:
            if self.connection(role).closed:
                self.note('the connection broke: %s' % error, role, statement)
                raise Crash(str(error)) from error
            state, message = error.pgcode or 'client', str(error)
            self.overhear(role, statement, error)
        except (ValueError, UnicodeError) as error:
            state, message = 'client', str(error)
        if not control or state != '00000':
            self.states[state] = self.states.get(state, 0) + 1
        if state.startswith('XX') or state in ('57P01', '57P02', '57P03'):
            self.note('%s %s' % (state, message), role, statement)
        return state

    def overhear(self, role, statement, error):
        """Nothing that is secret to the role stands in any field of a message."""
        if self.secret is None or role == 'merchant':
            return
        said = ' | '.join(str(getattr(error.diag, field) or '') for field in (
            'message_primary', 'message_detail', 'message_hint', 'context', 'internal_query', 'column_name', 'constraint_name', 'table_name'))
        if self.secret.search(said):
            self.note('told: %s' % said, role, statement)

    def must(self, role, statement):
        with self.connection(role).cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def note(self, what, role, statement):
        key = re.sub(r'\d+', 'N', what.split('\n')[0])
        if key not in self.findings:
            self.findings[key] = '%s\n  as %s, statement %d: %s' % (what.strip(), role, self.sent, statement[:1500].decode('utf-8', 'backslashreplace'))

    def over(self):
        return time.monotonic() >= self.end or (self.limit and self.sent >= self.limit)

    # ---- ledgers

    def new_ledger(self):
        """A ledger with something in it, and what there is to call and to write in it."""
        self.number += 1
        self.ledger = 'fuzz%d_%d' % (self.seed, self.number)
        self.must('merchant', 'SET statement_timeout = 0')
        self.must('merchant', "SELECT backorder.create_ledger('%s', 'UTC')" % self.ledger)
        self.must('merchant', SETUP.format(self.ledger))
        self.must('merchant', 'SET statement_timeout = %d' % TIMEOUT_MS)
        self.relations = [row[0] for row in self.must('merchant', '''
            SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relnamespace = '%s'::regnamespace ORDER BY 1''' % self.ledger)]
        self.values = Values(self.random, [self.ledger], self.relations)
        for role in ('merchant', 'clerk', 'stranger'):
            self.must(role, 'SET search_path = %s' % self.ledger)

    def check(self, when):
        """check_ledger finds nothing, before and after rebuild_ledger()."""
        self.must('merchant', 'SET statement_timeout = 0')
        for step in ('', ' and rebuild_ledger()'):
            if step:
                self.must('merchant', "SELECT backorder.rebuild_ledger('%s')" % self.ledger)
            # a user who writes an identity column himself leaves its sequence behind, and is told so
            rows = self.must('merchant', "SELECT * FROM backorder.check_ledger('%s') WHERE invariant <> 'sequence'" % self.ledger)
            if rows:
                self.note('check_ledger after %s%s: %r' % (when, step, rows[:5]), 'merchant', b'; '.join(s for r, s in self.recent[-5:]))
                break
        self.must('merchant', 'SET statement_timeout = %d' % TIMEOUT_MS)

    def drop_ledger(self):
        self.must('merchant', 'SET statement_timeout = 0')
        self.must('merchant', 'DROP SCHEMA %s CASCADE' % self.ledger)
        self.must('merchant', 'SET statement_timeout = %d' % TIMEOUT_MS)

    def rounds(self, one_round, statements=STATEMENTS_PER_LEDGER):
        """Runs one_round() again and again, with a fresh ledger now and then, until the time is over."""
        try:
            while not self.over():
                self.new_ledger()
                stop = self.sent + statements
                while self.sent < stop and not self.over():
                    one_round()
                self.check('round %d' % self.number)
                self.drop_ledger()
        except Crash:
            pass

    def close(self):
        for connection in self.connections.values():
            connection.close()

    def report(self):
        """Findings as text, none when all is well."""
        return ['seed %d: %s' % (self.seed, text) for text in self.findings.values()]


def columns(fuzzer, relation):
    """Columns of a relation: name, type, texts that its CHECK constraints name."""
    rows = fuzzer.must('merchant', '''
        SELECT a.attname, format_type(a.atttypid, NULL),
            (SELECT string_agg(pg_get_constraintdef(c.oid), ' ') FROM pg_constraint AS c
             WHERE c.conrelid = a.attrelid AND c.contype = 'c' AND a.attnum = ANY (c.conkey))
        FROM pg_attribute AS a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum''' % quote(relation))
    return [(name, kind, [t for t in re.findall(r"'(\w+)'::text", check or '')] or KNOWN.get(name, [])) for name, kind, check in rows]


def main():
    part, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    module = __import__(part)
    fuzzer = Fuzzer(seed, seconds, int(sys.argv[4]) if len(sys.argv) > 4 else 0)
    module.run(fuzzer)
    print('%s: %d statements, seed %d, %s' % (part, fuzzer.sent, seed, ' '.join('%s:%d' % item for item in sorted(fuzzer.states.items()))))
    for text in fuzzer.report():
        print('!', text)
    if os.environ.get('FUZZ_RECENT'):
        for role, statement in fuzzer.recent:
            print(role, statement[:500])
    return 1 if fuzzer.findings else 0


if __name__ == '__main__':
    sys.exit(main())
