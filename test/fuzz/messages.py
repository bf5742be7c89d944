"""Writes and calls by roles that may write and not read: no message tells them a number or a name of the ledger's."""
import re

import calls
import writes
from fuzz import TIMEOUT_MS

# Every secret number has sixteenths in it, which sums and differences with what a statement says keep.
SECRETS = '''
INSERT INTO {0}.order_line (order_id, line_no, item, quantity, customer, attributes, unit_price, placed_at)
	SELECT o, l, (ARRAY['a','b','c','short','manual'])[l], 5.0625, 'SECRET', '{{"note": "SECRET"}}', 77.0625, '2026-01-02'
	FROM unnest('{{1,2,3,HIDDEN}}'::text[]) AS o, generate_series(3, 5) AS l;
INSERT INTO {0}.stock_move (item, location, quantity, reference) SELECT i, l, 31.0625, 'SECRET' FROM unnest('{{a,b,short,refused}}'::text[]) AS i, unnest('{{main,north}}'::text[]) AS l;
INSERT INTO {0}.inbound (item, quantity, expected_at, supplier) VALUES ('a', 9.0625, '2026-03-01', 'SECRET');
INSERT INTO {0}.priority_rule (name, condition) VALUES ('SECRET', '$.customer == "SECRET"');
UPDATE {0}.item SET backorder_limit = backorder_limit + 0.0625, unit_price = 77.0625;
UPDATE {0}.order_line SET firm = 1.0625 WHERE (order_id, line_no) IN (SELECT order_id, line_no FROM {0}.order_line_status WHERE allocated >= 2);
REVOKE ALL ON ALL TABLES IN SCHEMA {0} FROM clerk;
'''
# What the clerk of a ledger may do: one of these each time.
GRANTS = [
    'GRANT INSERT ON order_line TO clerk',
    'GRANT INSERT ON order_line, order_line_status, stock_move TO clerk',
    'GRANT INSERT, UPDATE, DELETE ON order_line TO clerk; GRANT SELECT (order_id, line_no, item) ON order_line TO clerk',
    'GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {0} TO clerk; GRANT SELECT (order_id, line_no) ON order_line TO clerk',
    'GRANT UPDATE, DELETE ON order_line, inbound TO clerk',
    'GRANT UPDATE ON order_line, item, inbound TO clerk; GRANT SELECT (item) ON order_line, item, inbound TO clerk; GRANT INSERT ON stock_move TO clerk',
]
SECRET = r'SECRET|\.\d*(0625|3125|5625|8125)'


def one_round(fuzzer):
    r = fuzzer.random
    if getattr(fuzzer, 'whispered', None) != fuzzer.ledger:
        fuzzer.must('merchant', 'SET statement_timeout = 0')
        fuzzer.must('merchant', SECRETS.format(fuzzer.ledger))
        grant = r.choice(GRANTS)
        fuzzer.must('merchant', grant.format(fuzzer.ledger))
        fuzzer.must('merchant', 'SET statement_timeout = %d' % TIMEOUT_MS)
        # who may read the orders' numbers may be told them
        fuzzer.secret = re.compile(SECRET if 'order_id' in grant else 'HIDDEN|' + SECRET)
        writes.learn(fuzzer)
        fuzzer.functions = calls.catalogue(fuzzer)
        fuzzer.whispered = fuzzer.ledger
    role = r.choice(['clerk', 'clerk', 'clerk', 'stranger'])
    if r.random() < 0.3:
        statement = calls.call(fuzzer)
        if statement:
            fuzzer.send(role, statement)
    else:
        writes.write(fuzzer, role)


def run(fuzzer):
    fuzzer.rounds(lambda: one_round(fuzzer))
