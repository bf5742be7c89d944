"""Every trigger function fired from places it is not meant for, always in a transaction that is rolled back."""
import calls
import writes
from fuzz import columns
from values import join

OWN = '''
CREATE TABLE own_form (order_id text, line_no bigint);
CREATE TABLE own_empty ();
CREATE TABLE own_like (LIKE {0}.{1} INCLUDING ALL);
CREATE TABLE own_parent (order_id text, line_no bigint, item text, location text, quantity numeric) PARTITION BY LIST (item);
CREATE TABLE own_part PARTITION OF own_parent DEFAULT;
CREATE VIEW own_view AS SELECT * FROM {0}.{1};
CREATE TABLE own_child () INHERITS ({0}.{1});
CREATE TEMP TABLE own_temp (LIKE {0}.{1});
'''
OTHERS = ['own_form', 'own_empty', 'own_like', 'own_parent', 'own_part', 'own_view', 'own_child', 'own_temp']


def definition(fuzzer, name, target, functions):
    """A trigger of any form the grammar allows; PostgreSQL's own rules refuse a part of them."""
    r = fuzzer.random
    timing = r.choice(['BEFORE', 'AFTER', 'AFTER', 'AFTER', 'AFTER', 'AFTER', 'INSTEAD OF'])
    events = r.sample(['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'], r.choice([1, 1, 1, 1, 1, 1, 2, 4]))
    if 'UPDATE' in events and r.random() < 0.1:
        events[events.index('UPDATE')] = 'UPDATE OF order_id'
    new, old = r.choice([('inserted', 'deleted'), ('after', 'before'), ('n', 'o'), ('order_line', 'stock_slot'), ('"a b"', '"\'"'), ('pg_class', 'item')])
    usual = {'INSERT': 'NEW TABLE AS ' + new, 'DELETE': 'OLD TABLE AS ' + old}.get(events[0], 'OLD TABLE AS %s NEW TABLE AS %s' % (old, new))
    tables = r.choice(['', usual, usual, usual, 'NEW TABLE AS ' + new, 'OLD TABLE AS %s NEW TABLE AS %s' % (new, old)])
    given = r.choice(['', '', '', "'x'", "1, 'order_line', '" + 'y' * 2000 + "'"])
    constraint = 'CONSTRAINT ' if timing == 'AFTER' and r.random() < 0.1 else ''
    return 'CREATE %sTRIGGER %s %s %s ON %s %s %s FOR EACH %s %s EXECUTE FUNCTION backorder.%s(%s)' % (
        constraint, name, timing, ' OR '.join(events), target, 'DEFERRABLE INITIALLY DEFERRED' if constraint else '',
        'REFERENCING ' + tables if tables else '', r.choice(['ROW', 'STATEMENT', 'STATEMENT']) if not constraint else 'ROW',
        r.choice(['', '', '', '', 'WHEN (pg_trigger_depth() < 3)']), r.choice(functions), given), timing, events


def fire(fuzzer, role, target):
    r = fuzzer.random
    found = columns(fuzzer, target)
    if not found:
        fuzzer.send(role, r.choice(['INSERT INTO %s DEFAULT VALUES', 'DELETE FROM %s', 'TRUNCATE %s']) % target)
        return
    for shape in r.sample([writes.insert, writes.update, writes.delete, writes.merge], 3):
        fuzzer.send(role, 'SAVEPOINT fire')
        if fuzzer.send(role, shape(fuzzer, target, found)) != '00000':
            fuzzer.send(role, 'ROLLBACK TO fire')
    if r.random() < 0.15:
        fuzzer.send(role, 'TRUNCATE ' + target)
    fuzzer.send(role, 'SET CONSTRAINTS ALL IMMEDIATE')


def one_round(fuzzer):
    r = fuzzer.random
    if getattr(fuzzer, 'armed', None) != fuzzer.ledger:
        writes.learn(fuzzer)
        fuzzer.triggers = [row[0] for row in fuzzer.must('merchant', '''
            SELECT proname FROM pg_proc WHERE pronamespace = 'backorder'::regnamespace AND prorettype = 'trigger'::regtype ORDER BY 1''')]
        fuzzer.armed = fuzzer.ledger
    # A stranger needs no ledger to attach a trigger: a schema of his own, or the temporary one.
    fuzzer.send('merchant', 'BEGIN')
    bases = [name for name in sorted(fuzzer.tables) if name in ('order_line', 'stock_move', 'inbound', 'item', 'location', 'ledger', 'stock_slot', 'journal', 'backorder', 'priority_rule')]
    fuzzer.must('merchant', OWN.format(fuzzer.ledger, r.choice(bases)))
    for n in range(r.randint(10, 30)):
        target = r.choice(OTHERS) if r.random() < 0.4 else r.choice(sorted(fuzzer.tables))
        fuzzer.send('merchant', 'SAVEPOINT made')
        made = 0
        for m in range(r.choice([1, 1, 2])):
            for attempt in range(6):
                statement, timing, events = definition(fuzzer, r.choice(['aaa', 'zzz']) + str(m), target, fuzzer.triggers)
                fuzzer.send('merchant', 'SAVEPOINT one')
                if fuzzer.send('merchant', statement) == '00000':
                    made += 1
                    break
                fuzzer.send('merchant', 'ROLLBACK TO one')
        if made:
            fire(fuzzer, 'merchant', target)
        fuzzer.send('merchant', 'ROLLBACK TO made')
    fuzzer.send('merchant', 'ROLLBACK')


def run(fuzzer):
    fuzzer.rounds(lambda: one_round(fuzzer))
