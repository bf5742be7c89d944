"""Ledgers that their owner has damaged or dressed up: columns gone or of another type, tables replaced, triggers and rules of his own.

Each is tried in a transaction that is rolled back, so the plans and caches of the session see the shapes come and go.
"""
import calls
import writes
from fuzz import columns
from values import join, quote

TYPES = ['text', 'integer', 'bigint', 'jsonb', 'varchar(3)', 'numeric(4,1)', 'timestamptz', 'date', 'boolean', 'name', 'numeric[]', 'double precision', 'text COLLATE "C"', 'text COLLATE "POSIX"', 'interval', 'bytea', 'xid8']


def trigger_function(fuzzer, table):
    """A user's own trigger: swallows rows, raises, changes them, or writes to the ledger itself."""
    r = fuzzer.random
    body = r.choice([
        'RETURN NULL', "RAISE EXCEPTION 'no'", 'RETURN NEW', 'RETURN OLD', 'NEW := NULL; RETURN NEW',
        "PERFORM receive('a', 1); RETURN NEW", "PERFORM cancel('1'); RETURN NEW", "PERFORM ship('2'); RETURN NEW", 'PERFORM release_due(); RETURN NEW', 'PERFORM reprioritize(); RETURN NEW',
        "UPDATE order_line SET cancelled = quantity - shipped WHERE order_id = '3'; RETURN NEW", "UPDATE order_line SET quantity = quantity + 1 WHERE order_id = '3'; RETURN NEW",
        "INSERT INTO stock_move (item, quantity) VALUES ('short', 1); RETURN NEW", "INSERT INTO order_line (order_id, line_no, item, quantity) VALUES (gen_random_uuid()::text, 1, 'a', 1); RETURN NEW",
        'DELETE FROM order_line; RETURN NEW', 'TRUNCATE stock_slot; RETURN NEW', 'UPDATE stock_slot SET available = NULL; RETURN NEW', 'PERFORM backorder.rebuild_ledger(TG_TABLE_SCHEMA::name); RETURN NEW',
        'DROP TABLE IF EXISTS journal CASCADE; RETURN NEW', 'ALTER TABLE stock_slot ADD COLUMN IF NOT EXISTS extra integer; RETURN NEW', "SET LOCAL search_path = pg_temp; RETURN NEW",
        'NEW := (SELECT t FROM %s AS t LIMIT 1); RETURN NEW' % table, 'PERFORM pg_notify(\'x\', \'y\'); RETURN NEW',
    ])
    level = r.choice(['ROW', 'ROW', 'STATEMENT'])
    timing = r.choice(['BEFORE', 'AFTER'])
    event = r.choice(['INSERT', 'UPDATE', 'DELETE', 'INSERT OR UPDATE OR DELETE'])
    return [
        "CREATE FUNCTION own_trigger() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN IF pg_trigger_depth() > 4 THEN RETURN NEW; END IF; " + body + '; END $f$',
        'CREATE TRIGGER %s %s %s ON %s FOR EACH %s EXECUTE FUNCTION own_trigger()' % (r.choice(['aaa', 'zzz']), timing, event, table, level),
    ]


def damage(fuzzer):
    r = fuzzer.random
    table = r.choice([t for t in sorted(fuzzer.tables) if fuzzer.plain[t]])
    name, kind, known = r.choice(fuzzer.tables[table])
    new_type = r.choice(TYPES)
    alter = 'ALTER TABLE %s ' % table
    return r.choice([
        lambda: [alter + 'DROP COLUMN %s CASCADE' % name],
        lambda: [alter + 'RENAME COLUMN %s TO renamed' % name],
        # dropped and made again: the same name at another place
        lambda: [alter + 'DROP COLUMN %s CASCADE' % name, alter + 'ADD COLUMN %s %s' % (name, kind)],
        lambda: [alter + 'DROP COLUMN %s CASCADE' % name, alter + 'ADD COLUMN %s %s' % (name, new_type)],
        lambda: [alter + 'ADD COLUMN extra %s' % new_type, alter + 'ADD COLUMN made integer GENERATED ALWAYS AS (1) STORED'],
        lambda: ['DROP VIEW IF EXISTS %s CASCADE' % ', '.join(t for t in sorted(fuzzer.tables) if not fuzzer.plain[t]),
                 alter + 'ALTER %s DROP DEFAULT, ALTER %s TYPE %s USING %s' % (name, name, new_type, r.choice(['NULL', '%s::text::%s' % (name, new_type.split(' COLLATE')[0])]))],
        lambda: [alter + 'ALTER %s DROP NOT NULL' % name, alter + 'DISABLE TRIGGER USER', 'UPDATE %s SET %s = NULL' % (table, name), alter + 'ENABLE TRIGGER USER'],
        lambda: [alter + 'DISABLE TRIGGER USER', join('UPDATE ', table, ' SET ', name, ' = ', fuzzer.values.extreme(kind)), alter + 'ENABLE TRIGGER USER'],
        lambda: [alter + 'DISABLE TRIGGER USER', 'DELETE FROM %s' % table, alter + r.choice(['ENABLE TRIGGER USER', 'DISABLE TRIGGER USER'])],
        lambda: [alter + r.choice(['DISABLE TRIGGER ALL', 'DISABLE TRIGGER USER', 'ENABLE ALWAYS TRIGGER backorder_insert', 'ENABLE REPLICA TRIGGER backorder_update'])],
        lambda: ['DROP TABLE %s CASCADE' % table],
        lambda: [alter + 'RENAME TO renamed', 'CREATE VIEW %s AS SELECT * FROM renamed' % table],
        lambda: [alter + 'RENAME TO renamed', 'CREATE TABLE %s AS SELECT * FROM renamed' % table],
        lambda: [alter + 'RENAME TO renamed', 'CREATE TABLE %s (LIKE renamed INCLUDING ALL)' % table],
        lambda: [alter + 'RENAME TO renamed', 'CREATE MATERIALIZED VIEW %s AS SELECT * FROM renamed' % table],
        lambda: [alter + 'RENAME TO renamed', 'CREATE SEQUENCE %s' % table],
        lambda: [alter + 'RENAME TO renamed', 'CREATE TYPE %s AS (a integer)' % table],
        lambda: [alter + 'SET SCHEMA public'] if r.random() < 0.5 else [alter + 'SET UNLOGGED'],
        lambda: [alter + 'ENABLE ROW LEVEL SECURITY', alter + 'FORCE ROW LEVEL SECURITY'] + r.choice([[], ['CREATE POLICY own ON %s USING (%s IS NULL)' % (table, name)], ['CREATE POLICY own ON %s USING (1 / 0 = 1)' % table]]),
        lambda: ['CREATE RULE own AS ON %s TO %s DO %s' % (r.choice(['INSERT', 'UPDATE', 'DELETE']), table, r.choice(['INSTEAD NOTHING', 'ALSO SELECT 1', "ALSO NOTIFY x"]))],
        lambda: ['CREATE TABLE own_child () INHERITS (%s)' % table, 'INSERT INTO own_child SELECT * FROM ONLY %s' % table],
        lambda: ['CREATE UNIQUE INDEX own_index ON %s (%s)' % (table, name)],
        lambda: [alter + 'ADD CONSTRAINT own CHECK (%s IS NULL) NOT VALID' % name],
        lambda: [alter + 'ADD CONSTRAINT own CHECK (1 / 0 = 1) NOT VALID'],
        lambda: ["DO $do$ DECLARE i record; BEGIN FOR i IN SELECT indexrelid::regclass AS name, conname FROM pg_index LEFT JOIN pg_constraint ON conindid = indexrelid AND conrelid = indrelid WHERE indrelid = %s::regclass LOOP "
                 "IF i.conname IS NULL THEN EXECUTE 'DROP INDEX ' || i.name; ELSE EXECUTE 'ALTER TABLE %s DROP CONSTRAINT ' || i.conname || ' CASCADE'; END IF; END LOOP; END $do$" % (quote(table), table)],
        lambda: trigger_function(fuzzer, table),
        lambda: trigger_function(fuzzer, table),
        lambda: ['DROP FUNCTION IF EXISTS place_order, cancel, receive, ship CASCADE'],
        lambda: ['DROP VIEW IF EXISTS order_line_status CASCADE', 'CREATE VIEW order_line_status AS SELECT * FROM order_line',
                 'CREATE TRIGGER backorder_write INSTEAD OF INSERT OR UPDATE OR DELETE ON order_line_status FOR EACH ROW EXECUTE FUNCTION backorder.order_line_status_write()'],
        lambda: ['ALTER SCHEMA %s RENAME TO renamed' % fuzzer.ledger],
        lambda: ['DROP EXTENSION backorder CASCADE'] + r.choice([[], ['CREATE EXTENSION backorder'], ['CREATE EXTENSION backorder', "SELECT backorder.upgrade_ledger('%s')" % fuzzer.ledger]]),
        lambda: ['SET LOCAL search_path = pg_temp'],
        lambda: ['ALTER SEQUENCE %s_%s_id_seq %s' % (*r.choice([('journal', 'journal'), ('stock_move', 'move'), ('backorder', 'backorder')]), r.choice(['RESTART 1', 'MAXVALUE 40', 'RESTART 9223372036854775807']))],
        lambda: ["DELETE FROM pg_catalog.pg_trigger WHERE false", "SELECT backorder.upgrade_ledger('%s')" % fuzzer.ledger],
    ])()


def one_round(fuzzer):
    r = fuzzer.random
    if getattr(fuzzer, 'damaged', None) != fuzzer.ledger:
        writes.learn(fuzzer)
        fuzzer.functions = calls.catalogue(fuzzer)
        kinds = dict(fuzzer.must('merchant', "SELECT relname, relkind FROM pg_class WHERE relnamespace = '%s'::regnamespace" % fuzzer.ledger))
        fuzzer.plain = {name: kinds[name] in 'rp' for name in fuzzer.tables}
        fuzzer.damaged = fuzzer.ledger
    # some of the session's plans are made before, some are not
    for n in range(r.choice([0, 0, 3])):
        writes.write(fuzzer, 'merchant')
    fuzzer.send('merchant', 'BEGIN')
    for n in range(r.choice([1, 1, 1, 2, 3])):
        for statement in damage(fuzzer):
            fuzzer.send('merchant', 'SAVEPOINT damage')
            if fuzzer.send('merchant', statement) != '00000':
                fuzzer.send('merchant', 'ROLLBACK TO damage')
    for n in range(r.randint(4, 12)):
        fuzzer.send('merchant', 'SAVEPOINT s')
        if r.random() < 0.35:
            statement = calls.call(fuzzer)
            state = fuzzer.send('merchant', statement) if statement else '00000'
        elif r.random() < 0.04:
            state = fuzzer.send('merchant', "SELECT backorder.%s('%s')" % (r.choice(['check_ledger', 'rebuild_ledger', 'upgrade_ledger', 'empty_ledger']), fuzzer.ledger))
        else:
            state = writes.write(fuzzer, 'merchant')
        if state != '00000':
            fuzzer.send('merchant', 'ROLLBACK TO s')
    fuzzer.send('merchant', 'SET CONSTRAINTS ALL IMMEDIATE')
    fuzzer.send('merchant', 'ROLLBACK')


def run(fuzzer):
    fuzzer.rounds(lambda: one_round(fuzzer))
