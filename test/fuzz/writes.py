"""Random writes with extreme values on every table of a ledger and every view that can be written."""
import io

from fuzz import columns
from values import comma, join, quote


def learn(fuzzer):
    fuzzer.tables = {}
    names = [row[0] for row in fuzzer.must('merchant', '''
        SELECT relname FROM pg_class WHERE relnamespace = '%s'::regnamespace AND relkind IN ('r', 'p', 'v') ORDER BY relname''' % fuzzer.ledger)]
    for name in names:
        fuzzer.tables[name] = columns(fuzzer, fuzzer.ledger + '.' + name)
    fuzzer.learned = fuzzer.ledger


# Tables that are written for a living come more often than the others.
BUSY = ['order_line', 'order_line', 'order_line', 'order_line_status', 'stock_move', 'stock_move', 'inbound', 'item', 'priority_rule']
ALWAYS = {'order_id', 'line_no', 'item', 'quantity', 'name', 'condition', 'location', 'customer'}
# What only the engine writes: naming it is an error, so it is named rarely.
ENGINE = {'backordered_at_entry', 'entered_quantity', 'entered_at', 'on_hold', 'shipped', 'version', 'received', 'last_received_at', 'first_expected_at',
          'first_quantity', 'transaction_id', 'recorded_at', 'cancelled', 'firm'}


def value(fuzzer, column):
    name, kind, known = column
    r = fuzzer.random.random()
    if name in ALWAYS and r < 0.7 or r < 0.35:
        return fuzzer.values.sensible(kind, name, known)
    return fuzzer.values.of(kind, name, known)


def some(fuzzer, found, always=()):
    r = fuzzer.random
    return [c for c in found if (c[0] in always and r.random() < 0.93) or r.random() < (0.03 if c[0] in ENGINE else 0.12)] or [r.choice(found)]


def where(fuzzer, found):
    r = fuzzer.random
    if r.random() < 0.15:
        return b''
    name, kind, known = r.choice([c for c in found if c[0] in ALWAYS] or found)
    return join(' WHERE ', name, r.choice([' = ', ' = ', ' = ', ' > ', ' IS DISTINCT FROM ']), fuzzer.values.sensible(kind, name, known))


def insert(fuzzer, table, found):
    r = fuzzer.random
    chosen = some(fuzzer, found, ALWAYS - ({'location', 'customer'} if r.random() < 0.5 else set()))
    names = ', '.join(c[0] for c in chosen)
    rows = b', '.join(join('(', comma(value(fuzzer, c) for c in chosen), ')') for _ in range(r.choice([1, 1, 1, 2, 5])))
    if 'order_id' in names and r.random() < 0.5:
        # an order of its own, so that its key is free
        fuzzer.fresh = getattr(fuzzer, 'fresh', 100) + 1
        rows = join('(', comma(quote(str(fuzzer.fresh)) if c[0] == 'order_id' and table.startswith('order') else value(fuzzer, c) for c in chosen), ')')
    tail = r.choice(['', '', '', ' ON CONFLICT DO NOTHING', ' RETURNING *', ' RETURNING *'])
    overriding = r.choice(['', '', '', ' OVERRIDING SYSTEM VALUE', ' OVERRIDING USER VALUE'])
    shape = r.random()
    if shape < 0.06:
        return join('INSERT INTO ', table, ' SELECT * FROM ', table, where(fuzzer, found), tail)
    if shape < 0.1:
        return join('INSERT INTO ', table, ' DEFAULT VALUES')
    if shape < 0.16 and table == 'order_line':
        return join('INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ', '(\'1\', 1, \'a\', 3) ON CONFLICT (order_id, line_no) DO UPDATE SET ',
                    comma(join(c[0], ' = ', value(fuzzer, c)) for c in some(fuzzer, found)))
    return join('INSERT INTO ', table, ' (', names, ')', overriding, ' VALUES ', rows, tail)


def update(fuzzer, table, found):
    r = fuzzer.random
    chosen = some(fuzzer, found)[:r.choice([1, 1, 2, 4])]
    changes = comma(join(c[0], ' = ', r.choice([value(fuzzer, c)] * 4 + ['DEFAULT', c[0]])) for c in chosen)
    return join('UPDATE ', table, ' SET ', changes, where(fuzzer, found), r.choice(['', ' RETURNING *']))


def delete(fuzzer, table, found):
    return join('DELETE FROM ', table, where(fuzzer, found))


def merge(fuzzer, table, found):
    if not any(c[0] == 'order_id' for c in found):
        return update(fuzzer, table, found)
    changes = comma(join(c[0], ' = ', value(fuzzer, c)) for c in some(fuzzer, found)[:2])
    return join('MERGE INTO ', table, " AS t USING (VALUES ('1', 1, 'a', 2), ('m', 1, 'a', 3), ('2', 1, 'b', 9)) AS s (order_id, line_no, item, quantity)",
                ' ON t.order_id = s.order_id AND t.line_no = s.line_no',
                " WHEN MATCHED AND t.order_id = '2' THEN DELETE WHEN MATCHED THEN UPDATE SET ", changes,
                ' WHEN NOT MATCHED THEN INSERT (order_id, line_no, item, quantity) VALUES (s.order_id, s.line_no, s.item, s.quantity)')


def copy(fuzzer, table, found):
    """COPY in text and CSV: rows with too few and too many fields, wrong types, bytes that are no UTF-8."""
    r = fuzzer.random
    chosen = some(fuzzer, found, ALWAYS)
    cells = [b'1', b'2', b'a', b'main', b'\\N', b'', b'ann', b'NaN', b'1e30', b'infinity', b'\xff', b'{}', b'2026-01-01', b'-1', b'short']
    sane = {'item': b'a', 'location': b'main', 'quantity': b'2', 'line_no': b'1', 'customer': b'ann'}
    rows = []
    for n in range(r.choice([1, 2, 3, 300])):
        fuzzer.fresh = getattr(fuzzer, 'fresh', 100) + 1
        row = [str(fuzzer.fresh).encode() if c[0] == 'order_id' else sane[c[0]] if c[0] in sane and r.random() < 0.97 else r.choice(cells) for c in chosen]
        if r.random() < 0.01:
            row = row[:-1] if r.random() < 0.5 else row + [b'x']
        rows.append(b'\t'.join(row))
    statement = 'COPY %s (%s) FROM STDIN' % (table, ', '.join(c[0] for c in chosen))
    return statement, io.BytesIO(b'\n'.join(rows) + b'\n')


def write(fuzzer, role):
    r = fuzzer.random
    table = r.choice(BUSY) if r.random() < 0.75 else r.choice(sorted(fuzzer.tables))
    if table not in fuzzer.tables:
        return '00000'
    found = fuzzer.tables[table]
    shape = r.choice([insert, insert, insert, insert, update, update, update, delete, merge, copy])
    if shape is copy:
        statement, data = copy(fuzzer, table, found)
        return fuzzer.send(role, statement, data)
    if r.random() < 0.01:
        return fuzzer.send(role, 'TRUNCATE ' + table + r.choice(['', ' CASCADE']))
    statement = shape(fuzzer, table, found)
    if r.random() < 0.05:
        statement = join('EXPLAIN ANALYZE ', statement)
    elif r.random() < 0.05 and b'RETURNING' in statement:
        statement = join('WITH w AS (', statement, ') SELECT count(*) FROM w, order_line')
    return fuzzer.send(role, statement)


def read(fuzzer):
    """Every view and every figure can be read, whatever was written."""
    for name in sorted(fuzzer.tables):
        fuzzer.send('merchant', 'SELECT count(v), min(v::text) FROM %s AS v' % name)


def one_round(fuzzer):
    r = fuzzer.random
    if getattr(fuzzer, 'learned', None) != fuzzer.ledger:
        learn(fuzzer)
    role = r.choice(['merchant', 'merchant', 'clerk', 'clerk', 'stranger']) if r.random() < 0.5 else 'merchant'
    if r.random() < 0.02:
        fuzzer.send(role, join('SET backorder.max_slots = ', r.choice(['1', '2', '16', '256', '0', 'DEFAULT', "'x'"])))
        fuzzer.send(role, join('SET backorder.actor = ', r.choice(["'x'", "''", 'DEFAULT', "'" + 'y' * 5000 + "'"])))
    if r.random() < 0.02:
        read(fuzzer)
    if r.random() < 0.35:
        fuzzer.send(role, 'BEGIN ISOLATION LEVEL ' + r.choice(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE']))
        for n in range(r.randint(1, 6)):
            name = 's%d' % n
            fuzzer.send(role, 'SAVEPOINT ' + name)
            if write(fuzzer, role) != '00000' or r.random() < 0.2:
                fuzzer.send(role, 'ROLLBACK TO ' + name)
        fuzzer.send(role, r.choice(['COMMIT', 'COMMIT', 'COMMIT', 'ROLLBACK']))
    else:
        write(fuzzer, role)


def run(fuzzer):
    fuzzer.rounds(lambda: one_round(fuzzer))
